import EyrieInference
import EyrieTestSupport

@testable import EyriePipeline

extension FakeModel {
  /// A backend whose inference is a closure.
  static func backend(
    requests: Int = 2, _ body: @escaping @Sendable (UnsafeRawBufferPointer) async throws -> [Float]
  ) throws -> ModelBackend {
    let session = try FakeModel.session(requests: requests, body: body)
    return ModelBackend(
      load: { (_, _) throws(ModelError) in session.model },
      compile: { (_, _) throws(ModelError) in session })
  }
}
