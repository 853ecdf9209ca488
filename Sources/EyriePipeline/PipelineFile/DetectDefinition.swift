/// The options of a stage of kind detect; nil takes what the model says, else the default.
struct DetectDefinition: Sendable {
  let model: ModelDefinition
  let inputSize: DetectorInputSize?
  let rect: Bool?
  let confidence: Double?
  let classConfidence: [String: Double]?
  let classes: [String]?
  let maxDetections: Int?
  let suppression: Suppression?
  /// It looks at each so-manieth frame of a source only.
  let every: Int?

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
      "input_size", DetectorInputSize.sides,
      "The size at which a dynamic model runs: the longer side, such as 640, or width and height, such as 640x384."
    )
    static let rect = Field.boolean(
      "rect",
      "Whether a dynamic model takes the least rectangle that holds the picture, and not a square. Default: true."
    )
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
    static let every = Field.integer(
      "every", 1...10_000,
      "Detect on each Nth frame of a source only; on the others a tracker, which must follow, says where objects are."
    )
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
      Key.inputSize, Key.rect, Key.confidence, Key.classConfidence, Key.classes, Key.maxDetections,
      Key.suppression, Key.every,
    ]

  init(_ object: ObjectReader) {
    model = ModelDefinition(object)
    inputSize = object(Key.inputSize)
    rect = object(Key.rect)
    confidence = object(Key.confidence)
    classConfidence = object(Key.classConfidence)
    classes = object(Key.classes)
    maxDetections = object(Key.maxDetections)
    suppression = object(Key.suppression)
    every = object(Key.every)
  }

  /// A detector of which the file says no more than the model.
  init(model: WrittenText) {
    self.model = ModelDefinition(path: model)
    inputSize = nil
    rect = nil
    confidence = nil
    classConfidence = nil
    classes = nil
    maxDetections = nil
    suppression = nil
    every = nil
  }
}
