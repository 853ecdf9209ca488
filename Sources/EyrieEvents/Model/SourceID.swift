import Foundation

/// The identifier of a source (a camera or a file), as given by the user.
///
/// It is kept in Unicode normalisation form C, so that equal identifiers are equal bytes in topics
/// whichever way they were typed.
public struct SourceID: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The longest identifier that is accepted, in UTF-8 bytes.
  public static let maximumLength = 255

  /// The identifier in normalisation form C; this is what `source` in the JSON holds.
  public let value: String

  /// The identifier as one component of a topic: `%`, `/` and control characters are written as
  /// `%XX` for each UTF-8 byte, everything else is itself.
  public let topicComponent: String

  /// Checks and normalises an identifier.
  /// - Throws: `EventError` (`malformed`) if it is empty or longer than `maximumLength` bytes.
  public init(_ text: String) throws(EventError) {
    let value = text.precomposedStringWithCanonicalMapping
    guard !value.isEmpty else {
      throw EventError(.malformed, "the source identifier is empty; give each source a name such as cam1")
    }
    guard value.utf8.count <= Self.maximumLength else {
      throw EventError(
        .malformed,
        "the source identifier \"\(value.prefix(24))…\" has \(value.utf8.count) bytes; "
          + "the most is \(Self.maximumLength)")
    }
    self.value = value
    self.topicComponent = Self.escaped(value)
  }

  /// The identifier.
  public var description: String { value }

  /// Orders identifiers by their text.
  public static func < (left: SourceID, right: SourceID) -> Bool { left.value < right.value }

  private static func escaped(_ value: String) -> String {
    var component = ""
    for scalar in value.unicodeScalars {
      switch scalar.value {
      case 0..<0x20, 0x7f...0x9f, 0x25, 0x2f:
        for byte in String(scalar).utf8 {
          component += byte < 16 ? "%0" : "%"
          component += String(byte, radix: 16, uppercase: true)
        }
      default: component.unicodeScalars.append(scalar)
      }
    }
    return component
  }
}

/// The types of event, each with a topic prefix of its own.
public enum EventType: String, Sendable, Hashable, CaseIterable, Codable {
  /// What was detected in one frame.
  case detections
  /// A change of the state of a source.
  case stream
  /// Counters, once a second; also the heartbeat by which a late joiner knows that a source lives.
  case stats

  /// The topic of this type of event from a source: `<type>/<source>/`.
  ///
  /// The closing slash is what keeps a subscription to `cam1` from matching `cam10`.
  public func topic(for source: SourceID) -> String {
    "\(rawValue)/\(source.topicComponent)/"
  }
}

/// What a subscriber wants to receive: everything, one type of event, or one type from one source.
public struct TopicFilter: Sendable, Hashable, CustomStringConvertible {
  /// The prefix that ZeroMQ compares topics with, byte by byte. Empty, or closed by a slash.
  public let prefix: String

  /// Everything that the publisher sends.
  public static let all = TopicFilter(prefix: "")

  /// All events of one type.
  public init(_ type: EventType) { prefix = "\(type.rawValue)/" }

  /// The events of one type from one source.
  public init(_ type: EventType, from source: SourceID) { prefix = type.topic(for: source) }

  private init(prefix: String) { self.prefix = prefix }

  /// Reads a filter as a user types it: nothing for everything, `detections`, or `detections/cam1`;
  /// the closing slash may be left out, and is always added.
  ///
  /// A source is written as in topics, so a slash in its identifier is `%2F`.
  /// - Throws: `EventError` (`malformed`) for a text that can match no event.
  public init(parsing text: String) throws(EventError) {
    guard !text.isEmpty else {
      self = .all
      return
    }
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let type = EventType(rawValue: String(parts[0])) else {
      let types = EventType.allCases.map { "\($0.rawValue)/" }.joined(separator: ", ")
      throw EventError(
        .malformed,
        "topic \"\(text)\" matches no event: topics begin with one of \(types), as in detections/cam1/")
    }
    var component = parts.count > 1 ? String(parts[1]) : ""
    if component.hasSuffix("/"), component != "/" { component.removeLast() }
    guard !component.contains("/") else {
      throw EventError(
        .malformed, "topic \"\(text)\" has too many parts; write a slash in a source identifier as %2F")
    }
    let normalised = component.precomposedStringWithCanonicalMapping
    prefix = component.isEmpty ? "\(type.rawValue)/" : "\(type.rawValue)/\(normalised)/"
  }

  /// The prefix, or `(all)`.
  public var description: String { prefix.isEmpty ? "(all)" : prefix }
}
