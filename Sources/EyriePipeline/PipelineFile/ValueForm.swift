/// What a value in a pipeline file may be. The decoder, the messages and the JSON Schema are all made of it, so
/// that they cannot say different things.
indirect enum ValueForm: Sendable {
  /// Text that is not empty and has no control characters.
  case text
  /// The same, of which no message says what was found.
  case secret
  /// The address of a ZeroMQ socket that other processes can reach.
  case endpoint
  case boolean
  case integer(ClosedRange<Int>)
  case number(ClosedRange<Double>)
  /// Seconds: a number, or text such as `500ms`, `5s`, `10m`, `1h`. The limits are in seconds.
  case duration(ClosedRange<Double>)
  /// Width and height in pixels: `640` or `640x384`.
  case size(ClosedRange<Int>)
  case choice([String])
  /// A list of at least one.
  case list(of: ValueForm)
  /// Values by names that the file chooses.
  case map(of: ValueForm, naming: NameRule)
  case object(FieldTable)
  /// Where a stage takes its items from: a name, an edge, or a list of them.
  case edges

  /// What names that the file chooses may look like.
  enum NameRule: Sendable {
    /// A source, stage or sink: it is written in `from`, in topics and in summaries.
    case node
    /// A class of a model.
    case label
  }

  /// What was expected, in words for a message.
  var expectation: String {
    switch self {
    case .text, .secret: "text"
    case .endpoint: "an endpoint such as tcp://127.0.0.1:5555 or ipc:///run/eyrie.sock"
    case .boolean: "true or false"
    case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
    case .number(let range):
      "a number from \(Self.shown(range.lowerBound)) to \(Self.shown(range.upperBound))"
    case .duration(let range):
      "a duration from \(Self.shown(range.lowerBound))s to \(Self.shown(range.upperBound))s, such as 500ms, 5s or 2m"
    case .size(let range):
      "a size of \(range.lowerBound) to \(range.upperBound) pixels, such as 640 or 640x384"
    case .choice(let names):
      names.count < 2
        ? names.joined() : names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")
    case .list(.list): "a list of lists, such as [[car, truck]]"
    case .list: "a list, such as [person, car]"
    case .map(_, .node): "a mapping of names"
    case .map(_, .label): "a mapping of labels"
    case .object(let table): "a mapping with \(table.names.prefix(4).joined(separator: ", "))"
    case .edges: "the name of a source or stage, or a list of names"
    }
  }

  /// A limit without needless digits.
  static func shown(_ value: Double) -> String {
    Int(exactly: value).map(String.init) ?? String(value)
  }
}

/// A key of a mapping: its name and what its value may be.
protocol FieldDescription: Sendable {
  var name: String { get }
  var form: ValueForm { get }
  /// One sentence for the schema and thereby for editors.
  var about: String { get }
  var isRequired: Bool { get }
}

/// The keys that a mapping may have.
struct FieldTable: Sendable {
  let fields: [any FieldDescription]

  init(_ fields: [any FieldDescription]) {
    self.fields = fields
  }

  var names: [String] { fields.map(\.name) }
}

/// A key with the type that its value is read as.
struct Field<Value: Sendable>: FieldDescription {
  let name: String
  let form: ValueForm
  let about: String
  let isRequired: Bool
  let read: @Sendable (ValueReader) -> Value?
}

extension Field {
  /// The same key where it must not be left out.
  var required: Field { Field(name: name, form: form, about: about, isRequired: true, read: read) }

  private init(
    _ name: String, _ form: ValueForm, _ about: String, _ read: @escaping @Sendable (ValueReader) -> Value?
  ) {
    self.init(name: name, form: form, about: about, isRequired: false, read: read)
  }
}

extension Field where Value == WrittenText {
  static func text(_ name: String, _ about: String) -> Field {
    Field(name, .text, about) { $0.text() }
  }

  static func secret(_ name: String, _ about: String) -> Field {
    Field(name, .secret, about) { $0.secret() }
  }

  static func endpoint(_ name: String, _ about: String) -> Field {
    Field(name, .endpoint, about) { $0.endpoint() }
  }
}

extension Field where Value == Bool {
  static func boolean(_ name: String, _ about: String) -> Field {
    Field(name, .boolean, about) { $0.boolean() }
  }
}

extension Field where Value == Int {
  static func integer(_ name: String, _ range: ClosedRange<Int>, _ about: String) -> Field {
    Field(name, .integer(range), about) { $0.integer(in: range) }
  }
}

extension Field where Value == Double {
  static func number(_ name: String, _ range: ClosedRange<Double>, _ about: String) -> Field {
    Field(name, .number(range), about) { $0.number(in: range) }
  }

  /// In seconds.
  static func duration(_ name: String, _ range: ClosedRange<Double>, _ about: String) -> Field {
    Field(name, .duration(range), about) { $0.duration(in: range) }
  }
}

extension Field where Value == DetectorInputSize {
  static func size(_ name: String, _ range: ClosedRange<Int>, _ about: String) -> Field {
    Field(name, .size(range), about) { $0.size(in: range) }
  }
}

extension Field where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
  static func choice(_ name: String, _ about: String) -> Field {
    Field(name, .choice(Value.allCases.map(\.rawValue)), about) { $0.choice() }
  }
}

extension Field where Value == [String] {
  static func list(_ name: String, _ about: String) -> Field {
    Field(name, .list(of: .text), about) { $0.list { $0.text()?.value } }
  }
}

extension Field where Value == [[String]] {
  static func groups(_ name: String, _ about: String) -> Field {
    Field(name, .list(of: .list(of: .text)), about) { $0.list { $0.list { $0.text()?.value } } }
  }
}

extension Field where Value == [String: Double] {
  static func numbersByLabel(_ name: String, _ range: ClosedRange<Double>, _ about: String) -> Field {
    Field(name, .map(of: .number(range), naming: .label), about) { reader in
      let pairs = reader.map(.label) { value, entry in value.number(in: range).map { (entry.key, $0) } }
      return pairs.map { Dictionary($0) { first, _ in first } }
    }
  }
}

extension Field where Value == [EdgeDefinition] {
  static func edges(_ name: String, _ about: String) -> Field {
    Field(name, .edges, about) { $0.edges() }
  }
}

extension Field {
  static func object(
    _ name: String, _ table: FieldTable, _ about: String,
    _ read: @escaping @Sendable (ObjectReader) -> Value?
  ) -> Field {
    Field(name, .object(table), about) { reader in reader.object(table).flatMap(read) }
  }
}

/// A text whose value may hold what an environment variable was set to. What is shown to people is what the file
/// has, without credentials.
struct WrittenText: Sendable, CustomStringConvertible {
  let value: String
  let written: String

  var description: String { PipelineNode.shown(written) }
}
