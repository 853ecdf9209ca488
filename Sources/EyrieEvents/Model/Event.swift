/// The schema that every event names. Fields may be added to it; a consumer ignores unknown ones.
public let eventSchema = "eyrie.event/1"

/// Anything that Eyrie publishes.
public enum Event: Sendable, Equatable {
  /// What was detected in one frame.
  case detections(DetectionsEvent)
  /// A change of the state of a source.
  case stream(StreamEvent)
  /// Counters and heartbeat.
  case stats(StatsEvent)

  /// The type, as in the JSON and at the head of the topic.
  public var type: EventType {
    switch self {
    case .detections: .detections
    case .stream: .stream
    case .stats: .stats
    }
  }

  /// The source.
  public var source: SourceID {
    switch self {
    case .detections(let event): event.source
    case .stream(let event): event.source
    case .stats(let event): event.source
    }
  }

  /// The run of the publisher.
  public var runID: String {
    switch self {
    case .detections(let event): event.runID
    case .stream(let event): event.runID
    case .stats(let event): event.runID
    }
  }

  /// The number of this event among those of its source and type.
  public var sequence: UInt64 {
    switch self {
    case .detections(let event): event.sequence
    case .stream(let event): event.sequence
    case .stats(let event): event.sequence
    }
  }

  /// The topic under which it is published: `<type>/<source>/`.
  public var topic: String { type.topic(for: source) }
}

/// Hands out sequence numbers at the publisher: from 0, without gaps, for each type and source.
///
/// One counter per topic, not per source: a subscriber to `detections/cam1/` alone sees consecutive
/// numbers, and so can tell what it lost from what it did not ask for.
public struct EventSequencer: Sendable {
  private var following: [EventType: [SourceID: UInt64]] = [:]

  /// A sequencer for one run.
  public init() {}

  /// The next number for events of a type from a source.
  public mutating func next(_ type: EventType, from source: SourceID) -> UInt64 {
    let number = following[type]?[source] ?? 0
    following[type, default: [:]][source] = number &+ 1
    return number
  }
}
