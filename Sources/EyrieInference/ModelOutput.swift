/// What a model gives.
public struct ModelOutput: Sendable, Codable, Equatable {
  /// What the numbers are.
  public var kind: OutputKind
  /// The names of all output tensors, in the model's order.
  public var names: [String]
  /// Which of them holds the result. Of a Core ML detector that suppresses by itself, where boxes and scores
  /// come apart, 0: the backend joins them to rows of ``DetectionLayout/endToEnd``.
  public var index: Int
  /// The class names, one a class, in the order of the model's class indices. `class_7` where the
  /// model does not say. Empty for embeddings.
  public var labels: [String]
  /// The number of classes; 0 for embeddings.
  public var classCount: Int
  /// The length of an embedding; `nil` for other kinds.
  public var dimension: Int?
  /// Whether embeddings leave the model with length 1; `nil` when it does not say.
  public var normalized: Bool?
  /// How many of the best classes the model lists; `nil` where it does not.
  public var topK: Int?
  /// The outputs with that list, beside the one with all scores; `nil` where the model has none.
  public var topKOutputs: TopKOutputs?
  /// Names that an embedding model gives to pictures by the embeddings of texts; `nil` where its package has
  /// none.
  public var zeroShot: ZeroShotLabels?
  /// The shape of the output for one picture of the input size; −1 where it differs from run to run.
  public var shape: [Int]
  /// The element type of the output. Always read the type of the actual tensor.
  public var elementType: ElementType
  /// Where a detector's boxes are; `nil` for other tasks.
  public var layout: DetectionLayout?
  /// Whether an objectness score stands between box and class scores (YOLOv5, YOLOv7: the score of
  /// a class is objectness × class score).
  public var objectness: Bool

  /// Describes an output.
  public init(
    kind: OutputKind, names: [String], index: Int = 0, labels: [String], classCount: Int,
    dimension: Int? = nil, normalized: Bool? = nil, topK: Int? = nil, topKOutputs: TopKOutputs? = nil,
    zeroShot: ZeroShotLabels? = nil, shape: [Int],
    elementType: ElementType = .f32, layout: DetectionLayout? = nil, objectness: Bool = false
  ) {
    self.kind = kind
    self.names = names
    self.index = index
    self.labels = labels
    self.classCount = classCount
    self.dimension = dimension
    self.normalized = normalized
    self.topK = topK
    self.topKOutputs = topKOutputs
    self.zeroShot = zeroShot
    self.shape = shape
    self.elementType = elementType
    self.layout = layout
    self.objectness = objectness
  }

  enum CodingKeys: String, CodingKey {
    case kind, names, index, labels
    case classCount = "class_count"
    case dimension, normalized
    case topK = "top_k"
    case topKOutputs = "top_k_outputs"
    case zeroShot = "zero_shot"
    case shape
    case elementType = "element_type"
    case layout, objectness
  }
}

/// The two outputs in which a classifier lists its k best classes.
public struct TopKOutputs: Sendable, Codable, Equatable {
  /// The name of the output with the scores, best first: `[1,k]`.
  public var scores: String
  /// The name of the output with the class indices in the same order: `[1,k]`, i32 or i64.
  public var indices: String

  /// Describes the two.
  public init(scores: String, indices: String) {
    self.scores = scores
    self.indices = indices
  }
}

/// Thresholds of non-maximum suppression. `nil` where the model leaves the choice to the user.
public struct SuppressionSettings: Sendable, Codable, Equatable {
  /// Whether the model suppresses by itself: then nothing is left to do.
  public var embedded: Bool
  /// Boxes with a lower score are dropped, 0…1.
  public var confidence: Double?
  /// Of two boxes whose overlap (intersection over union, 0…1) is larger, the better stays.
  public var iou: Double?
  /// Whether boxes of different classes suppress one another.
  public var classAgnostic: Bool?
  /// At most this many boxes a picture.
  public var maxDetections: Int?

  /// Describes settings that leave everything to the user, unless stated.
  public init(
    embedded: Bool = false, confidence: Double? = nil, iou: Double? = nil, classAgnostic: Bool? = nil,
    maxDetections: Int? = nil
  ) {
    self.embedded = embedded
    self.confidence = confidence
    self.iou = iou
    self.classAgnostic = classAgnostic
    self.maxDetections = maxDetections
  }

  enum CodingKeys: String, CodingKey {
    case embedded, confidence, iou
    case classAgnostic = "class_agnostic"
    case maxDetections = "max_detections"
  }
}
