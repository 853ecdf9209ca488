public import EyrieInference

/// A classifier of three classes at 8×8 whose scores are computed by the test.
public enum FakeClassifier {
  /// The class names.
  public static let labels = ["cat", "dog", "bird"]
  /// The bytes of one picture.
  public static let inputBytes = 8 * 8 * 3

  /// What `ModelPackage.load` would say of it.
  /// - Parameters:
  ///   - kind: `probabilities` or `logits`.
  ///   - name: as in events.
  public static func description(
    kind: OutputKind = .probabilities, name: String = "fake-classifier"
  ) -> ModelDescription {
    ModelDescription(
      name: name, task: .classify, format: .onnx, path: "\(name).onnx", input: crop,
      output: ModelOutput(
        kind: kind, names: ["scores"], labels: labels, classCount: labels.count, shape: [1, labels.count]))
  }

  /// A session of so many requests that all compute the same.
  /// - Parameters:
  ///   - requests: how many runs can be in flight.
  ///   - batch: the most pictures of one run.
  ///   - kind: `probabilities` or `logits`.
  ///   - body: gives the three scores of one picture (64 pixels, RGB). It may wait, throw, or give numbers that
  ///     are not finite.
  public static func session(
    requests: Int = 1, batch: Int = 1, kind: OutputKind = .probabilities,
    body: @escaping @Sendable (UnsafeRawBufferPointer) async throws -> [Float]
  ) -> InferenceSession {
    let made: [any InferenceRequest] = (0..<requests).map { _ in
      FakeRequest(inputBytes: inputBytes, shape: [1, labels.count], batch: batch, body: body)
    }
    return InferenceSession(
      model: description(kind: kind), deviceName: "fake", executedPrecision: .f32, requests: made,
      batch: batch)
  }

  /// 8×8 pixels, stretched, as bytes.
  static let crop = ModelInput(
    name: "images", width: 8, height: 8, resize: .stretch, scale: 1, embeddedPreprocessing: true, stride: 1,
    dynamicBatch: true)
}
