import EyrieEvents
public import EyrieGraph
import EyrieInference
import EyrieMedia
import Foundation

/// One run of `eyrie run`: any number of videos through one or more detectors to the subscribers.
///
///     decode/cam1 ↘                                                              publish
///     decode/cam2 → resize → detect → (track →) (crop/classify → classify →)
///     decode/cam3 ↗                                                              annotate (where asked for)
///
/// Sources share a detector: it serves them in turn, so that a dead, slow or large one costs the others no more
/// than its share.
public struct DetectionRun: Sendable {
  private let plan: RunPlan
  private let backend: ModelBackend

  /// - Parameter plan: what to do.
  public init(_ plan: RunPlan) {
    self.init(plan, backend: .system)
  }

  init(_ plan: RunPlan, backend: ModelBackend) {
    self.plan = plan
    self.backend = backend
  }

  /// Runs until all inputs have ended, the time is up, or the stop is requested.
  /// - Parameters:
  ///   - stop: ends the inputs early; what is in flight is still delivered.
  ///   - reporter: where log lines and progress go.
  /// - Returns: what was done. It has also been written where the plan asks for it.
  /// - Throws: `EyrieFailure`, one line. The summary file is written even then, if the run had begun.
  public func run(stop: StopSignal, reporter: RunReporter) async throws(EyrieFailure) -> RunSummary {
    try await run(stop: stop, reporter: reporter, observer: nil)
  }

  /// The same, and lets someone watch.
  func run(
    stop: StopSignal, reporter: RunReporter, observer: RunObserver?
  ) async throws(EyrieFailure) -> RunSummary {
    try RunPlan.checkDuration(plan.duration)
    let outputs = OutputPaths(plan)
    try outputs.check(inputs: plan.sources.map(\.input.argument))
    // The cheap and likely mistakes come first: the models' files, the inputs, the endpoints.
    var loading: [LoadedDetector] = []
    for detector in plan.detectors {
      let loaded = try await LoadedDetector(detector, by: backend)
      try outputs.check(model: loaded.proof.model)
      loading.append(loaded)
    }
    var loadingStages: [LoadedObjectStage] = []
    for stage in plan.objectStages {
      let loaded = try await LoadedObjectStage(stage, by: backend)
      if let model = loaded.model {
        try outputs.check(model: model.proof.model)
        let behind = plan.detectors(behind: [stage.name])
        try model.checkLabels(of: loading.filter { behind.contains($0.plan.name) })
      }
      loadingStages.append(loaded)
    }
    let decoders = plan.sources.map { DecodeStage($0, log: reporter.log) }
    try await open(decoders, stop: stop)
    let meter = RunMeter(decoders.map(\.source))
    let outlets = RunOutlets(plan, runID: UUID().uuidString.lowercased(), meter: meter)
    let endpoints = try await outlets.open(stop: stop)
    let boundAt = ContinuousClock.now
    var detectors: [RunningDetector] = []
    for loaded in loading {
      detectors.append(
        try await loaded.compile(
          by: backend, for: pictureSizes(for: loaded.plan, from: decoders), log: reporter.log))
      try checkNotStopped(stop)
    }
    let incidents = IncidentLog(reporter)
    var objectStages: [RunningObjectStage] = []
    for loaded in loadingStages {
      objectStages.append(try await loaded.compile(by: backend, incidents: incidents))
      try checkNotStopped(stop)
    }
    for model in detectors.map(\.sessions.model) + objectStages.compactMap(\.model?.session.model) {
      for note in model.notes { reporter.log("model \(model.name): \(note)") }
    }
    if !endpoints.isEmpty {
      try await outlets.settle(endpoints, boundAt: boundAt, log: reporter.log)
      try checkNotStopped(stop)
    }

    let graph = try RunGraph(
      sources: decoders, plans: plan.sources, detectors: detectors, objectStages: objectStages,
      outlets: outlets,
      log: reporter.log
    ).build()
    for decode in decoders {
      let source = decode.source.id
      await decode.onChange { await outlets.report($0, of: source) }
    }
    let view = RunView(graph: graph, meter: meter, outlets: outlets, endpoints: endpoints)
    let execution = GraphExecution(
      graph: graph, meter: meter, outlets: outlets, batchers: objectStages.compactMap(\.batcher),
      sessions: detectors.map(\.sessions), plan: plan, reporter: reporter, incidents: incidents,
      observer: { await observer?(view) })
    let outcome = await execution.run(stop: stop)

    // The last event counts too. Subscribers that are slow to take it do not hold up the summary.
    var failures = [
      outcome.failure ?? failure(of: meter.sources, outcome), await outlets.end(meter.sources, outcome),
    ]
    let summary = await SummaryBuilder(
      graph: graph, meter: meter, outlets: outlets, detectors: detectors, objectStages: objectStages,
      outcome: outcome
    ).summary()
    failures += [write(summary), await outlets.close()]
    if let failure = failures.compactMap(\.self).first { throw failure }
    return summary
  }

