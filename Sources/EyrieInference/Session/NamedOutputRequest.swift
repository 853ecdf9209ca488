/// A model that takes a picture and gives tensors by name, as Core ML's do.
protocol NamedOutputModel: Sendable {
  /// Runs the model.
  /// - Parameter picture: bytes in RGB order, rows without gaps; valid until the call returns.
  func predict(_ picture: UnsafeRawBufferPointer) async throws(InferenceError) -> [String: DenseTensor]
}

/// A request to such a model, with its outputs in the order of the description. Boxes and scores that come apart
/// from a detector that suppresses by itself are joined to rows of ``DetectionLayout/endToEnd``.
///
/// `@unchecked Sendable` because the session lends it to one owner at a time, who alone touches the input and the
/// outputs.
final class NamedOutputRequest: InferenceRequest, @unchecked Sendable {
  let input: UnsafeMutableRawBufferPointer
  private let model: any NamedOutputModel
  private let description: ModelDescription
  private var outputs: [DenseTensor] = []

  init(_ model: any NamedOutputModel, description: ModelDescription) {
    self.model = model
    self.description = description
    input = .allocate(byteCount: description.input.width * description.input.height * 3, alignment: 64)
    input.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { input.deallocate() }

  /// These models take one picture: the session's batch is 1, and it lets no other count through.
  func infer(count: Int) async throws(InferenceError) {
    outputs = try arrange(try await model.predict(UnsafeRawBufferPointer(input)))
  }

  func output(_ index: Int) throws(InferenceError) -> TensorView {
    guard outputs.indices.contains(index) else {
      throw InferenceError("\(description.path): the model has no output \(index)")
    }
    return outputs[index].view
  }

  private func arrange(_ tensors: [String: DenseTensor]) throws(InferenceError) -> [DenseTensor] {
    func tensor(_ name: String) throws(InferenceError) -> DenseTensor {
      guard let tensor = tensors[name] else {
        let names = tensors.keys.sorted().joined(separator: ", ")
        throw InferenceError("\(description.path): the model gives no output \(name), but \(names)")
      }
      return tensor
    }
    if description.output.layout == .endToEnd {
      let rows = try SuppressedBoxes.rows(
        coordinates: try tensor(SuppressedBoxes.coordinates).view,
        confidence: try tensor(SuppressedBoxes.confidence).view,
        width: description.input.width, height: description.input.height)
      return [DenseTensor(shape: rows.shape, rows.values)]
    }
    var arranged: [DenseTensor] = []
    for name in description.output.names { arranged.append(try tensor(name)) }
    return arranged
  }
}
