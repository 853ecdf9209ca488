import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieMedia

/// One round of a benchmark: the parts alone, then the whole.
struct BenchRound: Sendable {
  /// The first inferences touch memory for the first time, and clocks rise; in seconds.
  private static let warmUp = 0.5
  /// Decoding and scaling are quick: a second holds hundreds of frames.
  private static let longestPart = 1.0
  /// Fewer frames would say little of a decoder whose threads work ahead.
  private static let fewestFrames = 60

  let options: BenchOptions
  let plan: RunPlan
  /// Each file once.
  let inputs: [BenchInput]
  let detector: BenchDetector
  let cores: Double
  let backend: ModelBackend

  /// - Throws: `EyrieFailure`; of kind stopped when the round could not be completed.
  func measure(
    stop: StopSignal
  ) async throws(EyrieFailure) -> (round: BenchReport.Round, stages: [String: RunSummary.Stage]) {
    let loadAtStart = MachineLoad.current()
    var raw: [RawInferenceLoop.Result] = []
    for session in detector.sessions {
      let loop = RawInferenceLoop(session: session)
      _ = try await loop.run(for: .seconds(min(Self.warmUp, options.seconds)), stop: stop)
      raw.append(
        try await loop.run(for: .seconds(options.seconds / Double(detector.sessions.count)), stop: stop))
    }
    var costs: [BenchBound.Cost] = []
    for input in inputs {
      let own = raw[detector.session(width: input.width, height: input.height)]
      costs.append(
        BenchBound.Cost(
          inferenceMs: own.cpuMs, decodeMs: try await decode(input, fps: own.fps, stop: stop),
          scaleMs: try await scale(input, stop: stop)))
    }
    try checkNotStopped(stop)
    let summary = try await DetectionRun(options.pipeline, backend: backend).run(
      stop: StopSignal(linkedTo: stop), reporter: .silent)
    try checkNotStopped(stop)
    let others = loadAtStart.flatMap { start in MachineLoad.current()?.othersShare(since: start) }

    let frames = inputs.map { self.frames(of: $0, in: summary) }
    let cost = BenchBound.Cost.mean(Array(zip(costs, frames)))
    let rates = zip(inputs, frames).map { input, frames in
      (raw[detector.session(width: input.width, height: input.height)].fps, frames)
    }
    let bound = BenchBound(cost: cost, rawInferenceFPS: BenchBound.rate(rates), cores: cores)
    return (try Self.round(bound, summary, others: others, seconds: options.seconds), summary.stages)
  }

  private static func round(
    _ bound: BenchBound, _ summary: RunSummary, others: Double?, seconds: Double
  ) throws(EyrieFailure) -> BenchReport.Round {
    guard let fps = summary.fps.mean, summary.frames.published > 0, summary.wallS > 0 else {
      throw EyrieFailure(
        .run, "the pipeline finished \(summary.frames.published) frames in \(seconds) s: give more --seconds")
    }
    let cpuMs = summary.cpuS * 1_000 / Double(summary.frames.published)
    return BenchReport.Round(
      rawInferenceFps: bound.rawInferenceFPS, inferenceCpuMs: bound.cost.inferenceMs,
      decodeCpuMs: bound.cost.decodeMs, scaleCpuMs: bound.cost.scaleMs, boundFps: bound.fps,
      pipelineFps: fps, pipelineCpuMs: cpuMs,
      pipelineCpuCores: summary.cpuS / summary.wallS, ratio: fps / bound.fps,
      cpuRatio: bound.cost.sumMs / cpuMs,
      othersCpuShare: others)
  }

  /// How many frames of a file the pipeline finished, of all sources that play it.
  private func frames(of input: BenchInput, in summary: RunSummary) -> Int {
    plan.sources.filter { $0.input == input.input }
      .reduce(0) { $0 + (summary.sources[$1.id.value]?.published ?? 0) }
  }

  private func decode(_ input: BenchInput, fps: Double, stop: StopSignal) async throws(EyrieFailure) -> Double
  {
    let perSource = fps * options.seconds / Double(max(1, plan.sources.count))
    return try await input.decodeCpuMs(
      frames: max(Self.fewestFrames, Int(min(perSource, 1e6))), for: partDuration, stop: stop)
  }

  private func scale(_ input: BenchInput, stop: StopSignal) async throws(EyrieFailure) -> Double {
    let frames = try await input.firstFrames(stop: stop)
    return try await ScaleLoop(detector.resize()).cpuMs(
      frames, of: input.input, for: partDuration, stop: stop)
  }

  private var partDuration: Duration { .seconds(min(Self.longestPart, options.seconds)) }

  private func checkNotStopped(_ stop: StopSignal) throws(EyrieFailure) {
    if stop.isRequested { throw EyrieFailure.nothingMeasured }
  }
}
