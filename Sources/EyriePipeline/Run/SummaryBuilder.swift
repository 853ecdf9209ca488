import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieMedia

/// Puts the counters of a finished run together.
struct SummaryBuilder {
  let graph: StageGraph
  let publish: PublishStage
  let decode: DecodeStage
  let session: InferenceSession
  let outcome: GraphExecution.Outcome

  func summary() async -> RunSummary {
    let snapshot = graph.snapshot()
    let measured = await publish.measurements
    var summary = RunSummary(
      runId: publish.settings.runID,
      model: RunSummary.Model(
        name: session.model.name, precision: session.executedPrecision.rawValue,
        inputWidth: session.inputWidth, inputHeight: session.inputHeight, requests: session.requestCount))
    summary.frames.decoded = snapshot.node("decode")?.received ?? 0
    summary.frames.inferred = snapshot.node("detect")?.emitted ?? 0
    summary.frames.published = snapshot.node("publish")?.consumed ?? 0
    let losses = graph.losses()
    summary.frames.dropped = losses.filter { ["decode", "resize", "detect"].contains($0.key) }
    summary.frames.droppedAfterInference = losses.filter { $0.key == "publish" }
    summary.detections = measured.detections
    summary.detectionsByLabel = measured.detectionsByLabel
    summary.boxesDropped = measured.boxesDropped
    summary.events.published = measured.eventsByType.values.reduce(0, +)
    summary.events.byType = measured.eventsByType
    summary.events.droppedAtHighWaterMark = measured.eventsLost
    summary.wallS = outcome.wall / .seconds(1)
    summary.cpuS = outcome.cpuSeconds
    summary.fps = RunSummary.Rates(
      mean: measured.rate.mean, p05: measured.rate.p05, source: await decode.description?.video.frameRate)
    summary.realtimeRatio = realtimeRatio(measured, decoded: summary.frames.decoded)
    summary.latencyMs = RunSummary.Latency(
      p50: milliseconds(measured.latency, 0.5), p95: milliseconds(measured.latency, 0.95),
      p99: milliseconds(measured.latency, 0.99),
      max: measured.latency.count > 0 ? Double(measured.latency.maximum) / 1e6 : nil)
    summary.stages = stages(snapshot)
    summary.rssPeakMb = ResourceUsage.current().peakResidentMiB
    summary.sources = [
      publish.settings.source.value: RunSummary.Source(
        frames: summary.frames.decoded, width: measured.pictureSize?.width,
        height: measured.pictureSize?.height,
        reconnects: await decode.reconnects,
        errors: await decode.failures + (outcome.failure == nil ? 0 : 1))
    ]
    summary.leftBehind = outcome.leftBehind
    summary.warnings = await decode.warnings + outcome.incidents
    return summary
  }

  /// Stream time over wall time. The span between the first and the last frame lacks one frame's duration.
  /// Frames that were dropped do not count: their stream time was not processed.
  private func realtimeRatio(_ measured: PublishStage.Measurements, decoded: Int) -> Double? {
    guard let time = measured.presentationTime, decoded > 1, outcome.wall > .zero else { return nil }
    let span = Double(time.last &- time.first) / 1e9
    return span * Double(measured.frames) / Double(decoded - 1) / (outcome.wall / .seconds(1))
  }

  private func stages(_ snapshot: GraphSnapshot) -> [String: RunSummary.Stage] {
    var stages: [String: RunSummary.Stage] = [:]
    for node in snapshot.nodes {
      let edge = snapshot.edges.first { $0.to == node.name }
      stages[node.name] = RunSummary.Stage(
        processed: node.emitted + node.consumed, errors: node.failedTotal,
        serviceMs: RunSummary.Stage.Service(
          p50: milliseconds(node.service, 0.5), p95: milliseconds(node.service, 0.95)),
        queue: edge.map { RunSummary.Stage.Queue(depthMax: $0.highWaterMark, capacity: $0.capacity) })
    }
    return stages
  }

  private func milliseconds(_ histogram: LatencyHistogram, _ share: Double) -> Double? {
    histogram.percentile(share).map { $0 / 1e6 }
  }
}
