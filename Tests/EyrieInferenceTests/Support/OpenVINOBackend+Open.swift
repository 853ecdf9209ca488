import Foundation

@testable import EyrieInference

extension OpenVINOBackend {
  /// Loads a model and compiles it, on a thread of its own: both block for a while.
  /// - Parameters:
  ///   - path: see `ModelPackage.load`.
  ///   - task: what the model must do; `nil` takes any.
  ///   - options: how to compile.
  static func open(
    _ path: String, expecting task: ModelTask? = nil, options: CompileOptions = CompileOptions()
  ) async throws(ModelError) -> InferenceSession {
    let result = await withCheckedContinuation { continuation in
      let thread = Thread {
        continuation.resume(
          returning: Result { () throws(ModelError) in
            try compile(try ModelPackage.load(path, expecting: task), options: options)
          })
      }
      // As much as the main thread has: graphs are walked recursively.
      thread.stackSize = 8 << 20
      thread.name = "model load"
      thread.start()
    }
    return try result.get()
  }
}
