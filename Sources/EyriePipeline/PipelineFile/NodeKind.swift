/// Reads what kind of stage or sink a mapping is, which decides which keys it may have.
///
/// Somebody who calls a stage `detect` need not say that it is of kind detect, and must not make it another.
enum NodeKind {
  static let key = "kind"

  /// - Parameter names: the kinds that may stand here.
  static func field(_ names: [String]) -> any FieldDescription {
    Field<String>(
      name: key, form: .choice(names), about: "What it does. May be left out if its name is that of a kind.",
      isRequired: false, read: { $0.text()?.value })
  }

  /// - Parameter name: what the file calls the stage or sink.
  /// - Returns: nil where there is none, or a wrong one; that has then been reported.
  static func read<Kind: RawRepresentable & CaseIterable>(_ reader: ValueReader, name: String) -> Kind?
  where Kind.RawValue == String {
    let names = Kind.allCases.map(\.rawValue)
    guard case .mapping(let entries) = reader.node.content else {
      return reader.expected(.object(FieldTable([field(names)])))
    }
    let implied = Kind(rawValue: name)
    guard let entry = entries.first(where: { $0.key == key }) else {
      if let implied { return implied }
      let form = ValueForm.choice(names)
      reader.mistakes.add(
        reader.node.position, YAMLTree.path(reader.key, key), "is missing, expected \(form.expectation)",
        nearestTo: name, among: names)
      return nil
    }
    let value = ValueReader(
      node: entry.value, key: YAMLTree.path(reader.key, key), mistakes: reader.mistakes)
    guard let kind: Kind = value.choice() else { return nil }
    if let implied, implied.rawValue != kind.rawValue {
      return value.report(
        "found \(kind.rawValue), expected \(implied.rawValue): its name is that of a kind; give it another name"
      )
    }
    return kind
  }
}
