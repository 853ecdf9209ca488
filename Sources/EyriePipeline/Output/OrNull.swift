/// An optional that is written as `null`, where synthesised code would leave the key out: who reads the JSON
/// finds every key.
@propertyWrapper
public struct OrNull<Value: Sendable & Codable & Equatable>: Sendable, Codable, Equatable {
  /// The value, if it is known.
  public var wrappedValue: Value?

  /// Holds a value, or none.
  public init(wrappedValue: Value?) {
    self.wrappedValue = wrappedValue
  }

  /// Reads a value or `null`.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    wrappedValue = container.decodeNil() ? nil : try container.decode(Value.self)
  }

  /// Writes the value or `null`.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if let wrappedValue { try container.encode(wrappedValue) } else { try container.encodeNil() }
  }
}
