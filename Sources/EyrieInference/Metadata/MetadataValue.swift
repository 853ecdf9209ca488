/// A value of a model's metadata, whichever way it was written.
indirect enum MetadataValue: Equatable {
  case none
  case bool(Bool)
  case int(Int)
  case double(Double)
  case string(String)
  case list([MetadataValue])
  /// In the order of the text; keys may repeat.
  case dict([Pair])

  struct Pair: Equatable {
    var key: MetadataValue
    var value: MetadataValue
  }

  /// Reads one whole Python literal, as Ultralytics writes into ONNX files (`str(dict)`), or JSON,
  /// which is close enough to be read by the same parser. Returns `nil` on anything else; never
  /// evaluates anything.
  init?(pythonLiteral text: String) {
    var parser = PythonParser(text)
    guard let value = parser.parseWhole() else { return nil }
    self = value
  }

  /// A whole number, also one written as text.
  var int: Int? {
    switch self {
    case .int(let value): value
    case .double(let value): Int(exactly: value)
    case .string(let text): Int(text)
    default: nil
    }
  }

  /// A finite number, also one written as text.
  var double: Double? {
    switch self {
    case .int(let value): Double(value)
    case .double(let value): value
    case .string(let text): Double(text).flatMap { $0.isFinite ? $0 : nil }
    default: nil
    }
  }

  /// A truth value, also one written as text.
  var bool: Bool? {
    switch self {
    case .bool(let value): value
    case .string(let text):
      switch text.lowercased() {
      case "true", "yes": true
      case "false", "no": false
      default: nil
      }
    default: nil
    }
  }

  /// A scalar as text.
  var text: String? {
    switch self {
    case .string(let text): text
    case .int(let value): String(value)
    case .double(let value): String(value)
    case .bool(let value): value ? "True" : "False"
    default: nil
    }
  }

  /// The value of a text key, if this is a dictionary that has it.
  subscript(_ key: String) -> MetadataValue? {
    guard case .dict(let pairs) = self else { return nil }
    return pairs.last { $0.key == .string(key) }?.value
  }
}
