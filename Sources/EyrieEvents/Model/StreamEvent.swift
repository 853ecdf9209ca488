/// What a source is doing, as `stream/` events report it.
public enum StreamState: String, Sendable, Hashable, CaseIterable, Codable {
  /// The source is open and delivers frames.
  case connected
  /// The source was lost; it is being opened again.
  case reconnecting
  /// The size, codec or pixel format changed in mid-stream; frames go on.
  case formatChanged = "format_changed"
  /// Frames go on, but the picture has not changed for a while: the camera may hang.
  case frozen
  /// The source came to its end.
  case ended
  /// The source failed and will not be tried again.
  case failed
}

/// A value in the details of a stream event.
public enum DetailValue: Sendable, Equatable {
  /// A text.
  case text(String)
  /// A whole number.
  case integer(Int)
  /// A number; one that is not finite is written as null.
  case number(Double)
  /// True or false.
  case flag(Bool)
  /// Nothing known.
  case null
}

/// A change of the state of one source.
public struct StreamEvent: Sendable, Equatable {
  /// Identifies the run of the publisher.
  public var runID: String
  /// The source that changed.
  public var source: SourceID
  /// Counts the stream events of this source in this run, from 0, without gaps.
  public var sequence: UInt64
  /// When it happened, by the wall clock of this machine.
  public var capturedAt: WallTime
  /// The state that it is in now.
  public var state: StreamState
  /// One line for a person. The caller keeps credentials out of it.
  public var message: String
  /// Facts for a program, such as `width`, `height`, `codec`, `attempt`.
  public var details: [String: DetailValue]

  /// An event with all its members.
  public init(
    runID: String, source: SourceID, sequence: UInt64, capturedAt: WallTime, state: StreamState,
    message: String, details: [String: DetailValue] = [:]
  ) {
    self.runID = runID
    self.source = source
    self.sequence = sequence
    self.capturedAt = capturedAt
    self.state = state
    self.message = message
    self.details = details
  }
}

extension StreamEvent: Decodable {
  private enum CodingKeys: String, CodingKey {
    case runID = "run_id"
    case source, sequence
    case capturedAt = "captured_at"
    case state, message, details
  }
}
