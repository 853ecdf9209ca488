import EyrieGraph
import EyrieInference

/// What reads and compiles models; those of this system, unless a test says otherwise.
struct ModelBackend: Sendable {
  /// Describes a model. Blocks.
  let load: @Sendable (_ path: String, _ task: ModelTask?) throws(ModelError) -> ModelDescription
  /// Makes it ready to run.
  let compile: @Sendable (ModelDescription, CompileOptions) async throws(ModelError) -> InferenceSession

  /// Each format by the library that runs it on this system.
  static let system = ModelBackend(
    load: { (path, task) throws(ModelError) in try ModelPackage.load(path, expecting: task) },
    compile: { (model, options) async throws(ModelError) in
      #if canImport(CoreML)
        if model.format == .coreml { return try await CoreMLBackend.compile(model, options: options) }
      #endif
      // OpenVINO's threads inherit the name. It refuses what is not for it.
      return try await withBlockingThread(named: "inference") { () throws(ModelError) in
        try OpenVINOBackend.compile(model, options: options)
      }
    })
}
