import EyrieInference
import EyrieTestSupport

@testable import EyriePipeline

extension FakeModel {
  /// A backend whose inference is a closure.
  /// - Parameters:
  ///   - others: sessions of further models, by what a plan calls them.
  ///   - body: the detector.
  static func backend(
    requests: Int = 2, others: [String: InferenceSession] = [:],
    _ body: @escaping @Sendable (UnsafeRawBufferPointer) async throws -> [Float]
  ) throws -> ModelBackend {
    let session = try FakeModel.session(requests: requests, body: body)
    return ModelBackend(
      load: { (path, _) throws(ModelError) in (others[path] ?? session).model },
      compile: { (model, _) throws(ModelError) in
        others.values.first { $0.model.name == model.name } ?? session
      })
  }

  /// The output with boxes of a class, spread over the picture so that none overlaps another.
  static func boxes(_ count: Int, classID: Int = 0, confidence: Float = 0.9, size: Float = 10) -> [Float] {
    var values = nothing
    for index in 0..<min(count, 10) {
      values[index] = Float(index % 5) * 12 + 8
      values[10 + index] = index < 5 ? 24 : 40
      values[20 + index] = size
      values[30 + index] = size
      values[(4 + classID) * 10 + index] = confidence
    }
    return values
  }
}
