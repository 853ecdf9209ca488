import EyrieEvents
public import EyrieGraph
import EyrieInference
import EyrieMedia
import Foundation

/// One run of `eyrie run`: a video through a detector to the subscribers.
///
///     decode → resize → detect → publish
///                             ↘ annotate (where asked for)
public struct DetectionRun: Sendable {
  /// How long a run waits for a first subscriber, from the moment it listens.
  private static let settleTime = Duration.milliseconds(500)

  private let options: RunOptions
  private let backend: ModelBackend

  /// - Parameter options: what to do.
  public init(_ options: RunOptions) {
    self.init(options, backend: .system)
  }

  init(_ options: RunOptions, backend: ModelBackend) {
    self.options = options
    self.backend = backend
  }

  /// Runs until the input ends, a limit of the options is reached, or the stop is requested.
  /// - Parameters:
  ///   - stop: ends the input early; what is in flight is still delivered.
  ///   - reporter: where log lines and progress go.
  /// - Returns: what was done. It has also been written where the options ask for it.
  /// - Throws: `EyrieFailure`, one line. The summary file is written even then, if the run had begun.
  public func run(stop: StopSignal, reporter: RunReporter) async throws(EyrieFailure) -> RunSummary {
    try options.validate()
    let outputs = OutputPaths(options)
    try outputs.check(input: options.input)
    let input = MediaInput(options.input)
    // The cheap and likely mistakes come first: the model's files, the input, the endpoint.
    let proof = try await loadModel()
    let description = proof.model
    try outputs.check(model: description)
    let detector = try DetectorSetup(model: description, options: options)
    let source = try sourceID(of: input)
    let decode = DecodeStage(options.decoding(of: input, as: source.value), log: reporter.log)
    try await open(decode, stop: stop)
    let labels = ClassLabels(detector.labels)
    let publish = PublishStage(
      PublishStage.Settings(
        runID: UUID().uuidString.lowercased(), source: source,
        modelName: description.name, labels: labels))
    let endpoint = try await open(publish, stop: stop)
    let boundAt = ContinuousClock.now
    let session = try await compile(proof)
    try checkNotStopped(stop)
    for note in session.model.notes { reporter.log("model \(session.model.name): \(note)") }
    if let endpoint {
      try await settle(publish, endpoint: endpoint, boundAt: boundAt, reporter: reporter)
      try checkNotStopped(stop)
    }

    let annotate = options.annotate.map { AnnotateStage(path: $0, labels: labels) }
    let graph = try build(
      decode, session: session, detector: detector, publish: publish, annotate: annotate, input: input,
      reporter: reporter)
    await publish.countLosses { graph.losses() }
    // A sink that fails ends the run by itself at its next frame.
    await decode.onLoss { try? await publish.report($0) }
    let execution = GraphExecution(
      graph: graph, publish: publish, media: await decode.description, options: options, reporter: reporter)
    var outcome = await execution.run(stop: stop)
    outcome.failure = outcome.failure ?? uselessness(graph, outcome)
    // Whoever stops a service while its camera is away does not want an error; who asked for a time does.
    if outcome.failure == nil, outcome.timeIsUp, graph.snapshot().node("decode")?.received == 0 {
      outcome.failure = await decode.lastFailure.map { EyrieFailure(.run, $0) }
    }

    // The last event counts too. Subscribers that are slow to take it do not hold up the summary.
    var failures = [outcome.failure, await end(publish, graph: graph, outcome: outcome)]
    let summary = await SummaryBuilder(
      graph: graph, publish: publish, decode: decode, session: session, outcome: outcome
    ).summary()
    failures += [write(summary), await close(publish)]
    if let failure = failures.compactMap(\.self).first { throw failure }
    return summary
  }

  // MARK: - Before the run

  /// A stop before the first frame leaves nothing to drain and nothing to report.
  private func checkNotStopped(_ stop: StopSignal) throws(EyrieFailure) {
    if stop.isRequested { throw EyrieFailure(.stopped, "stopped before the first frame") }
  }

  private func loadModel() async throws(EyrieFailure) -> ModelProof {
    do throws(ModelError) {
      return try await withBlockingThread(named: "model") { () throws(ModelError) in
        try ModelProof(options.model, expecting: .detect, by: backend)
      }
    } catch {
      throw EyrieFailure(.usage, "\(error)")
    }
  }

  private func open(_ decode: DecodeStage, stop: StopSignal) async throws(EyrieFailure) {
    do throws(MediaError) {
      try await decode.open(stop: stop)
    } catch {
      try checkNotStopped(stop)
      throw EyrieFailure(.run, "\(error)")
    }
  }

  private func open(_ publish: PublishStage, stop: StopSignal) async throws(EyrieFailure) -> String? {
    do throws(EventError) {
      return try await publish.open(endpoint: options.publish, jsonl: options.jsonl, stop: stop)
    } catch {
      throw EyrieFailure(
        error.code == .malformed || error.code == .unknownTransport ? .usage : .run, "\(error)")
    }
  }

