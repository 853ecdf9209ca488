import Foundation

/// Reads events back, as a subscriber needs it: the payload may come from anyone.
public struct EventDecoder: Sendable {
  /// A decoder without state.
  public init() {}

  /// Reads one event. Unknown fields are ignored.
  /// - Throws: `EventError` (`malformedEvent`) if the payload is no JSON, names another schema, or
  ///   lacks a field or has one of the wrong type; the message says which.
  public func decode(_ payload: [UInt8]) throws(EventError) -> Event {
    do {
      return try JSONDecoder().decode(AnyEvent.self, from: Data(payload)).event
    } catch let error as DecodingError {
      throw EventError(.malformedEvent, "the payload is no Eyrie event: \(Self.reason(error))")
    } catch {
      throw EventError(.malformedEvent, "the payload is no Eyrie event: \(error)")
    }
  }

  private static func reason(_ error: DecodingError) -> String {
    func place(_ context: DecodingError.Context, _ last: (any CodingKey)? = nil) -> String {
      let path = (context.codingPath + (last.map { [$0] } ?? []))
        .map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }
      return path.isEmpty ? "the document" : String(path.joined(separator: ".").prefix(120))
    }
    switch error {
    case .keyNotFound(let key, let context): return "\(place(context, key)) is missing"
    case .valueNotFound(_, let context): return "\(place(context)) is null"
    case .typeMismatch(_, let context): return "\(place(context)) has the wrong type"
    // Foundation says the same of a broken document and of a number that does not fit its field.
    case .dataCorrupted(let context) where context.codingPath.isEmpty:
      return "it is not valid JSON, or a number in it is out of range"
    case .dataCorrupted(let context): return "\(place(context)): \(context.debugDescription.prefix(160))"
    @unknown default: return "it cannot be read"
    }
  }
}

/// Reads the type first, then the event of that type.
private struct AnyEvent: Decodable {
  let event: Event

  private enum Key: String, CodingKey { case schema, type }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    let schema = try container.decode(String.self, forKey: .schema)
    guard schema == eventSchema else {
      throw DecodingError.dataCorruptedError(
        forKey: .schema, in: container, debugDescription: "it is \"\(schema)\", not \"\(eventSchema)\"")
    }
    event =
      switch try container.decode(EventType.self, forKey: .type) {
      case .detections: .detections(try DetectionsEvent(from: decoder))
      case .stream: .stream(try StreamEvent(from: decoder))
      case .stats: .stats(try StatsEvent(from: decoder))
      }
  }
}

extension SourceID: Codable {
  /// Reads the identifier from a JSON string.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    do {
      try self.init(text)
    } catch {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
    }
  }

  /// Writes the identifier as a JSON string.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(value)
  }
}

extension WallTime: Decodable {
  /// Reads the moment from a JSON string in RFC 3339.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let time = WallTime(text) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "\"\(text.prefix(40))\" is no RFC 3339 time")
    }
    self = time
  }
}

extension DropCounts: Decodable {
  /// Reads the counts from a JSON object of objects.
  public init(from decoder: any Decoder) throws {
    self.init(try decoder.singleValueContainer().decode([String: [String: Int]].self))
  }
}

extension DetailValue: Decodable {
  /// Reads a JSON string, number, boolean or null.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let flag = try? container.decode(Bool.self) {
      self = .flag(flag)
    } else if let integer = try? container.decode(Int.self) {
      self = .integer(integer)
    } else if let number = try? container.decode(Double.self) {
      self = .number(number)
    } else {
      self = .text(try container.decode(String.self))
    }
  }
}
