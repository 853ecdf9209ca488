import EyrieInference

/// What reads and compiles models; OpenVINO, unless a test says otherwise.
struct ModelBackend: Sendable {
  let load: @Sendable (_ path: String) throws(ModelError) -> ModelDescription
  let compile: @Sendable (ModelDescription, CompileOptions) throws(ModelError) -> InferenceSession

  static let openVINO = ModelBackend(
    load: { (path) throws(ModelError) in try ModelPackage.load(path, expecting: .detect) },
    compile: { (model, options) throws(ModelError) in try OpenVINOBackend.compile(model, options: options) })
}
