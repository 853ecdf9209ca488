/// What a soak found, as written to `report.json`. Keys are snake_case; what is not known is `null`.
public struct SoakReport: Sendable, Codable, Equatable {
  /// What a soak comes to.
  public enum Verdict: String, Sendable, Codable {
    /// Nothing broke a limit.
    case pass
    /// A limit was broken, or the run failed.
    case fail
  }

  /// A quantity over time.
  public struct Series: Sendable, Codable, Equatable {
    /// One entry a bucket: seconds since the run began, then the least, the mean and the greatest sample.
    public var points: [[Double]]
  }

  /// Frames a second.
  public struct Rate: Sendable, Codable, Equatable {
    /// Over the time that is judged.
    @OrNull public var mean: Double?
    /// The rate that 95 % of the intervals between samples reached.
    @OrNull public var p05: Double?
    /// The least rate of any ten seconds in a row.
    @OrNull public var leastOfTenSeconds: Double?
    /// The stream's own rate, where it states one.
    @OrNull public var source: Double?
  }

  /// Latency in one span of time, in milliseconds.
  public struct Minute: Sendable, Codable, Equatable {
    /// Seconds since the run began.
    public var atS: Double
    /// In seconds: 60, unless the soak ended, or is so long that minutes were put together.
    public var spanS: Double
    /// Frames published.
    public var frames: Int
    /// Of those frames.
    public var latencyMs: RunSummary.Latency
  }

  /// One source.
  public struct Source: Sendable, Codable, Equatable {
    /// The input, without credentials.
    public var input: String
    /// Whether frames come at a pace of their own: a live source, or a file that is paced.
    public var hasOwnPace: Bool
    /// Seconds that are judged.
    public var judgedS: Double
    /// Frames published a second.
    public var fps: Rate
    /// Stream time processed for each second of wall time.
    @OrNull public var realtimeRatio: Double?
    /// Of the frames that are judged.
    public var latencyMs: RunSummary.Latency
    /// The whole run.
    public var latencyPerMinute: [Minute]
    /// Frames that came out of the decoder.
    public var decoded: Int
    /// Frames that went through the model.
    public var inferred: Int
    /// Frames that a detector did not look at, since it looks at each Nth only.
    public var predicted: Int
    /// Frames whose event was handed to every sink.
    public var published: Int
    /// Frames that were lost on the way: stage → reason → count.
    public var dropped: [String: [String: Int]]
    /// Of the frames that are judged, the share that was dropped.
    @OrNull public var dropRate: Double?
    /// How often it came back after it had been lost.
    public var reconnects: Int
    /// How often it was lost or could not be opened.
    public var errors: Int
    /// Why it ended, if it did.
    @OrNull public var end: String?
    /// Frames published a second over time.
    public var fpsOverTime: Series
  }

  /// Something that the process holds.
  public struct Resource: Sendable, Codable, Equatable {
    /// The first and the last sample after the warm-up.
    @OrNull public var first: Double?
    /// The last sample.
    @OrNull public var last: Double?
    /// The greatest sample of all.
    @OrNull public var max: Double?
    /// By least squares after the warm-up; null where that is too short.
    @OrNull public var slopePerH: Double?
    /// Of the slope, widened by the autocorrelation of the samples.
    @OrNull public var slopeStandardErrorPerH: Double?
    /// The slope lies so far from `slope_per_h` at most, with 95 % confidence.
    @OrNull public var slopeMarginPerH: Double?
    /// The median of the last third after the warm-up less that of the first third, in whole units.
    @OrNull public var levelGrowth: Double?
    /// All samples.
    public var overTime: Series
  }

  /// The process.
  public struct Process: Sendable, Codable, Equatable {
    /// Resident memory, in MiB.
    public var rssMb: Resource
    /// The private part of it, in MiB: heaps, tensors, frames, stacks.
    public var rssAnonymousMb: Resource
    /// Open file descriptors.
    public var descriptors: Resource
    /// Threads.
    public var threads: Resource
    /// CPU seconds for each second.
    public var cpuCores: Resource
  }

  /// Names this form of the report.
  public var schema = "eyrie.soak/1"
  /// The pipeline file.
  public var pipeline: String
  /// When the soak began, by the wall clock.
  public var startedAt: String
  /// Cores of the machine.
  public var machineCores: Int
  /// Whether it passed.
  public var verdict: Verdict
  /// Whether a signal ended it before its time.
  public var cutShort: Bool
  /// Why the run failed, if it did.
  @OrNull public var failure: String?
  /// How long it was to run, in seconds.
  public var durationS: Double
  /// How long it ran, in seconds.
  public var ranS: Double
  /// From so many seconds on it was judged.
  public var warmUpS: Double
  /// Seconds between two samples.
  public var intervalS: Double
  /// Every limit with what was measured; those of sources once for each.
  public var limits: [LimitResult] = []
  /// By name.
  public var sources: [String: Source] = [:]
  /// What the process used.
  public var process: Process
  /// How many items waited in front of each stage, over time.
  public var queues: [String: Series] = [:]
  /// What was done to the pipeline; null without `--chaos`.
  @OrNull public var chaos: ChaosReport?
  /// How many streams hold; null without `--streams find`.
  @OrNull public var streams: StreamsReport?

  /// The limits that were broken.
  public var broken: [LimitResult] { limits.filter { $0.verdict == .broken } }
}

/// One limit, and what was measured.
public struct LimitResult: Sendable, Codable, Equatable {
  /// What comparing came to.
  public enum Verdict: String, Sendable, Codable {
    /// It was kept.
    case held
    /// It was not.
    case broken
    /// It was not broken, and cannot be said to have been kept: the soak was too short for that.
    case unsure
  }

  /// As in the pipeline file, or what always holds.
  public var name: String
  /// The source that it was measured on; null for the process.
  @OrNull public var source: String?
  /// Whether `limit` is the least value or the greatest.
  public var isLeast: Bool
  /// What was asked.
  public var limit: Double
  /// Whether the pipeline file says so.
  public var isDefault: Bool
  /// null where nothing could be measured.
  @OrNull public var measured: Double?
  /// The true value lies so far from `measured` at most, with 95 % confidence.
  @OrNull public var margin: Double?
  /// The unit of both.
  public var unit: String
  /// Whether it was kept.
  public var verdict: Verdict
  /// What else there is to say.
  @OrNull public var note: String?
}
