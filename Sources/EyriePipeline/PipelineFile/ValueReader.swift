import Foundation

/// Reads one value of a pipeline file as the type that is expected there, or reports why it is not one.
struct ValueReader {
  let node: PipelineNode
  /// The path of the key, for messages.
  let key: String
  let mistakes: MistakeCollector

  // MARK: - Single values

  func text() -> WrittenText? {
    guard let scalar = scalar(.text) else { return nil }
    if scalar.isSubstituted || scalar.kind == .text {
      let text = WrittenText(value: scalar.text, written: scalar.written)
      if text.value.isEmpty { return report("found an empty text, expected text") }
      if text.value.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
        return report("found text with a control character or a line break, expected text on one line")
      }
      return text
    }
    if scalar.kind == .null { return expected(.text) }
    return report("found \(node.found), expected text; put it in quotes")
  }

  /// A text that no message repeats.
  func secret() -> WrittenText? {
    guard case .scalar(let scalar) = node.content, !scalar.isSubstituted, scalar.kind != .text,
      scalar.kind != .null
    else { return text() }
    return report("found something else than text, expected text; put it in quotes")
  }

  func endpoint() -> WrittenText? {
    guard let text = text() else { return nil }
    guard ["tcp://", "ipc://"].contains(where: { text.value.hasPrefix($0) && text.value != $0 }) else {
      return expected(.endpoint)
    }
    return text
  }

  func boolean() -> Bool? {
    guard let scalar = scalar(.boolean) else { return nil }
    if case .boolean(let value) = kind(of: scalar) { return value }
    let hint: String? =
      switch scalar.text.lowercased() {
      case "yes", "on", "1": "true"
      case "no", "off", "0": "false"
      default: nil
      }
    return report("found \(node.found), expected true or false", suggestion: hint)
  }

  func integer(in range: ClosedRange<Int>) -> Int? {
    guard let scalar = scalar(.integer(range)) else { return nil }
    let value: Int? =
      switch kind(of: scalar) {
      case .integer(let value): value
      // As JSON Schema has it, 5.0 is a whole number.
      case .number(let value): Int(exactly: value)
      default: nil
      }
    guard let value, range.contains(value) else { return expected(.integer(range)) }
    return value
  }

  func number(in range: ClosedRange<Double>) -> Double? {
    guard let scalar = scalar(.number(range)) else { return nil }
    guard let value = number(of: scalar), range.contains(value) else { return expected(.number(range)) }
    return value
  }

  /// - Returns: seconds.
  func duration(in range: ClosedRange<Double>) -> Double? {
    guard let scalar = scalar(.duration(range)) else { return nil }
    let seconds = number(of: scalar) ?? Self.seconds(scalar.text)
    guard let seconds, range.contains(seconds) else { return expected(.duration(range)) }
    return seconds
  }

  func size(in range: ClosedRange<Int>) -> DetectorInputSize? {
    guard let scalar = scalar(.size(range)) else { return nil }
    // However YAML writes an integer.
    if case .integer(let side) = kind(of: scalar), range.contains(side) { return .longSide(side) }
    return DetectorInputSize(scalar.text) ?? expected(.size(range))
  }

  func choice<Value: RawRepresentable & CaseIterable>() -> Value? where Value.RawValue == String {
    let names = Value.allCases.map(\.rawValue)
    guard let scalar = scalar(.choice(names)) else { return nil }
    if let value = Value(rawValue: scalar.text) { return value }
    return expected(.choice(names), nearestTo: scalar.written, among: names)
  }

  // MARK: - Values of values

  /// - Returns: what could be read; nil when this is no list.
  func list<Value>(_ read: (ValueReader) -> Value?) -> [Value]? {
    guard case .list(let items) = node.content else { return expected(.list(of: .text)) }
    if items.isEmpty { return report("the list is empty; leave it out, or name at least one") }
    return items.enumerated().compactMap { index, item in
      read(ValueReader(node: item, key: "\(key)[\(index)]", mistakes: mistakes))
    }
  }

  /// - Returns: what could be read, in the order of the file; nil when this is no mapping.
  func map<Value>(
    _ rule: ValueForm.NameRule, _ read: (ValueReader, PipelineNode.Entry) -> Value?
  ) -> [Value]? {
    guard case .mapping(let entries) = node.content else { return expected(.map(of: .text, naming: rule)) }
    if entries.isEmpty { return report("the mapping is empty, expected at least one name") }
    if entries.count > rule.most {
      return report("has \(entries.count) names, expected at most \(rule.most)")
    }
    return entries.compactMap { entry in
      let path = YAMLTree.path(key, entry.key)
      if let problem = rule.problem(of: entry.key) { mistakes.add(entry.position, path, problem) }
      return read(ValueReader(node: entry.value, key: path, mistakes: mistakes), entry)
    }
  }

  func object(_ table: FieldTable) -> ObjectReader? {
    ObjectReader(node, key: key, table: table, mistakes: mistakes)
  }

  // MARK: - Reports

  func report<Value>(_ message: String, suggestion: String? = nil) -> Value? {
    mistakes.add(node.position, key, message, suggestion: suggestion)
    return nil
  }

  func expected<Value>(
    _ form: ValueForm, nearestTo word: String? = nil, among names: [String] = []
  ) -> Value? {
    if case .refused = node.content { return nil }
    let message = "found \(node.found), expected \(form.expectation)"
    if let word {
      mistakes.add(node.position, key, message, nearestTo: word, among: names)
    } else {
      mistakes.add(node.position, key, message)
    }
    return nil
  }

  private func scalar(_ form: ValueForm) -> PipelineNode.Scalar? {
    if case .scalar(let scalar) = node.content { return scalar }
    return expected(form)
  }

  /// A variable in quotes may stand for a number too: there is no other way to write `"${A}${B}"`.
  private func kind(of scalar: PipelineNode.Scalar) -> PipelineNode.Scalar.Kind {
    guard scalar.isSubstituted, !scalar.isPlain else { return scalar.kind }
    return PipelineNode.Scalar(
      text: scalar.text, written: scalar.written, isPlain: true, isSubstituted: true
    ).kind
  }

  private func number(of scalar: PipelineNode.Scalar) -> Double? {
    switch kind(of: scalar) {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// The seconds of `500ms`, `1.5s`, `10m`, `1h`.
  static func seconds(_ text: String) -> Double? {
    let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let factor: Double
    switch text.dropFirst(digits.count) {
    case "ms": factor = 0.001
    case "s": factor = 1
    case "m": factor = 60
    case "h": factor = 3600
    default: return nil
    }
    guard digits.count <= 20, digits.first != ".", digits.last != "." else { return nil }
    return Double(digits).map { $0 * factor }
  }
}

extension ValueForm.NameRule {
  /// More than anybody runs in one process; each is compared with each other in places.
  var most: Int {
    switch self {
    case .node: 1000
    case .label: 10_000
    }
  }

  /// What is wrong with a name; nil if it will do.
  func problem(of name: String) -> String? {
    switch self {
    case .label: return name.isEmpty ? "the label is empty" : nil
    case .node:
      let isPlain = name.unicodeScalars.allSatisfy {
        $0.value > 0x20 && $0.value != 0x7F && !$0.properties.isWhitespace
          && !"/*,[]{}".unicodeScalars.contains($0)
      }
      guard isPlain, (1...64).contains(name.unicodeScalars.count) else {
        return "is no name: expected 1 to 64 characters without spaces and without / * , [ ] { }"
      }
      return nil
    }
  }

  /// The same as a regular expression.
  var pattern: String {
    switch self {
    case .node: #"^[^\s\u0000-\u0020\u007f/*,\[\]{}]{1,64}$"#
    case .label: "^.+$"
    }
  }
}
