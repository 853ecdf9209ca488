import EyrieEvents
import EyrieMedia
import Foundation

/// Puts the report of a soak together.
struct SoakReportBuilder {
  let pipeline: String
  let session: SoakSession
  let result: SoakSession.Result
  let limits: SoakLimits

  func report() -> SoakReport {
    let recorded = result.recorded
    let judge = SoakJudge(
      limits: limits, recorded: recorded, warmUp: session.warmUp, duration: session.duration,
      isCutShort: result.isCutShort, chaos: result.chaos)
    var report = SoakReport(
      pipeline: pipeline, startedAt: Self.text(result.startedAt),
      machineCores: ProcessInfo.processInfo.activeProcessorCount, verdict: .pass,
      cutShort: result.isCutShort, failure: result.failure?.description, durationS: session.duration,
      ranS: recorded.time, warmUpS: session.warmUp, intervalS: session.interval, process: process(recorded))
    // A run that did not begin has nothing to be judged by.
    if recorded.view != nil { report.limits = judge.results() }
    for recorder in recorded.sources { report.sources[recorder.source.id.value] = source(recorder) }
    report.queues = recorded.process.queues.mapValues { SoakReport.Series($0) }
    report.chaos = result.chaos
    if result.failure != nil || !report.broken.isEmpty { report.verdict = .fail }
    return report
  }

  private static func text(_ date: Date) -> String {
    date.formatted(.iso8601)
  }

  private func source(_ recorder: SourceRecorder) -> SoakReport.Source {
    let source = recorder.source
    let counts = source.counts
    var end: String?
    switch source.verdict {
    case .ended(let message)?, .failed(let message)?: end = message
    case nil: break
    }
    return SoakReport.Source(
      input: source.input.description, hasOwnPace: source.hasOwnPace, judgedS: recorder.judged.seconds,
      fps: SoakReport.Rate(
        mean: recorder.windows.mean, p05: recorder.windows.p05,
        leastOfTenSeconds: recorder.windows.leastOfTenSeconds, source: counts.description?.video.frameRate),
      realtimeRatio: recorder.judged.realtimeRatio, latencyMs: RunSummary.Latency(recorder.latency),
      latencyPerMinute: recorder.minutes.spans.map(SoakReport.Minute.init), decoded: counts.decoded,
      inferred: counts.inferred, predicted: counts.predicted, published: counts.published,
      dropped: counts.allLosses, dropRate: recorder.judged.dropRate, reconnects: counts.reconnects,
      errors: counts.failures, end: end, fpsOverTime: SoakReport.Series(recorder.rate))
  }

  private func process(_ recorded: SoakRecorder.State) -> SoakReport.Process {
    let process = recorded.process
    return SoakReport.Process(
      rssMb: resource(process.resident), rssAnonymousMb: resource(process.anonymous),
      descriptors: resource(process.descriptors), threads: resource(process.threads),
      cpuCores: resource(process.cpu))
  }

  private func resource(_ series: SampleSeries) -> SoakReport.Resource {
    let warm = series.buckets(since: session.warmUp)
    let trend = series.trend(since: session.warmUp)
    return SoakReport.Resource(
      first: warm.first?.mean, last: warm.last?.mean, max: series.maximum, slopePerH: trend?.slope,
      slopeStandardErrorPerH: trend?.standardError, slopeMarginPerH: trend?.margin,
      levelGrowth: series.levelGrowth(since: session.warmUp)?.growth, overTime: SoakReport.Series(series))
  }
}

extension SoakReport.Series {
  init(_ series: SampleSeries) {
    func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
    points = series.buckets.map { bucket in
      [rounded(bucket.time), rounded(bucket.minimum), rounded(bucket.mean), rounded(bucket.maximum)]
    }
  }
}

extension SoakReport.Minute {
  fileprivate init(_ span: LatencyMinutes.Span) {
    self.init(
      atS: span.start, spanS: span.length, frames: span.frames,
      latencyMs: RunSummary.Latency(p50: span.p50, p95: span.p95, p99: span.p99, max: span.max))
  }
}
