import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieMedia

/// Puts the counters of a finished run together.
struct SummaryBuilder {
  let graph: StageGraph
  let meter: RunMeter
  let outlets: RunOutlets
  let detectors: [RunningDetector]
  let objectStages: [RunningObjectStage]
  let outcome: GraphExecution.Outcome

  func summary() async -> RunSummary {
    let measured = meter.results
    let events = await outlets.counts
    let models =
      detectors.flatMap(\.sessions.history)
      + objectStages.compactMap(\.model?.session).map { RunSummary.Model($0) }
    var summary = RunSummary(runId: outlets.runID, models: models)
    for source in meter.sources {
      let counts = source.counts
      summary.frames.decoded += counts.decoded
      summary.frames.inferred += counts.inferred
      summary.frames.predicted += counts.predicted
      summary.frames.published += counts.published
      Self.add(counts.lost, to: &summary.frames.dropped)
      Self.add(counts.lostAfterInference, to: &summary.frames.droppedAfterInference)
      summary.sources[source.id.value] = summarize(source, counts)
    }
    summary.crops = crops()
    let sources = summary.sources.values
    summary.detections = measured.detections
    summary.detectionsByLabel = measured.detectionsByLabel
    summary.boxesDropped = measured.boxesDropped
    summary.events.published = events.byType.values.reduce(0, +)
    summary.events.byType = events.byType
    summary.events.droppedAtHighWaterMark = events.lost
    summary.wallS = outcome.wall / .seconds(1)
    summary.cpuS = outcome.cpuSeconds
    summary.fps = RunSummary.Rates(measured, source: sources.count == 1 ? sources.first?.fps.source : nil)
    summary.realtimeRatio = sources.compactMap(\.realtimeRatio).min()
    summary.latencyMs = RunSummary.Latency(measured.latency)
    summary.stages = stages()
    summary.rssPeakMb = ResidentMemory.peakMb()
    summary.leftBehind = outcome.leftBehind
    summary.warnings = warnings + outcome.incidents
    return summary
  }

  private func summarize(_ source: RunningSource, _ counts: RunningSource.Counts) -> RunSummary.Source {
    let measured = source.results
    var errors = counts.failures
    // The failure of a graph with a single source is one of its own.
    if case .failed? = source.verdict {
      errors += 1
    } else if outcome.failure != nil, meter.sources.count == 1 {
      errors += 1
    }
    return RunSummary.Source(
      frames: counts.decoded, skipped: counts.skipped, inferred: counts.inferred, predicted: counts.predicted,
      published: counts.published,
      dropped: counts.allLosses,
      fps: RunSummary.Rates(measured, source: counts.description?.video.frameRate),
      realtimeRatio: realtimeRatio(measured, decoded: counts.decoded, detectors: detectorCount(of: source)),
      latencyMs: RunSummary.Latency(measured.latency), width: measured.pictureSize?.width,
      height: measured.pictureSize?.height, tracks: counts.tracks, trackResets: counts.trackResets,
      reconnects: counts.reconnects, errors: errors)
  }

  private func crops() -> [String: RunSummary.Crops] {
    var crops: [String: RunSummary.Crops] = [:]
    for stage in objectStages {
      guard let batcher = stage.batcher else { continue }
      var sum = CropCounts()
      for source in meter.sources { sum.add(source.counts.crops[stage.plan.name] ?? CropCounts()) }
      let inferred = batcher.counts
      crops[stage.plan.name] = RunSummary.Crops(
        seen: sum.seen, classified: inferred.crops, reused: sum.reused, dropped: sum.dropped,
        batches: inferred.batches)
    }
    return crops
  }

  private var warnings: [String] {
    let sources = meter.sources
    return sources.flatMap { source in
      source.counts.warnings.map { sources.count == 1 ? $0 : "\(source.id): \($0)" }
    }
  }

  private static func add(_ losses: [String: [String: Int]], to sum: inout [String: [String: Int]]) {
    sum.merge(losses) { $0.merging($1, uniquingKeysWith: +) }
  }

  /// Stream time over wall time. The span between the first and the last frame lacks one frame's duration.
  /// Frames that were dropped do not count: their stream time was not processed.
  private func realtimeRatio(_ measured: ResultMeasurements, decoded: Int, detectors: Int) -> Double? {
    guard let time = measured.presentationTime, decoded > 1, detectors > 0, outcome.wall > .zero else {
      return nil
    }
    let span = Double(time.last &- time.first) / 1e9
    let share = Double(measured.frames) / Double(detectors) / Double(decoded - 1)
    return span * share / (outcome.wall / .seconds(1))
  }

  /// How many detectors look at each frame of a source.
  private func detectorCount(of source: RunningSource) -> Int {
    detectors.count { $0.plan.resizers.contains { $0.frames.contains { $0.from == source.id.value } } }
  }

  /// The stages by name; those that decode are one.
  private func stages() -> [String: RunSummary.Stage] {
    let snapshot = graph.snapshot()
    var stages: [String: RunSummary.Stage] = [:]
    for (kind, nodes) in Dictionary(grouping: snapshot.nodes, by: { RunGraph.kind(of: $0.name) }) {
      let names = Set(nodes.map(\.name))
      let queues = snapshot.edges.filter { names.contains($0.to) }
      var service = LatencyHistogram()
      for node in nodes { service.merge(node.service) }
      stages[kind] = RunSummary.Stage(
        processed: nodes.reduce(0) { $0 + $1.emitted + $1.consumed },
        errors: nodes.reduce(0) { $0 + $1.failedTotal },
        serviceMs: RunSummary.Stage.Service(
          p50: RunSummary.Latency.milliseconds(service, 0.5),
          p95: RunSummary.Latency.milliseconds(service, 0.95)),
        queue: queues.isEmpty
          ? nil
          : RunSummary.Stage.Queue(
            depthMax: queues.map(\.highWaterMark).max() ?? 0,
            capacity: queues.map(\.capacity).max() ?? 0))
    }
    return stages
  }
}

extension RunSummary.Model {
  init(_ session: InferenceSession) {
    self.init(
      name: session.model.name, precision: session.executedPrecision.rawValue,
      weights: session.model.precision?.rawValue,
      inputWidth: session.inputWidth, inputHeight: session.inputHeight, requests: session.requestCount)
  }
}

extension RunSummary.Rates {
  init(_ measured: ResultMeasurements, source: Double?) {
    self.init(mean: measured.rate.mean, p05: measured.rate.p05, source: source)
  }
}

extension RunSummary.Latency {
  init(_ histogram: LatencyHistogram) {
    self.init(
      p50: Self.milliseconds(histogram, 0.5), p95: Self.milliseconds(histogram, 0.95),
      p99: Self.milliseconds(histogram, 0.99),
      max: histogram.count > 0 ? Double(histogram.maximum) / 1e6 : nil)
  }

  static func milliseconds(_ histogram: LatencyHistogram, _ share: Double) -> Double? {
    histogram.percentile(share).map { $0 / 1e6 }
  }
}