  /// Compiles the model, and proves it: nothing is published of one that does not give what it should.
  private func compile(_ proof: ModelProof) async throws(EyrieFailure) -> InferenceSession {
    do throws(ModelError) {
      let session = try await backend.compile(proof.model, options.compileOptions)
      try await proof.check(session, by: backend, options: options.compileOptions)
      return session
    } catch {
      throw EyrieFailure(.usage, "\(error)")
    }
  }

  /// Gives subscribers that were there before the run the time to connect: ZeroMQ tries again every 0.1 to
  /// 0.2 s, and what is published before is lost to them.
  private func settle(
    _ publish: PublishStage, endpoint: String, boundAt: ContinuousClock.Instant, reporter: RunReporter
  ) async throws(EyrieFailure) {
    reporter.log("publishing on \(endpoint)")
    do throws(EventError) {
      if options.waitSubscribers > 0 {
        let count = options.waitSubscribers
        reporter.log("waiting for \(count) \(count == 1 ? "subscription" : "subscriptions")")
        _ = try await publish.waitForSubscriptions(options.waitSubscribers, timeout: nil)
      } else {
        let left = Self.settleTime - (ContinuousClock.now - boundAt)
        _ = try await publish.waitForSubscriptions(1, timeout: max(left, .zero))
      }
    } catch {
      throw EyrieFailure(.run, "\(error)")
    }
  }

  private func sourceID(of input: MediaInput) throws(EyrieFailure) -> SourceID {
    do throws(EventError) {
      return try SourceID(options.source ?? input.shortName)
    } catch {
      throw EyrieFailure(.usage, "\(error)")
    }
  }

  // MARK: - The graph

  private func build(
    _ decode: DecodeStage, session: InferenceSession, detector: DetectorSetup, publish: PublishStage,
    annotate: AnnotateStage?, input: MediaInput, reporter: RunReporter
  ) throws(EyrieFailure) -> StageGraph {
    // A queue of raw frames costs memory and, live, latency: it only evens out decoding.
    let overflow = options.overflow ?? (input.isLive ? .dropOldest : .suspend)
    let resize = ResizeStage(session: session)
    let modelName = session.model.name
    let detect = DetectStage(requests: session.requestCount, setup: detector) { note in
      reporter.log("model \(modelName): \(note)")
    }
    var definition = GraphDefinition()
    definition.add(
      "decode", source: decode, restart: options.reconnects(to: input) ? .restart(.live) : .failRun)
    definition.add("resize", transform: resize)
    definition.add("detect", transform: detect)
    definition.add("publish", sink: publish)
    definition.connect("decode", to: "resize", capacity: input.isLive ? 1 : 4, overflow: overflow)
    definition.connect("resize", to: "detect", capacity: session.requestCount, overflow: .suspend)
    definition.connect("detect", to: "publish", capacity: 8, overflow: .suspend)
    if let annotate {
      definition.add("annotate", sink: annotate)
      definition.connect("detect", to: "annotate", capacity: 2, overflow: .suspend)
    }
    do throws(GraphError) {
      return try StageGraph(definition)
    } catch {
      throw EyrieFailure(.usage, "\(error)")
    }
  }

  // MARK: - After the run

  /// One bad frame is an incident. When every frame was bad, the run has failed.
  private func uselessness(_ graph: StageGraph, _ outcome: GraphExecution.Outcome) -> EyrieFailure? {
    let snapshot = graph.snapshot()
    let failed = ["resize", "detect"].reduce(0) { $0 + (snapshot.node($1)?.failedTotal ?? 0) }
    guard failed > 0, snapshot.node("detect")?.emitted == 0 else { return nil }
    let reason = outcome.incidents.first.map { ": " + $0 } ?? ""
    return EyrieFailure(
      .run, "\(MediaInput(options.input)): not one of \(failed) frames could be processed\(reason)")
  }

  private func end(
    _ publish: PublishStage, graph: StageGraph, outcome: GraphExecution.Outcome
  ) async -> EyrieFailure? {
    do throws(StageFailure) {
      if let failure = outcome.failure {
        try await publish.end(.failed, message: failure.description)
      } else {
        try await publish.end(.ended, message: endMessage(graph, outcome))
      }
      return nil
    } catch {
      switch error {
      case .fatal(let underlying): return EyrieFailure(.run, "\(underlying)")
      case .item(_, let message): return EyrieFailure(.run, message)
      }
    }
  }

  private func endMessage(_ graph: StageGraph, _ outcome: GraphExecution.Outcome) -> String {
    if outcome.wasStopped { return "stopped" }
    let decoded = graph.snapshot().node("decode")?.received
    return decoded == options.maxFrames && decoded != nil
      ? "the limit of frames was reached" : "end of stream"
  }

  private func write(_ summary: RunSummary) -> EyrieFailure? {
    guard let path = options.summary else { return nil }
    do throws(EyrieFailure) {
      try JSONFile.write(summary, to: path, option: "--summary")
      return nil
    } catch {
      return error
    }
  }

  private func close(_ publish: PublishStage) async -> EyrieFailure? {
    do throws(EventError) {
      try await publish.close()
      return nil
    } catch {
      return EyrieFailure(.run, "\(error)")
    }
  }
}
