public import EyrieGraph
import EyrieInference
import EyrieMedia
import Foundation

/// Measures how near the whole pipeline comes to what the machine could do, and what limits it.
///
/// Everything is measured once in each round, in turns, so that what else the machine does, and how warm it is, weighs
/// on all alike. Only ratios mean something. `BenchBound` says what the bound is and what it leaves out.
public struct BenchRun: Sendable {
  private let options: BenchOptions
  private let backend: ModelBackend

  /// - Throws: `EyrieFailure` of kind usage that names the option that is wrong.
  public init(_ options: BenchOptions) throws(EyrieFailure) {
    try self.init(options, backend: .system)
  }

  init(_ options: BenchOptions, backend: ModelBackend) throws(EyrieFailure) {
    try options.validate()
    self.options = options
    self.backend = backend
  }

  /// Runs all rounds.
  /// - Parameters:
  ///   - stop: ends it from any thread; the rounds that are complete are reported.
  ///   - log: takes a line after each round.
  /// - Throws: `EyrieFailure`: a wrong option, input or model, or a stop before the first round was complete.
  public func run(stop: StopSignal, log: @Sendable (String) -> Void) async throws(EyrieFailure) -> BenchReport
  {
    let atStart = ResidentMemory.current()
    let plan = try RunPlan(options.pipeline)
    guard let detectorPlan = plan.detectors.first else { throw EyrieFailure(.usage, "there is no detector") }
    // Whatever is wrong is to be said before the first measurement.
    let loaded = try await LoadedDetector(detectorPlan, by: backend)
    let inputs = try await open(plan.sources, stop: stop)
    let detector = try await BenchDetector(loaded, for: inputs, by: backend)
    let child = try options.scaling || options.peer != nil ? ChildRun(executable: options.executable) : nil
    let folder = try options.peer == nil ? nil : TemporaryFolder()
    defer { folder?.remove() }
    let peer = try await peer(loaded, detector, folder, stop: stop)

    var report = BenchReport(
      inputs: inputs.map { $0.described(sources: plan.sources) }, sources: plan.sources.count,
      models: detector.sessions.map { RunSummary.Model($0) },
      device: detector.sessions.first?.deviceName ?? "", cpuCores: CPUAllowance.current().cores,
      memory: BenchReport.Memory(
        start: atStart, compiled: .current(), pipeline: ResidentMemory(), peakMb: 0))
    let bench = BenchRound(
      options: options, plan: plan, inputs: inputs, detector: detector, cores: report.cpuCores,
      backend: backend)
    var stages: [[String: RunSummary.Stage]] = []
    var scaling: [[ScalingReport.Sample]] = []
    var comparisons: [(eyrie: PeerReport.Sample, peer: PeerReport.Sample)] = []
    for number in 1...options.rounds {
      do throws(EyrieFailure) {
        let measured = try await bench.measure(stop: stop)
        let memory = ResidentMemory.current()
        let comparison = try await compare(child, peer, stop: stop)
        let steps = options.scaling ? try await scale(child, stop: stop) : []
        if stop.isRequested { break }
        report.rounds.append(measured.round)
        report.memory.pipeline = memory
        report.memory.peakMb = memory.peakMb
        stages.append(measured.stages)
        if let comparison { comparisons.append(comparison) }
        if options.scaling { scaling.append(steps) }
        log("round \(number): \(BenchTable.line(measured.round))")
      } catch {
        if error.kind == .stopped || stop.isRequested { break }
        throw error
      }
    }
    guard !report.rounds.isEmpty else { throw EyrieFailure.nothingMeasured }
    if options.scaling { report.scaling = ScalingReport(rounds: scaling) }
    if let peer {
      report.against = PeerReport(
        name: BenchOptions.Peer.ultralytics.rawValue, versions: peer.versions, model: peer.modelName,
        rounds: comparisons)
    }
    report.summarize(stages: stages)
    return report
  }

  /// Each file once, however many sources play it.
  private func open(_ sources: [SourcePlan], stop: StopSignal) async throws(EyrieFailure) -> [BenchInput] {
    var inputs: [BenchInput] = []
    for source in sources where !inputs.contains(where: { $0.input == source.input }) {
      inputs.append(try await BenchInput(source.input, source.reading, stop: stop))
    }
    return inputs
  }

  private func peer(
    _ loaded: LoadedDetector, _ detector: BenchDetector, _ folder: TemporaryFolder?, stop: StopSignal
  ) async throws(EyrieFailure) -> UltralyticsPeer? {
    guard options.peer == .ultralytics, let folder else { return nil }
    let size = detector.sessions.map { max($0.inputWidth, $0.inputHeight) }.max() ?? 0
    return try await UltralyticsPeer(
      options, detector: loaded, inputSize: size, folder: folder.url, stop: stop)
  }

  private func compare(
    _ child: ChildRun?, _ peer: UltralyticsPeer?, stop: StopSignal
  ) async throws(EyrieFailure) -> (eyrie: PeerReport.Sample, peer: PeerReport.Sample)? {
    guard let child, let peer, let input = options.run.inputs.first else { return nil }
    let own = try await child.run(options.pipeline, stop: stop)
    let sample = PeerReport.Sample(
      fps: own.fps, peakMb: own.peakMb, detectionsPerFrame: own.detectionsPerFrame)
    return (sample, try await peer.measure(input, stop: stop))
  }

  private func scale(_ child: ChildRun?, stop: StopSignal) async throws(EyrieFailure) -> [ScalingReport
    .Sample]
  {
    guard let child, let input = options.run.inputs.first else { return [] }
    var samples: [ScalingReport.Sample] = []
    for count in ScalingReport.counts {
      var run = options.pipeline
      run.inputs = (0..<count).map { options.run.inputs[$0 % options.run.inputs.count] }
      let result = try await child.run(run, stop: stop)
      guard result.cpuMsPerFrame > 0 else {
        throw EyrieFailure(.run, "\(MediaInput(input)): \(count) sources gave no frame; give more --seconds")
      }
      samples.append(
        ScalingReport.Sample(
          fps: result.fps, cpuMs: result.cpuMsPerFrame, residentMb: result.memory.steadyMb,
          peakMb: result.peakMb))
    }
    return samples
  }
}

extension BenchInput {
  fileprivate func described(sources: [SourcePlan]) -> BenchReport.Input {
    BenchReport.Input(
      name: input.description, codec: codec, width: width, height: height,
      sources: sources.count { $0.input == input })
  }
}
