/// What a soak run must keep to; nil for no limit.
struct SoakLimits: Sendable {
  let minRealtimeRatio: Double?
  /// As a fraction of the frames.
  let maxDropRate: Double?
  let maxLatencyP99Milliseconds: Double?
  /// In megabytes an hour.
  let maxMemorySlope: Double?

  private static let minRealtimeRatio = Field.number(
    "min_realtime_ratio", 0...1000, "The least ratio of processed time to wall time, for each source.")
  private static let maxDropRate = Field.number(
    "max_drop_rate", 0...1, "The most frames that may be dropped, as a fraction.")
  private static let maxLatencyP99 = Field.number(
    "max_latency_p99_ms", 0...3_600_000, "The most that the 99th percentile of the latency may be, in ms.")
  private static let maxMemorySlope = Field.number(
    "max_rss_slope_mb_per_h", 0...1_000_000, "How much resident memory may grow, in MB an hour.")

  static let table = FieldTable([minRealtimeRatio, maxDropRate, maxLatencyP99, maxMemorySlope])

  init(_ object: ObjectReader) {
    minRealtimeRatio = object(Self.minRealtimeRatio)
    maxDropRate = object(Self.maxDropRate)
    maxLatencyP99Milliseconds = object(Self.maxLatencyP99)
    maxMemorySlope = object(Self.maxMemorySlope)
  }
}
