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
