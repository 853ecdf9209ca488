/// Writes compact JSON as UTF-8 into a byte buffer that is kept from one document to the next.
///
/// It trusts its caller to nest and to pair keys with values; everything about text and numbers is
/// its own concern: whatever it is given, the bytes are valid JSON.
package struct JSONWriter: Sendable {
  /// What was written so far.
  package private(set) var bytes: [UInt8] = []
  private var needsComma = false

  package init() {}

  /// Forgets the document but keeps the memory.
  package mutating func reset() {
    bytes.removeAll(keepingCapacity: true)
    needsComma = false
  }

  package mutating func beginObject() { open(UInt8(ascii: "{")) }
  package mutating func endObject() { close(UInt8(ascii: "}")) }
  package mutating func beginArray() { open(UInt8(ascii: "[")) }
  package mutating func endArray() { close(UInt8(ascii: "]")) }

  /// A key known at compile time, which must need no escaping.
  package mutating func key(_ key: StaticString) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    key.withUTF8Buffer { bytes.append(contentsOf: $0) }
    bytes.append(UInt8(ascii: "\""))
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// A key of unknown content.
  package mutating func key(dynamic key: String) {
    string(key)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  package mutating func null() { literal("null") }

  package mutating func bool(_ value: Bool) { literal(value ? "true" : "false") }

  package mutating func integer(_ value: Int64) {
    separate()
    if value < 0 { bytes.append(UInt8(ascii: "-")) }
    appendDigits(value.magnitude)
  }

  package mutating func integer(_ value: UInt64) {
    separate()
    appendDigits(value)
  }

  package mutating func integer(_ value: Int) { integer(Int64(value)) }

  /// A number rounded to at most `decimals` (0…9) places, without trailing zeros or an exponent; null
  /// if it is not finite.
  ///
  /// From 2^53 / 10^decimals on, where a double holds no such fraction, the shortest text that reads
  /// back as the same double is written; that has an exponent from 2^54 on.
  package mutating func number(_ value: Double, decimals: Int) {
    guard value.isFinite else {
      null()
      return
    }
    separate()
    let scale = Self.powersOfTen[min(max(decimals, 0), 9)]
    let scaled = (value * Double(scale)).rounded()
    guard scaled.magnitude < 9_007_199_254_740_992 else {
      bytes.append(contentsOf: "\(value)".utf8)
      return
    }
    let magnitude = UInt64(scaled.magnitude)
    if scaled < 0 { bytes.append(UInt8(ascii: "-")) }
    let (whole, fraction) = magnitude.quotientAndRemainder(dividingBy: scale)
    appendDigits(whole)
    guard fraction > 0 else { return }
    bytes.append(UInt8(ascii: "."))
    var rest = fraction
    var place = scale / 10
    while rest > 0 {
      let (digit, remainder) = rest.quotientAndRemainder(dividingBy: place)
      bytes.append(UInt8(truncatingIfNeeded: 48 + digit))
      rest = remainder
      place /= 10
    }
  }

  /// Text in quotes, with what JSON demands escaped, and the separators at which tools split lines
  /// (U+0085, U+2028, U+2029) too, so that a document is one line for every reader.
  package mutating func string(_ text: String) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    var text = text
    text.withUTF8 { appendEscaped($0) }
    bytes.append(UInt8(ascii: "\""))
  }

  /// Text in quotes that is known to be ASCII without quotes, backslashes or controls.
  mutating func plain(_ text: UnsafeBufferPointer<UInt8>) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    bytes.append(contentsOf: text)
    bytes.append(UInt8(ascii: "\""))
  }

  /// Numbers as 16-bit floats, little-endian, in base64 with padding (RFC 4648).
  mutating func base64(_ values: [Float]) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    // Three numbers are six bytes, eight digits; the bits that wait for more are at the low end of `pending`.
    var pending: UInt32 = 0
    var bits: UInt32 = 0
    for value in values {
      pending = pending << 16 | UInt32(HalfFloat.bits(of: value).byteSwapped)
      bits += 16
      while bits >= 6 {
        bits -= 6
        bytes.append(Self.base64Digit(pending >> bits))
      }
    }
    if bits > 0 { bytes.append(Self.base64Digit(pending << (6 - bits))) }
    bytes.append(contentsOf: repeatElement(UInt8(ascii: "="), count: bits == 0 ? 0 : bits == 4 ? 1 : 2))
    bytes.append(UInt8(ascii: "\""))
  }

  private static func base64Digit(_ value: UInt32) -> UInt8 {
    let digit = UInt8(value & 63)
    switch digit {
    case 0..<26: return UInt8(ascii: "A") + digit
    case 26..<52: return UInt8(ascii: "a") + digit - 26
    case 52..<62: return UInt8(ascii: "0") + digit - 52
    default: return digit == 62 ? UInt8(ascii: "+") : UInt8(ascii: "/")
    }
  }

  private static let powersOfTen: [UInt64] = [
    1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000,
  ]

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
  }

  private mutating func open(_ bracket: UInt8) {
    separate()
    bytes.append(bracket)
    needsComma = false
  }

  private mutating func close(_ bracket: UInt8) {
    bytes.append(bracket)
    needsComma = true
  }

  private mutating func literal(_ text: StaticString) {
    separate()
    text.withUTF8Buffer { bytes.append(contentsOf: $0) }
  }

  private mutating func appendDigits(_ value: UInt64) {
    guard value >= 10 else {
      bytes.append(UInt8(truncatingIfNeeded: 48 + value))
      return
    }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
      var rest = value
      var start = 20
      repeat {
        let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
        start -= 1
        digits[start] = UInt8(truncatingIfNeeded: 48 + digit)
        rest = quotient
      } while rest > 0
      bytes.append(contentsOf: UnsafeBufferPointer(rebasing: digits[start..<20]))
    }
  }

  private mutating func appendEscaped(_ text: UnsafeBufferPointer<UInt8>) {
    var plainStart = 0
    var index = 0
    while index < text.count {
      let (code, length) = Self.escape(at: index, in: text)
      guard length > 0 else {
        index += 1
        continue
      }
      bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[plainStart..<index]))
      appendEscape(code)
      index += length
      plainStart = index
    }
    bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[plainStart...]))
  }

  /// The code point to escape at `index` and its length in UTF-8, which is 0 if there is none.
  private static func escape(at index: Int, in text: UnsafeBufferPointer<UInt8>) -> (
    code: UInt16, length: Int
  ) {
    let byte = text[index]
    switch byte {
    case 0..<0x20, UInt8(ascii: "\""), UInt8(ascii: "\\"): return (UInt16(byte), 1)
    case 0xc2 where index + 1 < text.count && text[index + 1] == 0x85: return (0x85, 2)
    case 0xe2 where index + 2 < text.count && text[index + 1] == 0x80 && text[index + 2] & 0xfe == 0xa8:
      return (0x2000 | UInt16(text[index + 2] & 0x3f), 3)
    default: return (0, 0)
    }
  }

  private mutating func appendEscape(_ code: UInt16) {
    bytes.append(UInt8(ascii: "\\"))
    switch code {
    case 0x08: bytes.append(UInt8(ascii: "b"))
    case 0x09: bytes.append(UInt8(ascii: "t"))
    case 0x0a: bytes.append(UInt8(ascii: "n"))
    case 0x0c: bytes.append(UInt8(ascii: "f"))
    case 0x0d: bytes.append(UInt8(ascii: "r"))
    case 0x22, 0x5c: bytes.append(UInt8(truncatingIfNeeded: code))
    default:
      bytes.append(UInt8(ascii: "u"))
      for shift in [12, 8, 4, 0] {
        let digit = UInt8(truncatingIfNeeded: code >> UInt16(shift)) & 0xf
        bytes.append(digit < 10 ? 48 + digit : 87 + digit)
      }
    }
  }
}