  // MARK: - Before the run

  /// A stop before the first frame leaves nothing to drain and nothing to report.
  private func checkNotStopped(_ stop: StopSignal) throws(EyrieFailure) {
    if stop.isRequested { throw EyrieFailure(.stopped, "stopped before the first frame") }
  }

  /// Opens what is opened before the run, side by side: an address may take seconds.
  private func open(_ decoders: [DecodeStage], stop: StopSignal) async throws(EyrieFailure) {
    let failures = await withTaskGroup(of: (index: Int, error: MediaError?).self) { group in
      for (index, decode) in decoders.enumerated() {
        group.addTask {
          do throws(MediaError) {
            try await decode.open(stop: stop)
            return (index, nil)
          } catch {
            return (index, error)
          }
        }
      }
      return await group.reduce(into: [Int: MediaError]()) { $0[$1.index] = $1.error }
    }
    try checkNotStopped(stop)
    if let first = failures.min(by: { $0.key < $1.key }) { throw EyrieFailure(.run, "\(first.value)") }
  }

  /// The displayed size of each source of a detector; nil for one that is opened by the run.
  private func pictureSizes(for detector: DetectorPlan, from decoders: [DecodeStage]) -> [PixelSize?] {
    let names = Set(detector.resizers.flatMap(\.frames).map(\.from))
    return decoders.filter { names.contains($0.source.id.value) }.map { decoder in
      guard let video = decoder.source.counts.description?.video, let width = video.width,
        let height = video.height
      else { return nil }
      return PixelSize(width: width, height: height)
    }
  }

  // MARK: - After the run

  /// What makes a run a failure although its graph came to its end.
  private func failure(of sources: [RunningSource], _ outcome: GraphExecution.Outcome) -> EyrieFailure? {
    let failures = sources.compactMap { source -> String? in
      if case .failed(let message)? = source.verdict { message } else { nil }
    }
    if let first = failures.first {
      let reason = outcome.incidents.first.map { ": " + $0 } ?? ""
      return sources.count == 1
        ? EyrieFailure(.run, first + reason)
        : EyrieFailure(.run, "\(failures.count) of \(sources.count) sources failed: \(first)")
    }
    if outcome.hadNothing(of: sources) {
      return sources.lazy.compactMap(\.counts.lastFailure).first.map { EyrieFailure(.run, $0) }
    }
    return nil
  }

  private func write(_ summary: RunSummary) -> EyrieFailure? {
    guard let path = plan.summary else { return nil }
    do throws(EyrieFailure) {
      try JSONFile.write(summary, to: path, option: "--summary")
      return nil
    } catch {
      return error
    }
  }
}

extension DetectionRun {
  /// A run by the options of a command.
  /// - Throws: `EyrieFailure` of kind usage that names the option that is wrong.
  public init(_ options: RunOptions) throws(EyrieFailure) {
    self.init(try RunPlan(options))
  }

  init(_ options: RunOptions, backend: ModelBackend) throws(EyrieFailure) {
    self.init(try RunPlan(options), backend: backend)
  }
}
