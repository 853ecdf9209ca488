import Foundation

/// The JSON Schema of pipeline files, for editors. It is made of the same tables that the decoder reads by.
enum PipelineJSONSchema {
  /// The schema file, as it is published.
  static func text() throws -> String {
    let data = try JSONSerialization.data(
      withJSONObject: root, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    return String(decoding: data, as: UTF8.self) + "\n"
  }

  private static var root: [String: Any] {
    [
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "$id": "urn:eyrie:schema:eyrie.pipeline-1",
      "title": "Eyrie pipeline file, version 1",
      "description":
        "What 'eyrie run' is to do. Every value may hold ${VARIABLE} or ${VARIABLE:-default} of the "
        + "environment; $$ is a dollar sign. Names, references, types between stages and cycles are checked by "
        + "'eyrie validate' alone.",
      "oneOf": [object(PipelineDecoder.fullTable), object(PipelineDecoder.shortTable)],
      "$defs": [
        "variable": [
          "description": "A text with a variable of the environment in it.", "type": "string",
          "pattern": #"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}$]*)?\}"#,
        ] as [String: Any],
        "edge": object(EdgeDefinition.table),
      ].merging(definitions) { first, _ in first },
    ]
  }

  /// The kinds of stages and sinks.
  private static var definitions: [String: Any] {
    var schemas: [String: Any] = [:]
    for kind in StageDefinition.Kind.allCases { schemas[kind.rawValue] = object(StageDefinition.table(kind)) }
    for kind in SinkDefinition.Kind.allCases { schemas[kind.rawValue] = object(SinkDefinition.table(kind)) }
    return schemas
  }

  // MARK: - Mappings

  private static func object(_ table: FieldTable) -> [String: Any] {
    var schema: [String: Any] = ["type": "object", "additionalProperties": false]
    var properties: [String: Any] = [:]
    for field in table.fields {
      var property = value(of: field)
      property["description"] = field.about
      properties[field.name] = property
    }
    schema["properties"] = properties
    let required = table.fields.filter(\.isRequired).map(\.name)
    if !required.isEmpty { schema["required"] = required }
    return schema
  }

  private static func value(of field: any FieldDescription) -> [String: Any] {
    switch field.name {
    case "sources": return named(object(SourceDefinition.table))
    case "stages": return kinds(StageDefinition.Kind.self)
    case "sinks": return kinds(SinkDefinition.Kind.self)
    default: return schema(field.form)
    }
  }

  /// Stages or sinks: a kind is told by the name, or by the key.
  private static func kinds<Kind: RawRepresentable & CaseIterable>(_: Kind.Type) -> [String: Any]
  where Kind.RawValue == String {
    let references = Kind.allCases.map { (name: $0.rawValue, schema: ["$ref": "#/$defs/\($0.rawValue)"]) }
    var schema = named([
      "required": [NodeKind.key], "anyOf": references.map(\.schema),
    ])
    schema["properties"] = Dictionary(uniqueKeysWithValues: references.map { ($0.name, $0.schema) })
    return schema
  }

  private static func named(_ value: [String: Any], by rule: ValueForm.NameRule = .node) -> [String: Any] {
    [
      "type": "object", "minProperties": 1, "maxProperties": rule.most,
      "propertyNames": ["pattern": rule.pattern], "additionalProperties": value,
    ]
  }

  // MARK: - Values

  private static func schema(_ form: ValueForm) -> [String: Any] {
    switch form {
    case .text, .secret: return anyText
    case .endpoint:
      return orVariable(["type": "string", "pattern": "^(tcp|ipc)://[^\\u0000-\\u001f\\u007f]+$"])
    case .boolean: return orVariable(["type": "boolean"])
    case .integer(let range):
      return orVariable(["type": "integer", "minimum": range.lowerBound, "maximum": range.upperBound])
    case .number(let range):
      return orVariable(["type": "number", "minimum": range.lowerBound, "maximum": range.upperBound])
    case .duration(let range):
      return orVariable(
        ["type": "number", "minimum": range.lowerBound, "maximum": range.upperBound],
        ["type": "string", "pattern": #"^[0-9]+(\.[0-9]+)?(ms|s|m|h)$"#])
    case .size(let range):
      return orVariable(
        ["type": "integer", "minimum": range.lowerBound, "maximum": range.upperBound],
        ["type": "string", "pattern": "^[0-9]+(x[0-9]+)?$"])
    case .choice(let names): return orVariable(["type": "string", "enum": names])
    case .list(let form): return ["type": "array", "minItems": 1, "items": schema(form)]
    case .map(let form, let rule): return named(schema(form), by: rule)
    case .object(let table): return object(table)
    case .edges:
      let one: [[String: Any]] = [anyText, ["$ref": "#/$defs/edge"]]
      return ["anyOf": one + [["type": "array", "minItems": 1, "items": ["anyOf": one]]]]
    }
  }

  private static let textPattern = "^[^\\u0000-\\u001f\\u007f]+$"

  private static var anyText: [String: Any] { ["type": "string", "pattern": textPattern] }

  private static func orVariable(_ forms: [String: Any]...) -> [String: Any] {
    ["anyOf": forms + [["$ref": "#/$defs/variable"]]]
  }
}
