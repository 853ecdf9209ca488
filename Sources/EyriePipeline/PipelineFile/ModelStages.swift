import EyrieInference

/// What the stages that run a model have in common.
struct ModelDefinition: Sendable {
  /// A package, a directory or a file; nil where it is missing, which has then been reported.
  let path: WrittenText?
  let precision: ExecutionPrecision?
  /// How many inferences may be under way at once.
  let requests: Int?

  private static let model = Field.text(
    "model", "A model package, an exported model directory, an .xml or an .onnx file."
  ).required
  private static let precision = Field<ExecutionPrecision>.choice(
    "precision", "The arithmetic of inference. Default: auto.")
  private static let requests = Field.integer(
    "requests", 1...256,
    "How many inferences may be under way at once. Default: one more than the device runs.")

  static let fields: [any FieldDescription] = [model, precision, requests]

  init(_ object: ObjectReader) {
    path = object(Self.model)
    precision = object(Self.precision)
    requests = object(Self.requests)
  }

  init(path: WrittenText) {
    self.path = path
    precision = nil
    requests = nil
  }
}

/// The options of a stage of kind detect; nil takes what the model says, else the default.
struct DetectDefinition: Sendable {
  let model: ModelDefinition
  let inputSize: PixelSize?
  let confidence: Double?
  let classConfidence: [String: Double]?
  let classes: [String]?
  let maxDetections: Int?
  let suppression: Suppression?

  /// Non-maximum suppression.
  struct Suppression: Sendable {
    let iou: Double?
    let classAgnostic: Bool?
    /// Labels of which boxes suppress one another within each group.
    let groups: [[String]]?
    /// The keys that the file gives.
    let given: [ObjectReader.Given]
  }

  private enum Key {
    static let inputSize = Field.size(
      "input_size", 1...16_384, "The size at which a dynamic model runs, such as 640 or 640x384.")
    static let confidence = Field.number(
      "confidence", 0...1, "The least confidence of a detection. Default: the model's, else 0.25.")
    static let classConfidence = Field.numbersByLabel(
      "class_confidence", 0...1, "The least confidence by label, instead of the one for all.")
    static let classes = Field.list("classes", "Keep only these labels. Default: all.")
    static let maxDetections = Field.integer(
      "max_detections", 1...100_000, "The most detections of a frame. Default: the model's, else 300.")
    static let iou = Field.number(
      "iou", 0...1,
      "The weaker of two boxes that overlap by more is suppressed. Default: the model's, else 0.45.")
    static let classAgnostic = Field.boolean(
      "class_agnostic",
      "Whether boxes of different classes suppress one another. Default: the model's, else false.")
    static let groups = Field.groups(
      "groups", "Groups of labels of which boxes suppress one another, such as [[car, truck, bus]].")
    static let suppressionTable = FieldTable([iou, classAgnostic, groups])
    static let suppression = Field<Suppression>.object("nms", suppressionTable, "Non-maximum suppression.") {
      let suppression = Suppression(
        iou: $0(iou), classAgnostic: $0(classAgnostic), groups: $0(groups), given: $0.given)
      if suppression.classAgnostic == true, suppression.groups != nil {
        $0.mistakes.add(
          $0.position(of: "groups"), YAMLTree.path($0.key, "groups"),
          "has no effect beside class_agnostic: true, expected one of the two")
      }
      return suppression
    }
  }

  static let fields: [any FieldDescription] =
    ModelDefinition.fields + [
      Key.inputSize, Key.confidence, Key.classConfidence, Key.classes, Key.maxDetections, Key.suppression,
    ]

  init(_ object: ObjectReader) {
    model = ModelDefinition(object)
    inputSize = object(Key.inputSize)
    confidence = object(Key.confidence)
    classConfidence = object(Key.classConfidence)
    classes = object(Key.classes)
    maxDetections = object(Key.maxDetections)
    suppression = object(Key.suppression)
  }

  /// A detector of which the file says no more than the model.
  init(model: WrittenText) {
    self.model = ModelDefinition(path: model)
    inputSize = nil
    confidence = nil
    classConfidence = nil
    classes = nil
    maxDetections = nil
    suppression = nil
  }
}

/// Which objects are cut out of a picture, and how, for a model that looks at one at a time.
struct CropDefinition: Sendable {
  /// The labels of the objects; nil for all.
  let on: [String]?
  /// What is added around the box, as a fraction of it.
  let padding: Double?
  /// The least width and height of a box, in pixels.
  let minBox: Int?
  /// How many crops are inferred at once, at most.
  let batch: Int?
  /// After how many seconds a track is looked at again.
  let refresh: Double?

  private static let on = Field.list("on", "The labels of the objects to look at. Default: all.")
  private static let padding = Field.number(
    "padding", 0...1, "What is added around the box, as a fraction of it.")
  private static let minBox = Field.integer(
    "min_box", 1...16_384,
    "The least width and height of a box in pixels; smaller ones are skipped and counted.")
  private static let batch = Field.integer("batch", 1...256, "How many crops are inferred at once, at most.")
  private static let refresh = Field.duration(
    "refresh", 0.1...86_400, "After how long a tracked object is looked at again.")

  static let fields: [any FieldDescription] = [on, padding, minBox, batch, refresh]

  init(_ object: ObjectReader) {
    on = object(Self.on)
    padding = object(Self.padding)
    minBox = object(Self.minBox)
    batch = object(Self.batch)
    refresh = object(Self.refresh)
  }
}

/// The options of a stage of kind classify.
struct ClassifyDefinition: Sendable {
  let model: ModelDefinition
  let crops: CropDefinition
  let topK: Int?
  let minConfidence: Double?

  private static let topK = Field.integer("top_k", 1...1000, "How many labels are given, the best first.")
  private static let minConfidence = Field.number(
    "min_confidence", 0...1, "The least confidence of a label.")

  static let fields: [any FieldDescription] =
    ModelDefinition.fields + CropDefinition.fields + [topK, minConfidence]

  init(_ object: ObjectReader) {
    model = ModelDefinition(object)
    crops = CropDefinition(object)
    topK = object(Self.topK)
    minConfidence = object(Self.minConfidence)
  }
}

/// The options of a stage of kind embed.
struct EmbedDefinition: Sendable {
  /// What becomes a vector.
  enum Subject: String, Sendable, CaseIterable {
    case crops
    case frames
  }

  /// How a vector is written in an event.
  enum Encoding: String, Sendable, CaseIterable {
    /// 16-bit floats, little-endian, in base64.
    case base64
    case array
  }

  let model: ModelDefinition
  let crops: CropDefinition
  let subject: Subject?
  let encoding: Encoding?

  private static let subject = Field<Subject>.choice("of", "What becomes a vector. Default: crops.")
  private static let encoding = Field<Encoding>.choice(
    "encoding", "How a vector is written: 16-bit floats in base64, or an array of numbers.")

  static let fields: [any FieldDescription] =
    ModelDefinition.fields + CropDefinition.fields + [subject, encoding]

  init(_ object: ObjectReader) {
    model = ModelDefinition(object)
    crops = CropDefinition(object)
    subject = object(Self.subject)
    encoding = object(Self.encoding)
  }
}
