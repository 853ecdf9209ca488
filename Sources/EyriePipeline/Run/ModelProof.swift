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
    try await check(session, by: backend, options: options)
    return session
  }

  /// Runs the golden input through a session, or through one of its own where that one runs at another size or
  /// in an arithmetic for which the file has no tolerance. It takes one inference, before the first frame.
  /// - Throws: ``ModelError`` when the results differ.
  func check(
    _ session: InferenceSession, by backend: ModelBackend, options: CompileOptions
  ) async throws(ModelError) {
    guard let golden else { return }
    let judged = try await sessionToJudge(golden, session, backend, options)
    let report = try await golden.replay(on: judged)
    if let refusal = golden.refusal(report, of: model) { throw refusal }
  }

  private func sessionToJudge(
    _ golden: Golden, _ session: InferenceSession, _ backend: ModelBackend, _ options: CompileOptions
  ) async throws(ModelError) -> InferenceSession {
    let isJudged = golden.hasTolerance(for: session.executedPrecision)
    if isJudged, session.inputWidth == golden.width, session.inputHeight == golden.height { return session }
    var options = options
    if !isJudged { options.precision = .f32 }
    return try await backend.compile(model, golden.options(options))
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
