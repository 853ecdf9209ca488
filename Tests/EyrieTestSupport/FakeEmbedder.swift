public import EyrieInference
public import Foundation

/// A model that embeds pictures of 8×8 pixels in four dimensions, as the test computes.
public enum FakeEmbedder {
  /// The length of an embedding.
  public static let dimension = 4

  /// What `ModelPackage.load` would say of it.
  /// - Parameters:
  ///   - zeroShot: names for pictures; nil for a model that only embeds.
  ///   - directory: where the file with their embeddings is (``writeTextEmbeddings(labels:to:)``).
  ///   - name: as in events.
  public static func description(
    zeroShot: ZeroShotLabels? = nil, directory: String? = nil, name: String = "fake-embedder"
  ) -> ModelDescription {
    var model = ModelDescription(
      name: name, task: .embed, format: .onnx, path: "\(name).onnx", input: FakeClassifier.crop,
      output: ModelOutput(
        kind: .embedding, names: ["embedding"], labels: [], classCount: 0, dimension: dimension,
        normalized: false, shape: [1, dimension]),
      packageDirectory: directory)
    model.output.zeroShot = zeroShot
    return model
  }

  /// Writes the text embeddings of up to four labels: that of the n-th is the n-th axis. So a picture whose
  /// embedding is `[0, 1, 0, 0]` is of the second label.
  /// - Parameter directory: of the package.
  /// - Returns: what the package's metadata says of them.
  public static func writeTextEmbeddings(labels: [String], to directory: URL) throws -> ZeroShotLabels {
    var file = SafetensorsBuilder()
    file.metadata = ["schema": "eyrie.text_embeddings/1"]
    let rows = labels.indices.flatMap { row in (0..<dimension).map { Float($0 == row ? 1 : 0) } }
    file.tensors["text_embeddings"] = .f32([labels.count, dimension], rows)
    try file.data().write(to: directory.appendingPathComponent("text_embeddings.safetensors"))
    return ZeroShotLabels(
      labels: labels, embeddings: "text_embeddings.safetensors", logitScale: 10, prompts: ["a photo of a {}."]
    )
  }

  /// A session of so many requests that all compute the same.
  /// - Parameters:
  ///   - requests: how many runs can be in flight.
  ///   - batch: the most pictures of one run.
  ///   - model: ``description(zeroShot:directory:name:)`` by default.
  ///   - body: gives the four numbers of one picture (64 pixels, RGB). It may wait, throw, or give numbers that
  ///     are not finite.
  public static func session(
    requests: Int = 1, batch: Int = 1, model: ModelDescription = description(),
    body: @escaping @Sendable (UnsafeRawBufferPointer) async throws -> [Float]
  ) -> InferenceSession {
    let made: [any InferenceRequest] = (0..<requests).map { _ in
      FakeRequest(inputBytes: FakeClassifier.inputBytes, shape: [1, dimension], batch: batch, body: body)
    }
    return InferenceSession(
      model: model, deviceName: "fake", executedPrecision: .f32, requests: made, batch: batch)
  }
}
