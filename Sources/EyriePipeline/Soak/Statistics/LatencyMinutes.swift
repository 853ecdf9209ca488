import EyrieGraph

/// Latency percentiles of one minute after the other. A soak of many hours gets longer spans: neighbours are then
/// put together, and a span has the worst percentiles of its minutes.
struct LatencyMinutes: Sendable {
  struct Span: Sendable, Equatable {
    /// Seconds since the run began.
    let start: Double
    /// In seconds.
    var length: Double
    var frames: Int
    /// In milliseconds, as are the others; nil without frames.
    var p50: Double?
    var p95: Double?
    var p99: Double?
    var max: Double?
  }

  private static let mostSpans = 480
  private static let minute = 60.0

  private var closed: [Span] = []
  private var current = LatencyHistogram()
  private var currentStart = 0.0
  private var currentEnd = 0.0

  /// Adds what was recorded in an interval.
  /// - Parameters:
  ///   - latency: of the frames of the interval alone.
  ///   - end: seconds since the run began.
  mutating func add(_ latency: LatencyHistogram, until end: Double) {
    if currentEnd - currentStart >= Self.minute - 0.01 { closeCurrent() }
    current.merge(latency)
    currentEnd = end
  }

  /// All spans, the last of which may be shorter.
  var spans: [Span] {
    closed + (currentEnd > currentStart ? [span(of: current)] : [])
  }

  private mutating func closeCurrent() {
    closed.append(span(of: current))
    current = LatencyHistogram()
    currentStart = currentEnd
    guard closed.count >= Self.mostSpans else { return }
    closed = stride(from: 0, to: closed.count - 1, by: 2).map { Self.joined(closed[$0], closed[$0 + 1]) }
  }

  private func span(of histogram: LatencyHistogram) -> Span {
    Span(
      start: currentStart, length: currentEnd - currentStart, frames: Int(clamping: histogram.count),
      p50: RunSummary.Latency.milliseconds(histogram, 0.5),
      p95: RunSummary.Latency.milliseconds(histogram, 0.95),
      p99: RunSummary.Latency.milliseconds(histogram, 0.99),
      max: histogram.count > 0 ? Double(histogram.maximum) / 1e6 : nil)
  }

  private static func joined(_ first: Span, _ second: Span) -> Span {
    func worst(_ a: Double?, _ b: Double?) -> Double? { [a, b].compactMap(\.self).max() }
    return Span(
      start: first.start, length: first.length + second.length, frames: first.frames + second.frames,
      p50: worst(first.p50, second.p50), p95: worst(first.p95, second.p95), p99: worst(first.p99, second.p99),
      max: worst(first.max, second.max))
  }
}
