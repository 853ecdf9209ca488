/// Reads one Python literal. Nothing in it is ever evaluated.
struct PythonParser {
  private let scalars: [Unicode.Scalar]
  private var position = 0
  /// Nesting deeper than this is refused, so that a hostile text cannot exhaust the stack.
  private let maximumDepth = 16

  init(_ text: String) {
    scalars = Array(text.unicodeScalars)
  }

  mutating func parseWhole() -> MetadataValue? {
    guard let value = parseValue(depth: 0) else { return nil }
    skipSpace()
    return position == scalars.count ? value : nil
  }

  private var current: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

  private mutating func skipSpace() {
    while let scalar = current, scalar == " " || scalar == "\n" || scalar == "\r" || scalar == "\t" {
      position += 1
    }
  }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    skipSpace()
    guard current == scalar else { return false }
    position += 1
    return true
  }

  private mutating func parseValue(depth: Int) -> MetadataValue? {
    guard depth <= maximumDepth else { return nil }
    skipSpace()
    guard let scalar = current else { return nil }
    switch scalar {
    case "{":
      position += 1
      return parseDict(depth: depth)
    case "[":
      position += 1
      return parseItems(until: "]", depth: depth).map(MetadataValue.list)
    case "(":
      position += 1
      return parseItems(until: ")", depth: depth).map(MetadataValue.list)
    case "'", "\"":
      position += 1
      return parseString(quote: scalar).map(MetadataValue.string)
    default:
      return parseWord()
    }
  }

  private mutating func parseDict(depth: Int) -> MetadataValue? {
    var pairs: [MetadataValue.Pair] = []
    while !take("}") {
      if !pairs.isEmpty {
        guard take(",") else { return nil }
        if take("}") { break }
      }
      guard let key = parseValue(depth: depth + 1), take(":"),
        let value = parseValue(depth: depth + 1)
      else { return nil }
      pairs.append(.init(key: key, value: value))
    }
    return .dict(pairs)
  }

  private mutating func parseItems(until end: Unicode.Scalar, depth: Int) -> [MetadataValue]? {
    var items: [MetadataValue] = []
    while !take(end) {
      if !items.isEmpty {
        guard take(",") else { return nil }
        if take(end) { break }
      }
      guard let item = parseValue(depth: depth + 1) else { return nil }
      items.append(item)
    }
    return items
  }

  private mutating func parseString(quote: Unicode.Scalar) -> String? {
    var result = String.UnicodeScalarView()
    while let scalar = current {
      position += 1
      if scalar == quote { return String(result) }
      guard scalar == "\\" else {
        result.append(scalar)
        continue
      }
      guard let escape = current else { return nil }
      position += 1
      switch escape {
      case "n": result.append("\n")
      case "t": result.append("\t")
      case "r": result.append("\r")
      case "x": guard appendHex(2, to: &result) else { return nil }
      case "u": guard appendUTF16(to: &result) else { return nil }
      case "U": guard appendHex(8, to: &result) else { return nil }
      case "\\", "'", "\"", "/": result.append(escape)
      default:
        // Python keeps a backslash before a letter it does not know.
        result.append("\\")
        result.append(escape)
      }
    }
    return nil
  }

  private mutating func readHex(_ digits: Int) -> UInt32? {
    guard position + digits <= scalars.count else { return nil }
    var value: UInt32 = 0
    for scalar in scalars[position..<position + digits] {
      guard let digit = Character(scalar).hexDigitValue, scalar.isASCII else { return nil }
      value = value << 4 | UInt32(digit)
    }
    position += digits
    return value
  }

  private mutating func appendHex(_ digits: Int, to result: inout String.UnicodeScalarView) -> Bool {
    guard let scalar = readHex(digits).flatMap(Unicode.Scalar.init) else { return false }
    result.append(scalar)
    return true
  }

  /// JSON writes what lies beyond U+FFFF as two escapes.
  private mutating func appendUTF16(to result: inout String.UnicodeScalarView) -> Bool {
    guard let first = readHex(4) else { return false }
    guard UTF16.isLeadSurrogate(UInt16(truncatingIfNeeded: first)) else {
      guard let scalar = Unicode.Scalar(first) else { return false }
      result.append(scalar)
      return true
    }
    guard position + 2 <= scalars.count, scalars[position] == "\\", scalars[position + 1] == "u" else {
      return false
    }
    position += 2
    guard let second = readHex(4), UTF16.isTrailSurrogate(UInt16(truncatingIfNeeded: second)),
      let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    else { return false }
    result.append(scalar)
    return true
  }

  private mutating func parseWord() -> MetadataValue? {
    let start = position
    while let scalar = current, scalar.isASCII,
      scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || "+-._".unicodeScalars.contains(scalar)
    {
      position += 1
    }
    var word = String.UnicodeScalarView()
    word.append(contentsOf: scalars[start..<position])
    let text = String(word)
    switch text {
    case "None", "null": return MetadataValue.none
    case "True", "true": return .bool(true)
    case "False", "false": return .bool(false)
    default:
      if let int = Int(text) { return .int(int) }
      guard let first = word.first, "+-.0123456789".unicodeScalars.contains(first),
        let double = Double(text), double.isFinite
      else { return nil }
      return .double(double)
    }
  }
}
