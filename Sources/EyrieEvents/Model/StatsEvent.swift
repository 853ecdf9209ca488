/// The frames of a source that have passed each point so far in a run.
public struct FrameCounts: Sendable, Equatable, Codable {
  /// Frames that the decoder delivered.
  public var decoded: Int
  /// Frames that the model has seen.
  public var inferred: Int
  /// Frames whose detections event was handed to the sinks.
  public var published: Int

  /// Counts since the start of the run.
  public init(decoded: Int, inferred: Int, published: Int) {
    self.decoded = decoded
    self.inferred = inferred
    self.published = published
  }
}

/// How full a queue between two stages is.
public struct QueueDepth: Sendable, Equatable, Codable {
  /// What is in it now.
  public var depth: Int
  /// The most that it takes.
  public var capacity: Int

  /// A depth and the capacity, both in elements.
  public init(depth: Int, capacity: Int) {
    self.depth = depth
    self.capacity = capacity
  }
}

/// The counters of one source, published once a second.
///
/// It is the heartbeat too: a subscriber that joins late learns from it within a second that the
/// source lives and in which state it is, although the `stream/` event for that is long past.
public struct StatsEvent: Sendable, Equatable {
  /// Identifies the run of the publisher.
  public var runID: String
  /// The source that is counted.
  public var source: SourceID
  /// Counts the stats events of this source in this run, from 0, without gaps.
  public var sequence: UInt64
  /// When the counters were read, by the wall clock of this machine.
  public var capturedAt: WallTime
  /// The last state of the source, as `stream/` events report it; `nil` until there is one.
  public var state: StreamState?
  /// Seconds since the start of the run, monotonic.
  public var uptime: Double?
  /// Frames inferred per second over the last second or so; `nil` while there is no measurement.
  public var fps: Double?
  /// Frames since the start of the run.
  public var frames: FrameCounts
  /// What was dropped since the start of the run.
  public var dropped: DropCounts
  /// The queues between the stages, by name.
  public var queues: [String: QueueDepth]

  /// An event with all its members.
  public init(
    runID: String, source: SourceID, sequence: UInt64, capturedAt: WallTime, state: StreamState?,
    uptime: Double?, fps: Double?, frames: FrameCounts, dropped: DropCounts = DropCounts(),
    queues: [String: QueueDepth] = [:]
  ) {
    self.runID = runID
    self.source = source
    self.sequence = sequence
    self.capturedAt = capturedAt
    self.state = state
    self.uptime = uptime
    self.fps = fps
    self.frames = frames
    self.dropped = dropped
    self.queues = queues
  }
}

extension StatsEvent: Decodable {
  private enum CodingKeys: String, CodingKey {
    case runID = "run_id"
    case source, sequence
    case capturedAt = "captured_at"
    case state
    case uptime = "uptime_s"
    case fps, frames, dropped, queues
  }
}
