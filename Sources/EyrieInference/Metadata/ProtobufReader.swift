/// Steps through one protobuf message in memory, field by field, and never outside it.
struct ProtobufReader {
  /// Why bytes are no protobuf message.
  struct Damage: Error, Equatable {
    let reason: String
  }

  enum Payload {
    case varint(UInt64)
    /// Eight bytes, or four widened.
    case fixed(UInt64)
    case bytes(UnsafeRawBufferPointer)
  }

  struct Field {
    let number: UInt64
    let payload: Payload
  }

  private let bytes: UnsafeRawBufferPointer
  private var position = 0

  init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
  }

  var isAtEnd: Bool { position >= bytes.count }

  /// The next field, or `nil` at the end.
  mutating func next() throws(Damage) -> Field? {
    guard !isAtEnd else { return nil }
    let tag = try varint()
    let number = tag >> 3
    switch tag & 7 {
    case 0: return Field(number: number, payload: .varint(try varint()))
    case 1: return Field(number: number, payload: .fixed(try fixed(8)))
    case 2:
      let length = try varint()
      let left = bytes.count - position
      guard let count = Int(exactly: length), count <= left else {
        throw Damage(reason: "it announces \(length) bytes where \(left) are left")
      }
      defer { position += count }
      return Field(
        number: number, payload: .bytes(UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])))
    case 5: return Field(number: number, payload: .fixed(try fixed(4)))
    default: throw Damage(reason: "its structure is not that of a protobuf file")
    }
  }

  mutating func varint() throws(Damage) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard position < bytes.count else { throw Damage(reason: "it ends in the middle of a number") }
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte & 0x80 == 0 { return value }
    }
    throw Damage(reason: "it holds a number of more than 64 bits")
  }

  private mutating func fixed(_ count: Int) throws(Damage) -> UInt64 {
    guard bytes.count - position >= count else {
      throw Damage(reason: "it ends in the middle of a number")
    }
    defer { position += count }
    return bytes[position..<position + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
