import EyrieEvents

/// Which objects are cut out of a picture, and how, for a model that looks at one at a time.
struct CropDefinition: Sendable {
  /// The labels of the objects; nil for all.
  let on: [String]?
  /// What is added on each side of the box, as a fraction of its width or height.
  let padding: Double?
  /// The least width and height of a box, in pixels.
  let minBox: Int?
  /// How many crops are inferred at once, at most.
  let batch: Int?
  /// After how many seconds a track is looked at again.
  let refresh: Double?
  /// How many seconds a crop waits for others to go with it.
  let batchTimeout: Double?
  /// How many seconds a frame waits for its results.
  let timeout: Double?

  private static let on = Field.list("on", "The labels of the objects to look at. Default: all.")
  private static let padding = Field.number(
    "padding", 0...1,
    "What is added on each side of the box, as a fraction of its width or height. Default: 0.")
  private static let minBox = Field.integer(
    "min_box", 1...16_384,
    "The least width and height of a box in pixels; smaller ones are skipped and counted. Default: 16.")
  private static let batch = Field.integer(
    "batch", 1...256, "How many crops are inferred at once, at most. Default: 4.")
  private static let refresh = Field.duration(
    "refresh", 0.1...86_400,
    "After how long a tracked object is looked at again. Default: only when its crop gets clearly better.")
  private static let batchTimeout = Field.duration(
    "batch_timeout", 0...10, "How long a crop waits for others to be inferred with it. Default: 10ms.")
  private static let timeout = Field.duration(
    "timeout", 0.001...3600,
    "How long a frame waits for a result before it goes on without. Default: as long as it takes; of live sources 1s, of their tracks 200ms."
  )

  static let fields: [any FieldDescription] = [on, padding, minBox, batch, refresh, batchTimeout, timeout]
  /// The keys that mean something only where there are boxes.
  static let ofBoxes: Set = ["on", "padding", "min_box", "refresh"]

  init(_ object: ObjectReader) {
    on = object(Self.on)
    padding = object(Self.padding)
    minBox = object(Self.minBox)
    batch = object(Self.batch)
    refresh = object(Self.refresh)
    batchTimeout = object(Self.batchTimeout)
    timeout = object(Self.timeout)
  }
}

/// The options of a stage of kind classify.
struct ClassifyDefinition: Sendable {
  let model: ModelDefinition
  let crops: CropDefinition
  let topK: Int?
  let minConfidence: Double?

  private static let topK = Field.integer(
    "top_k", 1...1000, "How many labels are given, the best first. Default: 1.")
  private static let minConfidence = Field.number(
    "min_confidence", 0...1, "The least confidence of a label. Default: 0.")

  static let usualTopK = 1
  static let usualMinConfidence = 0.0

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

  let model: ModelDefinition
  let crops: CropDefinition
  let subject: Subject?
  let encoding: Embedding.Encoding?

  private static let subject = Field<Subject>.choice("of", "What becomes a vector. Default: crops.")
  private static let encoding = Field<Embedding.Encoding>.choice(
    "encoding", "How a vector is written: 16-bit floats in base64 (the default), or an array of numbers.")

  static let fields: [any FieldDescription] =
    ModelDefinition.fields + CropDefinition.fields + [subject, encoding]

  init(_ object: ObjectReader) {
    model = ModelDefinition(object)
    crops = CropDefinition(object)
    subject = object(Self.subject)
    if subject == .frames {
      for key in object.given where CropDefinition.ofBoxes.contains(key.name) {
        object.mistakes.add(
          key.position, key.path, "has no effect beside of: frames, expected one of the two")
      }
    }
    encoding = object(Self.encoding)
  }
}
