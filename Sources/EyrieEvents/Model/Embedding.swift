import Foundation

/// A vector that says what a picture shows: pictures that are alike have vectors of a large scalar product.
public struct Embedding: Sendable, Equatable {
  /// How a vector is written in an event.
  public enum Encoding: String, Sendable, Hashable, CaseIterable {
    /// 16-bit floats (IEEE 754 binary16), little-endian, in base64 (RFC 4648 with padding).
    case base64
    /// An array of numbers.
    case array
  }

  /// The vector.
  public var values: [Float]
  /// How it is written.
  public var encoding: Encoding

  /// A vector, and how it is to be written.
  public init(_ values: [Float], encoding: Encoding = .base64) {
    self.values = values
    self.encoding = encoding
  }
}

extension Embedding: Decodable {
  /// Reads either way of writing a vector.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let values = try? container.decode([Float].self) {
      self.init(values, encoding: .array)
      return
    }
    guard let data = Data(base64Encoded: try container.decode(String.self)), data.count.isMultiple(of: 2)
    else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "no base64 of 16-bit floats")
    }
    let values = stride(from: data.startIndex, to: data.endIndex, by: 2).map { index in
      HalfFloat.value(of: UInt16(data[index]) | UInt16(data[index + 1]) << 8)
    }
    self.init(values, encoding: .base64)
  }
}
