/// What a run did, as written by `--summary FILE`. Keys are snake_case; times are in the unit their name ends in;
/// what is not known is `null`.
public struct RunSummary: Sendable, Codable, Equatable {
  /// Where the frames of the run went. With one detector `decoded == inferred + predicted + dropped` (all reasons)
  /// after a clean end. With several, a frame counts once for each that it goes to in all but `decoded`.
  public struct Frames: Sendable, Codable, Equatable {
    /// Frames that came out of the decoder.
    public var decoded = 0
    /// Frames that went through the model.
    public var inferred = 0
    /// Frames that a detector with `every` did not look at, where a tracker said where objects are.
    public var predicted = 0
    /// Frames whose event was handed to every sink.
    public var published = 0
    /// Frames that were not inferred: stage → reason → count.
    public var dropped: [String: [String: Int]] = [:]
    /// Frames that were inferred, but whose event was not made.
    public var droppedAfterInference: [String: [String: Int]] = [:]
  }

  /// Rates in frames a second.
  public struct Rates: Sendable, Codable, Equatable {
    /// From the first to the last event.
    @OrNull public var mean: Double?
    /// The rate that 95 % of the whole one-second windows reached.
    @OrNull public var p05: Double?
    /// The stream's own rate, where it states one; null for several streams together.
    @OrNull public var source: Double?
  }

  /// Milliseconds from the arrival of a frame's packet to its event.
  public struct Latency: Sendable, Codable, Equatable {
    /// The median.
    @OrNull public var p50: Double?
    /// What 95 % of the frames did not exceed.
    @OrNull public var p95: Double?
    /// What 99 % of the frames did not exceed.
    @OrNull public var p99: Double?
    /// The longest.
    @OrNull public var max: Double?
  }

  /// The work of one stage.
  public struct Stage: Sendable, Codable, Equatable {
    /// Time of one item in the stage, in milliseconds.
    public struct Service: Sendable, Codable, Equatable {
      /// The median.
      @OrNull public var p50: Double?
      /// What 95 % of the items did not exceed.
      @OrNull public var p95: Double?
    }
    /// The queue in front of the stage.
    public struct Queue: Sendable, Codable, Equatable {
      /// Its high-water mark; of several queues, the greatest.
      public var depthMax: Int
      /// How many items may wait; of several queues, in the largest.
      public var capacity: Int
    }
    /// Items the stage finished.
    public var processed: Int
    /// Items that failed in it.
    public var errors: Int
    /// Time of one item in the stage.
    public var serviceMs: Service
    /// Nil for a source.
    @OrNull public var queue: Queue?
  }

  /// One input.
  public struct Source: Sendable, Codable, Equatable {
    /// Frames that came out of its decoder.
    public var frames: Int
    /// Frames that were left out because of `every` or `max_fps`; not among `frames`.
    public var skipped: Int
    /// Frames that went through the model.
    public var inferred: Int
    /// Frames that a detector with `every` did not look at.
    public var predicted: Int
    /// Frames whose event was handed to every sink.
    public var published: Int
    /// Frames that were lost on the way: stage → reason → count.
    public var dropped: [String: [String: Int]]
    /// Rates of its frames.
    public var fps: Rates
    /// Stream time processed for each second of wall time.
    @OrNull public var realtimeRatio: Double?
    /// Latency of its frames.
    public var latencyMs: Latency
    /// Of the displayed picture, in pixels; null before the first frame.
    @OrNull public var width: Int?
    /// Of the displayed picture, in pixels; null before the first frame.
    @OrNull public var height: Int?
    /// The identities that trackers gave.
    public var tracks: Int
    /// How often a tracker began anew.
    public var trackResets: Int
    /// How often it came back after it had been lost.
    public var reconnects: Int
    /// How often it was lost or could not be opened.
    public var errors: Int
  }

  /// The objects that a classifier or an embedding model was to look at.
  public struct Crops: Sendable, Codable, Equatable {
    /// Objects in frames.
    public var seen: Int
    /// Crops that went through the model.
    public var classified: Int
    /// Objects that an earlier look at the same track answered.
    public var reused: Int
    /// Objects that were published without a result: reason → count.
    public var dropped: [String: Int]
    /// Inferences: each takes one or more crops.
    public var batches: Int
  }

  /// What was published.
  public struct Events: Sendable, Codable, Equatable {
    /// Events handed to the publisher and the events file; none without either.
    public var published = 0
    /// The same by `type`.
    public var byType: [String: Int] = [:]
    /// Events that a full queue of a slow subscriber lost.
    public var droppedAtHighWaterMark = 0
  }

  /// The model as it ran.
  public struct Model: Sendable, Codable, Equatable {
    /// As in events.
    public var name: String
    /// The arithmetic that was really used, for all that is not quantised.
    public var precision: String
    /// The number format of the weights: `float32`, `float16`, `mixed`, `int8`; null where nothing tells.
    @OrNull public var weights: String?
    /// In pixels.
    public var inputWidth: Int
    /// In pixels.
    public var inputHeight: Int
    /// Infer requests in use.
    public var requests: Int
  }

  /// Names this form of the summary.
  public var schema = "eyrie.summary/1"
  /// As in the events of the run.
  public var runId: String
  /// The models as they ran: one for each size of each detector, then one for each stage that looks at objects.
  public var models: [Model]
  /// Where the frames went.
  public var frames = Frames()
  /// All detections of all frames.
  public var detections = 0
  /// The same by label.
  public var detectionsByLabel: [String: Int] = [:]
  /// Candidate boxes that were given up, by reason.
  public var boxesDropped: [String: Int] = [:]
  /// What became of objects at each stage that looks at them.
  public var crops: [String: Crops] = [:]
  /// What was published.
  public var events = Events()
  /// From the start of the graph to its end, in seconds.
  public var wallS = 0.0
  /// User and system time of the run, in seconds of one core.
  public var cpuS = 0.0
  /// Sustained rates.
  public var fps = Rates()
  /// Stream time processed for each second of wall time; of several sources, the least.
  @OrNull public var realtimeRatio: Double?
  /// Latency of the frames.
  public var latencyMs = Latency()
  /// The stages by name.
  public var stages: [String: Stage] = [:]
  /// The greatest resident set size of the process, in MiB.
  public var rssPeakMb = 0.0
  /// The inputs by name.
  public var sources: [String: Source] = [:]
  /// Items in flight when the drain deadline had passed.
  public var leftBehind = 0
  /// One line for each kind of trouble that did not end the run.
  public var warnings: [String] = []
}
