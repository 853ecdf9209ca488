/// Steps through the tags of an XML text in memory. Knows elements and attributes and nothing else: no
/// entities beyond the five of XML and numbers, no DTD, no external anything. Enough for OpenVINO IR.
struct XMLTagScanner {
  enum Tag {
    /// `<name a="1">`; `isEmpty` for `<name a="1"/>`.
    case open(name: String, attributes: [String: String], isEmpty: Bool)
    case close(name: String)
  }

  private let bytes: UnsafeRawBufferPointer
  private var position = 0
  /// An element has few attributes; more are damage.
  private let maximumAttributeCount = 256

  init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
  }

  /// The next tag; `nil` at the end of the text or where it stops being XML.
  mutating func next() -> Tag? {
    while skip(past: UInt8(ascii: "<")) {
      if starts(with: "!--") {
        guard skip(past: "-->") else { return nil }
      } else if starts(with: "?") || starts(with: "!") {
        guard skip(past: UInt8(ascii: ">")) else { return nil }
      } else if starts(with: "/") {
        position += 1
        let name = readName()
        guard !name.isEmpty, skip(past: UInt8(ascii: ">")) else { return nil }
        return .close(name: name)
      } else {
        return readElement()
      }
    }
    return nil
  }

  private mutating func readElement() -> Tag? {
    let name = readName()
    guard !name.isEmpty else { return nil }
    var attributes: [String: String] = [:]
    while true {
      skipSpace()
      guard position < bytes.count else { return nil }
      if bytes[position] == UInt8(ascii: ">") {
        position += 1
        return .open(name: name, attributes: attributes, isEmpty: false)
      }
      if starts(with: "/>") {
        position += 2
        return .open(name: name, attributes: attributes, isEmpty: true)
      }
      let key = readName()
      skipSpace()
      guard !key.isEmpty, starts(with: "="), attributes.count < maximumAttributeCount else { return nil }
      position += 1
      skipSpace()
      guard position < bytes.count else { return nil }
      let quote = bytes[position]
      guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else { return nil }
      position += 1
      let start = position
      guard skip(past: quote) else { return nil }
      attributes[key] = Self.unescaped(String(decoding: bytes[start..<position - 1], as: UTF8.self))
    }
  }

  private mutating func readName() -> String {
    let start = position
    while position < bytes.count, !Self.endsName(bytes[position]) { position += 1 }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private static func endsName(_ byte: UInt8) -> Bool {
    byte <= 0x20 || byte == UInt8(ascii: ">") || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "=")
      || byte == UInt8(ascii: "<") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")
  }

  private mutating func skipSpace() {
    while position < bytes.count, bytes[position] <= 0x20 { position += 1 }
  }

  private func starts(with text: StaticString) -> Bool {
    guard bytes.count - position >= text.utf8CodeUnitCount else { return false }
    return text.withUTF8Buffer { wanted in
      bytes[position..<position + wanted.count].elementsEqual(wanted)
    }
  }

  private mutating func skip(past byte: UInt8) -> Bool {
    guard let found = bytes[position...].firstIndex(of: byte) else {
      position = bytes.count
      return false
    }
    position = found + 1
    return true
  }

  private mutating func skip(past text: StaticString) -> Bool {
    while position < bytes.count {
      if starts(with: text) {
        position += text.utf8CodeUnitCount
        return true
      }
      position += 1
    }
    return false
  }

  private static func unescaped(_ text: String) -> String {
    guard text.contains("&") else { return text }
    var result = ""
    var rest = text[...]
    while let start = rest.firstIndex(of: "&") {
      result += rest[..<start]
      rest = rest[start...]
      guard let end = rest.prefix(12).firstIndex(of: ";"),
        let scalar = entity(rest[rest.index(after: start)..<end])
      else {
        result += "&"
        rest = rest.dropFirst()
        continue
      }
      result.unicodeScalars.append(scalar)
      rest = rest[rest.index(after: end)...]
    }
    return result + rest
  }

  private static func entity(_ name: Substring) -> Unicode.Scalar? {
    switch name {
    case "amp": return "&"
    case "lt": return "<"
    case "gt": return ">"
    case "quot": return "\""
    case "apos": return "'"
    default:
      if name.hasPrefix("#x") { return UInt32(name.dropFirst(2), radix: 16).flatMap(Unicode.Scalar.init) }
      guard name.hasPrefix("#") else { return nil }
      return UInt32(name.dropFirst()).flatMap(Unicode.Scalar.init)
    }
  }
}
