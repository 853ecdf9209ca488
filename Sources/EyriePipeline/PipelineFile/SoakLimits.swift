/// What a soak run must keep to; nil where the file sets no limit of its own: then `SoakDefaults` hold.
struct SoakLimits: Sendable {
  var minRealtimeRatio: Double?
  /// Of each source.
  var minFPS: Double?
  /// As a fraction of the frames.
  var maxDropRate: Double?
  var maxLatencyP99Milliseconds: Double?
  /// In megabytes an hour.
  var maxMemorySlope: Double?
  var maxDescriptorGrowth: Int?
  var maxThreadGrowth: Int?
  /// Of each source, as is the next.
  var maxReconnects: Int?
  var maxErrors: Int?
  /// In seconds.
  var maxRecovery: Double?

  private static let minRealtimeRatio = Field.number(
    "min_realtime_ratio", 0...1000,
    "The least ratio of processed time to wall time, for each source. Default: 0.98 for sources with a pace of "
      + "their own.")
  private static let minFPS = Field.number(
    "min_fps", 0...100_000, "The fewest frames a second on average, for each source.")
  private static let maxDropRate = Field.number(
    "max_drop_rate", 0...1, "The most frames of a source that may be dropped, as a fraction.")
  private static let maxLatencyP99 = Field.number(
    "max_latency_p99_ms", 0...3_600_000,
    "The most that the 99th percentile of the latency of a source may be, in ms.")
  private static let maxMemorySlope = Field.number(
    "max_rss_slope_mb_per_h", 0...1_000_000, "How much resident memory may grow, in MB an hour.")
  private static let maxDescriptorGrowth = Field.integer(
    "max_fd_growth", 0...1_000_000, "By how many open file descriptors the process may grow. Default: 2.")
  private static let maxThreadGrowth = Field.integer(
    "max_thread_growth", 0...1_000_000, "By how many threads the process may grow. Default: 2.")
  private static let maxReconnects = Field.integer(
    "max_reconnects", 0...1_000_000_000, "How often a source may come back after it was lost.")
  private static let maxErrors = Field.integer(
    "max_errors", 0...1_000_000_000, "How often a source may be lost, or fail to open.")
  private static let maxRecovery = Field.number(
    "max_recovery_s", 0...86_400,
    "How many seconds a source may take to give frames again after a fault of --chaos is over. Default: 10.")

  static let table = FieldTable([
    minRealtimeRatio, minFPS, maxDropRate, maxLatencyP99, maxMemorySlope, maxDescriptorGrowth,
    maxThreadGrowth,
    maxReconnects, maxErrors, maxRecovery,
  ])

  /// No limit but the defaults.
  init() {}

  init(_ object: ObjectReader) {
    minRealtimeRatio = object(Self.minRealtimeRatio)
    minFPS = object(Self.minFPS)
    maxDropRate = object(Self.maxDropRate)
    maxLatencyP99Milliseconds = object(Self.maxLatencyP99)
    maxMemorySlope = object(Self.maxMemorySlope)
    maxDescriptorGrowth = object(Self.maxDescriptorGrowth)
    maxThreadGrowth = object(Self.maxThreadGrowth)
    maxReconnects = object(Self.maxReconnects)
    maxErrors = object(Self.maxErrors)
    maxRecovery = object(Self.maxRecovery)
  }
}

/// What holds where a pipeline file sets no limit, so that no soak passes because nothing was asked.
enum SoakDefaults {
  /// For sources with a pace of their own.
  static let minRealtimeRatio = 0.98
  static let maxDescriptorGrowth = 2
  static let maxThreadGrowth = 2
  /// In seconds: three times the longest pause between two attempts at a live source.
  static let maxRecovery = 10.0
}
