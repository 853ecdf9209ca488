/// Reads a mapping with known keys. What it does not know, and what it misses, is reported when it is made.
struct ObjectReader {
  /// A key that the file gives.
  struct Given: Sendable {
    let name: String
    let path: String
    let position: SourcePosition
  }

  let key: String
  let position: SourcePosition
  let mistakes: MistakeCollector
  private let entries: [String: PipelineNode.Entry]
  /// The keys that the file gives and the table knows, in the order of the file.
  let given: [Given]

  /// - Returns: nil when the node is no mapping.
  init?(_ node: PipelineNode, key: String, table: FieldTable, mistakes: MistakeCollector) {
    guard case .mapping(let pairs) = node.content else {
      let _: Never? = ValueReader(node: node, key: key, mistakes: mistakes).expected(.object(table))
      return nil
    }
    self.key = key
    self.mistakes = mistakes
    position = node.position
    var entries: [String: PipelineNode.Entry] = [:]
    var given: [Given] = []
    let names = table.names
    for entry in pairs {
      let path = YAMLTree.path(key, entry.key)
      guard names.contains(entry.key) else {
        mistakes.add(
          entry.position, path, "is unknown here, expected one of \(names.joined(separator: ", "))",
          nearestTo: entry.key, among: names)
        continue
      }
      entries[entry.key] = entry
      given.append(Given(name: entry.key, path: path, position: entry.position))
    }
    for field in table.fields where field.isRequired && entries[field.name] == nil {
      mistakes.add(
        node.position, YAMLTree.path(key, field.name), "is missing, expected \(field.form.expectation)")
    }
    self.entries = entries
    self.given = given
  }

  /// The value of a key; nil where it is not given, or wrong and reported.
  func callAsFunction<Value>(_ field: Field<Value>) -> Value? {
    guard let entry = entries[field.name] else { return nil }
    return field.read(
      ValueReader(node: entry.value, key: YAMLTree.path(key, field.name), mistakes: mistakes))
  }

  /// Where a key stands; where the mapping begins if it is not given.
  func position(of name: String) -> SourcePosition {
    entries[name]?.position ?? position
  }

  /// Whether the file has the key, right or wrong.
  func has(_ name: String) -> Bool { entries[name] != nil }
}
