import EyrieInference

/// A model with the golden file of its package, which proves the model before anything is made of it.
struct ModelProof: Sendable {
  let model: ModelDescription
  /// `nil` for a model without one: then nothing is proved.
  let golden: Golden?

  /// Describes a model, makes sure that it may be run, and reads its golden file. Blocks.
  init(_ path: String, expecting task: ModelTask?, by backend: ModelBackend) throws(ModelError) {
    model = try backend.load(path, task)
    try model.checkRunnable()
    golden = try Golden.load(for: model)
  }

  /// Compiles the model, and proves what was compiled.
  /// - Throws: ``ModelError`` when it cannot be compiled, or does not give what its golden file says.
  func session(by backend: ModelBackend, options: CompileOptions) async throws(ModelError) -> InferenceSession
  {
    let session = try await backend.compile(model, options)
    if try await !prove(session) { try await proveApart(by: backend, options: options, after: session) }
    return session
  }

  /// Runs the golden input through a session, if that can be judged by it. It takes one inference.
  /// - Returns: false for a session of another size, or in an arithmetic for which the file has no tolerance.
  /// - Throws: ``ModelError`` when the results differ.
  func prove(_ session: InferenceSession) async throws(ModelError) -> Bool {
    guard let golden else { return true }
    guard golden.hasTolerance(for: session.executedPrecision), session.inputWidth == golden.width,
      session.inputHeight == golden.height
    else { return false }
    let report = try await golden.replay(on: session)
    if let refusal = golden.refusal(report, of: model) { throw refusal }
    return true
  }

  /// The same in a session of its own, which is gone afterwards: at the size of the file, and at f32 where it has no
  /// tolerance for what the options ask for.
  /// - Parameter session: made with these options, at any size, if there is one: its arithmetic need not be found out.
  func proveApart(
    by backend: ModelBackend, options: CompileOptions, after session: InferenceSession? = nil
  ) async throws(ModelError) {
    guard let golden else { return }
    var options = golden.options(options)
    if let session, !golden.hasTolerance(for: session.executedPrecision) { options.precision = .f32 }
    let apart = try await backend.compile(model, options)
    if try await prove(apart) { return }
    options.precision = .f32
    guard apart.executedPrecision != .f32, try await prove(backend.compile(model, options)) else {
      throw ModelError(.noGolden, golden.path, "states no tolerance for f32")
    }
  }
}

extension Golden {
  /// The options for a session that does nothing but replay this file.
  func options(_ options: CompileOptions) -> CompileOptions {
    var options = options
    options.inputWidth = width
    options.inputHeight = height
    options.requestCount = 1
    return options
  }
}
