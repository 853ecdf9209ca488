import EyrieGraph
import EyrieInference

/// A detector whose model was read and found fit, and not compiled yet.
struct LoadedDetector: Sendable {
  let plan: DetectorPlan
  let proof: ModelProof
  let setup: DetectorSetup

  /// Reads the model.
  /// - Throws: `EyrieFailure` of kind usage when it is no detector, or a setting does not fit it.
  init(_ plan: DetectorPlan, by backend: ModelBackend) async throws(EyrieFailure) {
    self.plan = plan
    do throws(ModelError) {
      proof = try await withBlockingThread(named: "model") { () throws(ModelError) in
        try ModelProof(plan.model, expecting: .detect, by: backend)
      }
    } catch {
      throw EyrieFailure(.usage, "\(error)")
    }
    setup = try DetectorSetup(model: proof.model, plan: plan)
  }

  /// Compiles the model for the sizes that its sources need, and proves it: nothing is published of one that does
  /// not give what it should.
  /// - Parameters:
  ///   - pictures: the displayed size of each source that it looks at; nil where it is not known yet.
  ///   - log: takes lines about sizes, also during the run.
  func compile(
    by backend: ModelBackend, for pictures: [PixelSize?], log: @escaping @Sendable (String) -> Void
  ) async throws(EyrieFailure) -> RunningDetector {
    let sizing = DetectorSizing(proof.model.input, size: plan.inputSize, rect: plan.rect)
    let compile: DetectorSessions.Compile = { [proof, plan] size throws(ModelError) in
      let session = try await backend.compile(proof.model, plan.options(for: size))
      try proof.model.checkGrid(of: session)
      return session
    }
    do throws(ModelError) {
      var sessions: [InferenceSession] = []
      var failed: Set<PixelSize> = []
      let sizes = sizing.sizes(for: pictures)
      // Where no session of the run can do it, before they are made: so two do not take memory at once.
      var isProven = false
      if let golden = proof.golden, !sizes.contains(PixelSize(width: golden.width, height: golden.height)) {
        try await proof.proveApart(by: backend, options: plan.compile)
        isProven = true
      }
      for size in sizes {
        do throws(ModelError) {
          sessions.append(try await compile(size))
        } catch {
          // Some files say that they have any size and do not. Nobody asked for this one, but for its longer side.
          guard sizing.rectangle != nil, size != sizing.square, error.code != .invalidOption else {
            throw error
          }
          log("model \(proof.model.name): does not run at \(size), so at \(sizing.square): \(error.reason)")
          failed.insert(size)
        }
      }
      if sessions.isEmpty { sessions.append(try await compile(sizing.square)) }
      if !isProven { try await prove(sessions, by: backend) }
      let first = sessions.removeFirst()
      return RunningDetector(
        plan: plan, setup: setup,
        sessions: DetectorSessions(
          first, sessions, sizing: sizing, failed: failed, log: log, compile: compile))
    } catch {
      throw EyrieFailure(.usage, "\(error)")
    }
  }
}

extension LoadedDetector {
  /// Proves the model by the session of the run that can be judged, else by one of its own.
  private func prove(_ sessions: [InferenceSession], by backend: ModelBackend) async throws(ModelError) {
    for session in sessions where try await proof.prove(session) { return }
    try await proof.proveApart(by: backend, options: plan.compile, after: sessions.first)
  }
}

extension ModelDescription {
  /// Refuses a size at which a detector has as many anchors as at its own: its grid, and so its boxes, lie in
  /// constants of the file, whatever the shape of its input says.
  fileprivate func checkGrid(of session: InferenceSession) throws(ModelError) {
    let found = session.model
    guard let anchors = anchorCount, anchors == found.anchorCount,
      input.width * input.height != found.input.width * found.input.height
    else { return }
    throw ModelError(
      .unsupportedModel, path,
      "its boxes are those of \(input.width)×\(input.height) at any size of the input (\(anchors) anchors)")
  }

  private var anchorCount: Int? {
    guard output.shape.count == 3, let layout = output.layout else { return nil }
    let count: Int? =
      switch layout {
      case .featuresFirst: output.shape[2]
      case .anchorsFirst: output.shape[1]
      // Its rows are the best so many, whatever the grid.
      case .endToEnd: nil
      }
    return count.flatMap { $0 > 0 ? $0 : nil }
  }
}

extension DetectorPlan {
  fileprivate func options(for size: PixelSize) -> CompileOptions {
    var options = compile
    options.inputWidth = size.width
    options.inputHeight = size.height
    return options
  }
}

/// A detector that is ready to run.
struct RunningDetector: Sendable {
  let plan: DetectorPlan
  let setup: DetectorSetup
  let sessions: DetectorSessions
}
