/// The NAL units of an H.264 or HEVC packet, framed as its stream frames them.
struct CodedUnits {
  enum Framing: Equatable {
    /// Each unit behind 00 00 01 (ITU-T H.264 and H.265, annex B).
    case startCodes
    /// Each unit behind its length, a big-endian number of so many bytes (ISO/IEC 14496-15).
    case lengths(Int)
  }

  let framing: Framing

  /// Calls `body` for each unit that has a byte, until it returns false.
  /// - Returns: false if the bytes are not framed like this.
  func forEach(in bytes: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Bool) -> Bool {
    switch framing {
    case .startCodes: Self.splitAtStartCodes(bytes, body)
    case .lengths(let size): Self.splitByLengths(bytes, size, body)
    }
  }

  private static func splitByLengths(
    _ bytes: UnsafeBufferPointer<UInt8>, _ size: Int, _ body: (UnsafeBufferPointer<UInt8>) -> Bool
  ) -> Bool {
    var offset = 0
    while offset < bytes.count {
      guard bytes.count - offset >= size else { return false }
      var length = 0
      for _ in 0..<size {
        length = length << 8 | Int(bytes[offset])
        offset += 1
      }
      guard length <= bytes.count - offset else { return false }
      if length > 0, !body(UnsafeBufferPointer(rebasing: bytes[offset..<offset + length])) { return true }
      offset += length
    }
    return true
  }

  private static func splitAtStartCodes(
    _ bytes: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Bool
  ) -> Bool {
    guard var start = nextStart(bytes, from: 0)?.content else { return false }
    while true {
      let next = nextStart(bytes, from: start)
      let end = next?.code ?? bytes.count
      if end > start, !body(UnsafeBufferPointer(rebasing: bytes[start..<end])) { return true }
      guard let next else { return true }
      start = next.content
    }
  }

  /// Where the next start code begins, and what follows it.
  private static func nextStart(
    _ bytes: UnsafeBufferPointer<UInt8>, from: Int
  ) -> (code: Int, content: Int)? {
    // The third byte of a code decides how far the next one can be.
    var index = from + 2
    while index < bytes.count {
      if bytes[index] > 1 {
        index += 3
      } else if bytes[index] == 1 {
        if bytes[index - 1] == 0, bytes[index - 2] == 0 { return (index - 2, index + 1) }
        index += 3
      } else {
        index += 1
      }
    }
    return nil
  }
}

/// Reads the bits of a NAL unit without its emulation prevention bytes. Beyond the end it gives `nil`.
struct UnitBits {
  private let bytes: [UInt8]
  private var position = 0

  init(_ unit: UnsafeBufferPointer<UInt8>, limit: Int = 512) {
    var plain: [UInt8] = []
    var zeros = 0
    for byte in unit.prefix(limit) {
      if zeros >= 2, byte == 3 {
        zeros = 0
        continue
      }
      zeros = byte == 0 ? zeros + 1 : 0
      plain.append(byte)
    }
    bytes = plain
  }

  mutating func bits(_ count: Int) -> UInt32? {
    guard position + count <= bytes.count * 8 else { return nil }
    var value: UInt32 = 0
    for _ in 0..<count {
      value = value << 1 | UInt32(bytes[position / 8] >> (7 - position % 8) & 1)
      position += 1
    }
    return value
  }

  /// ue(v): an Exp-Golomb code.
  mutating func unsigned() -> UInt32? {
    var zeros = 0
    while let bit = bits(1) {
      if bit == 1 {
        guard zeros > 0 else { return 0 }
        return bits(zeros).map { (1 << zeros) - 1 + $0 }
      }
      zeros += 1
      guard zeros < 31 else { return nil }
    }
    return nil
  }

  /// se(v).
  mutating func signed() -> Int32? {
    unsigned().map { $0 & 1 == 1 ? Int32(($0 + 1) / 2) : -Int32($0 / 2) }
  }
}
