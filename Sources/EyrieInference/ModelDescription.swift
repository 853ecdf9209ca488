/// Everything the runtime knows about one model: read from its package, from the metadata its
/// exporter left, or inferred from its shapes (then ``notes`` says what and why).
///
/// Encodes to the JSON that `eyrie model inspect` prints, with the field names of the package
/// schema `eyrie.model/1`.
public struct ModelDescription: Sendable, Codable, Equatable {
  /// A name for people and for events: the package's, else the file's without its extension.
  public var name: String
  /// What the model does.
  public var task: ModelTask
  /// The format of the model file.
  public var format: ModelFormat
  /// The number format of the weights; `nil` when neither metadata nor file tell.
  public var precision: ModelPrecision?
  /// The path of the file a backend opens (`.xml`, `.onnx`, `.mlpackage`).
  public var path: String
  /// The files of the model, the one at ``path`` first.
  public var files: [ModelFile]
  /// Where the model came from, as far as it says.
  public var source: ModelSource
  /// What the model takes.
  public var input: ModelInput
  /// What the model gives.
  public var output: ModelOutput
  /// How its detections are to be suppressed. Only meaningful for ``ModelTask/detect``.
  public var nms: SuppressionSettings
  /// What was inferred rather than read, one sentence each, for people.
  public var notes: [String]

  /// Describes a model.
  public init(
    name: String, task: ModelTask, format: ModelFormat, precision: ModelPrecision? = nil, path: String,
    files: [ModelFile] = [], source: ModelSource = ModelSource(), input: ModelInput, output: ModelOutput,
    nms: SuppressionSettings = SuppressionSettings(), notes: [String] = []
  ) {
    self.name = name
    self.task = task
    self.format = format
    self.precision = precision
    self.path = path
    self.files = files
    self.source = source
    self.input = input
    self.output = output
    self.nms = nms
    self.notes = notes
  }
}

/// One file of a model.
public struct ModelFile: Sendable, Codable, Equatable {
  /// Relative to the package directory, or to the directory of the model file.
  public var path: String
  /// Lower-case hexadecimal SHA-256 as the package states it; `nil` when it does not. Checked on load.
  public var sha256: String?

  /// Describes a file.
  public init(
    path: String, sha256: String? = nil
  ) {
    self.path = path
    self.sha256 = sha256
  }
}

/// Where a model came from.
public struct ModelSource: Sendable, Codable, Equatable {
  /// The name of the original, for example a checkpoint's or a repository's.
  public var name: String?
  /// The SHA-256 of the original file.
  public var sha256: String?
  /// What it was trained or exported with.
  public var framework: String?
  /// The version of that framework.
  public var version: String?
  /// The licence as the model states it, for example `AGPL-3.0 License (https://…)`.
  public var license: String?

  /// Describes a source.
  public init(
    name: String? = nil, sha256: String? = nil, framework: String? = nil, version: String? = nil,
    license: String? = nil
  ) {
    self.name = name
    self.sha256 = sha256
    self.framework = framework
    self.version = version
    self.license = license
  }
}

/// What a model takes: one picture of three channels.
public struct ModelInput: Sendable, Codable, Equatable {
  /// The name of the input tensor.
  public var name: String
  /// In pixels. Of a model with dynamic size, the size it is run at unless another is asked for.
  public var width: Int
  /// In pixels.
  public var height: Int
  /// The channel order the model was trained with. Hosts always hand over RGB: the backend swaps.
  public var channelOrder: ChannelOrder
  /// The order of the axes in the model file. Hosts always hand over NHWC: the backend transposes.
  public var layout: InputLayout
  /// The element type in the model file. Hosts always hand over bytes: the backend converts.
  public var elementType: ElementType
  /// How a picture is brought to ``width`` × ``height``.
  public var resize: ResizeMode
  /// The value (0…255, all channels) around a letterboxed picture. Ultralytics: 114.
  public var padValue: Int
  /// See ``scale``. One value a channel, in the model's channel order.
  public var mean: [Double]
  /// See ``scale``. One value a channel, in the model's channel order; never 0.
  public var std: [Double]
  /// What the model is fed for a byte: `(byte × scale − mean) ÷ std`. 1/255 for a YOLO model, 1 for
  /// a model that takes bytes as they are.
  public var scale: Double
  /// Whether the model itself normalises: then it is fed bytes 0…255 as they are, whatever
  /// ``scale``, ``mean`` and ``std`` say.
  public var embeddedPreprocessing: Bool
  /// Whether the model runs at other sizes than ``width`` × ``height``.
  public var dynamicSpatial: Bool
  /// Width and height must be multiples of this many pixels.
  public var stride: Int
  /// Whether the model takes any number of pictures at once. Eyrie runs it with one.
  public var dynamicBatch: Bool
  /// The number of pictures in the file's own input shape; 1 when it is dynamic.
  public var batch: Int

  /// Describes an input; the defaults are those of a YOLO detector.
  public init(
    name: String, width: Int, height: Int, channelOrder: ChannelOrder = .rgb, layout: InputLayout = .nchw,
    elementType: ElementType = .f32, resize: ResizeMode = .letterbox, padValue: Int = 114,
    mean: [Double] = [0, 0, 0], std: [Double] = [1, 1, 1], scale: Double = 1 / 255,
    embeddedPreprocessing: Bool = false, dynamicSpatial: Bool = false, stride: Int = 32,
    dynamicBatch: Bool = false, batch: Int = 1
  ) {
    self.name = name
    self.width = width
    self.height = height
    self.channelOrder = channelOrder
    self.layout = layout
    self.elementType = elementType
    self.resize = resize
    self.padValue = padValue
    self.mean = mean
    self.std = std
    self.scale = scale
    self.embeddedPreprocessing = embeddedPreprocessing
    self.dynamicSpatial = dynamicSpatial
    self.stride = stride
    self.dynamicBatch = dynamicBatch
    self.batch = batch
  }

  enum CodingKeys: String, CodingKey {
    case name, width, height
    case channelOrder = "channel_order"
    case layout
    case elementType = "element_type"
    case resize
    case padValue = "pad_value"
    case mean, std, scale
    case embeddedPreprocessing = "embedded_preprocessing"
    case dynamicSpatial = "dynamic_spatial"
    case stride
    case dynamicBatch = "dynamic_batch"
    case batch
  }
}

/// What a model gives.
public struct ModelOutput: Sendable, Codable, Equatable {
  /// What the numbers are.
  public var kind: OutputKind
  /// The names of all output tensors, in the model's order.
  public var names: [String]
  /// Which of them holds the result.
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
  /// The k of a ``OutputKind/topK`` output.
  public var topK: Int?
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
    dimension: Int? = nil, normalized: Bool? = nil, topK: Int? = nil, shape: [Int],
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
    case shape
    case elementType = "element_type"
    case layout, objectness
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
