import EyrieMedia

/// A value of a pipeline file with its place: YAML after parsing and after the substitution of variables.
struct PipelineNode: Sendable {
  /// A piece of text, which may stand for a number or a boolean.
  struct Scalar: Sendable {
    /// The value, with variables substituted.
    let text: String
    /// As the file has it, for messages: it holds names of variables, not their values.
    let written: String
    /// Whether it stands without quotes, so that `5` is a number.
    let isPlain: Bool
    /// Whether a variable was substituted: the value may then be text or a number, whichever is needed.
    var isSubstituted: Bool
  }

  struct Entry: Sendable {
    let key: String
    let position: SourcePosition
    let value: PipelineNode
  }

  enum Content: Sendable {
    case scalar(Scalar)
    case list([PipelineNode])
    case mapping([Entry])
    /// What was found here was reported already.
    case refused
  }

  let content: Content
  let position: SourcePosition

  /// What was found, in words for a message.
  var found: String {
    switch content {
    case .list: return "a list"
    case .mapping: return "a mapping"
    case .refused: return "something else"
    case .scalar(let scalar):
      switch scalar.kind {
      case .null: return "nothing"
      case .integer, .number: return "the number \(Self.shown(scalar.written))"
      default: return "'\(Self.shown(scalar.written))'"
      }
    }
  }

  /// A text of the file for a message: short, on one line, without credentials.
  static func shown(_ text: String) -> String {
    let safe = MediaInput(text).description
    return safe.count > 60 ? safe.prefix(59) + "…" : safe
  }
}

extension PipelineNode.Scalar {
  /// What a scalar is by YAML's core schema.
  enum Kind: Equatable {
    case null
    case boolean(Bool)
    case integer(Int)
    case number(Double)
    case text
  }

  var kind: Kind {
    guard isPlain else { return .text }
    switch text {
    case "", "~", "null", "Null", "NULL": return isSubstituted ? .text : .null
    case "true", "True", "TRUE": return .boolean(true)
    case "false", "False", "FALSE": return .boolean(false)
    case ".nan", ".NaN", ".NAN": return .number(.nan)
    case ".inf", ".Inf", ".INF", "+.inf": return .number(.infinity)
    case "-.inf", "-.Inf", "-.INF": return .number(-.infinity)
    default: return number ?? .text
    }
  }

  private var number: Kind? {
    // No number that means something is longer.
    guard text.utf8.count <= 64, let first = text.utf8.first, !text.utf8.contains(where: { $0 > 0x7F }) else {
      return nil
    }
    if text.hasPrefix("0x") { return Self.integer(text.dropFirst(2), radix: 16) }
    if text.hasPrefix("0o") { return Self.integer(text.dropFirst(2), radix: 8) }
    let unsigned = first == UInt8(ascii: "-") || first == UInt8(ascii: "+") ? text.dropFirst() : text[...]
    let mantissa = unsigned.prefix { $0 != "e" && $0 != "E" }
    let parts = mantissa.split(separator: ".", omittingEmptySubsequences: false)
    // Letters are left to no parser: "inf", "nan" and hexadecimal fractions are text.
    guard (1...2).contains(parts.count), parts.contains(where: { !$0.isEmpty }),
      parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } })
    else { return nil }
    if parts.count == 1, mantissa.count == unsigned.count {
      if let value = Int(text) { return .integer(value) }
    }
    let exponent = unsigned.dropFirst(mantissa.count).dropFirst()
    if mantissa.count < unsigned.count, Int(exponent) == nil { return nil }
    // "1." and ".5" are numbers in YAML.
    let digits = parts.map { $0.isEmpty ? "0" : String($0) }.joined(separator: ".")
    let sign = first == UInt8(ascii: "-") ? "-" : ""
    return Double(sign + digits + unsigned.dropFirst(mantissa.count)).map { .number($0) }
  }

  private static func integer(_ digits: Substring, radix: Int) -> Kind? {
    guard let first = digits.first, first != "-", first != "+" else { return nil }
    return Int(digits, radix: radix).map { .integer($0) }
  }
}
