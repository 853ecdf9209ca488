/// What the sequence number of an event says about those before it.
public enum SequenceObservation: Sendable, Equatable {
  /// The first event of its source and type that this tracker sees. Not a loss, even if its number is
  /// not 0: the subscriber came late.
  case first
  /// The one that follows.
  case next
  /// So many events are missing before this one.
  case gap(missed: UInt64)
  /// The number of the event before, again.
  case duplicate
  /// A number from before that; events of one topic never overtake one another on one connection.
  case outOfOrder
  /// The publisher was started anew.
  case restart
}

/// Finds lost, repeated and misplaced events, for each source and type of event.
///
/// The numbers may come from anyone, so nothing here overflows, and only `maximumTopics` are kept.
public struct SequenceTracker: Sendable {
  /// How many pairs of source and type are followed; events of further ones are only counted.
  public static let maximumTopics = 10_000
  /// How many runs of one source are remembered, so that two publishers with the same source name
  /// are two runs that interleave, not a restart at each event.
  private static let maximumRuns = 4

  private struct Run {
    let id: String
    var last: UInt64
  }

  private struct Key: Hashable {
    let type: EventType
    let source: SourceID
  }

  private var runs: [Key: [Run]] = [:]

  /// Events observed.
  public private(set) var received = 0
  /// Events missing in the gaps.
  public private(set) var missed: UInt64 = 0
  /// Events that came again or out of order.
  public private(set) var repeated = 0
  /// New runs of sources that were known before.
  public private(set) var restarts = 0

  /// A tracker that has seen nothing.
  public init() {}

  /// Takes note of an event that was received.
  public mutating func observe(_ event: Event) -> SequenceObservation {
    observe(event.type, from: event.source, runID: event.runID, sequence: event.sequence)
  }

  /// Takes note of an event by what identifies it.
  public mutating func observe(
    _ type: EventType, from source: SourceID, runID: String, sequence: UInt64
  ) -> SequenceObservation {
    received += 1
    let key = Key(type: type, source: source)
    guard var known = runs[key] else {
      if runs.count < Self.maximumTopics { runs[key] = [Run(id: runID, last: sequence)] }
      return .first
    }
    defer { runs[key] = known }
    guard let index = known.firstIndex(where: { $0.id == runID }) else {
      if known.count == Self.maximumRuns { known.removeFirst() }
      known.append(Run(id: runID, last: sequence))
      restarts += 1
      return .restart
    }
    let last = known[index].last
    guard sequence > last else {
      repeated += 1
      return sequence == last ? .duplicate : .outOfOrder
    }
    known[index].last = sequence
    let missing = sequence - last - 1
    guard missing > 0 else { return .next }
    let (sum, overflow) = missed.addingReportingOverflow(missing)
    missed = overflow ? .max : sum
    return .gap(missed: missing)
  }
}
