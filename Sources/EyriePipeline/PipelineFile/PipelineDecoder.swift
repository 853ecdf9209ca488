import EyrieMedia

/// Reads the tree of a pipeline file as a definition. It goes on after each mistake.
struct PipelineDecoder {
  private static let schema = Field<Schema>.choice("schema", "Names this form of the file.")
  private static let source = Field.text("source", "A path, a numbered sequence of images or an address.")
    .required
  private static let model = Field.text(
    "model", "A detector: a model package, an exported model directory, an .xml or an .onnx file."
  ).required
  private static let publish = Field.endpoint(
    "publish", "The ZeroMQ endpoint to publish on, such as tcp://127.0.0.1:5555."
  ).required
  private static let soak = Field<SoakLimits>.object(
    "soak", SoakLimits.table, "What a soak run must keep to."
  ) { SoakLimits($0) }
  private static let sources = section("sources", "Where pictures come from, by name.")
  private static let stages = section("stages", "What is done with them, by name.")
  private static let sinks = section("sinks", "Where events go, by name.")

  /// The keys of a file that names sources, stages and sinks.
  static let fullTable = FieldTable([schema, sources, stages, sinks, soak])
  /// The keys of the short form: one source, one model, one endpoint.
  static let shortTable = FieldTable([schema, source, model, publish, soak])

  /// The versions of the format.
  private enum Schema: String, CaseIterable {
    case one = "eyrie.pipeline/1"
  }

  private let mistakes: MistakeCollector

  init(mistakes: MistakeCollector) {
    self.mistakes = mistakes
  }

  func decode(_ root: PipelineNode) -> PipelineDefinition {
    guard case .mapping(let entries) = root.content else {
      _ = ValueReader(node: root, key: "", mistakes: mistakes).object(Self.fullTable)
      return PipelineDefinition()
    }
    let full = [Self.sources.name, Self.stages.name, Self.sinks.name]
    let short = [Self.source.name, Self.model.name, Self.publish.name]
    let isFull = entries.contains { full.contains($0.key) }
    let isShort = entries.contains { short.contains($0.key) }
    if isFull, isShort {
      for entry in entries where short.contains(entry.key) {
        mistakes.add(
          entry.position, entry.key,
          "is of the short form (source, model, publish), which does not mix with sources, stages and sinks; "
            + "expected one form or the other")
      }
      let rest = entries.filter { !short.contains($0.key) }
      return decodeFull(PipelineNode(content: .mapping(rest), position: root.position))
    }
    return isShort ? decodeShort(root) : decodeFull(root)
  }

  // MARK: - The two forms

  private func decodeShort(_ root: PipelineNode) -> PipelineDefinition {
    var definition = PipelineDefinition()
    guard let object = ObjectReader(root, key: "", table: Self.shortTable, mistakes: mistakes) else {
      return definition
    }
    _ = object(Self.schema)
    definition.soak = object(Self.soak)
    let input = object(Self.source)
    let model = object(Self.model)
    let endpoint = object(Self.publish)
    guard let input, let model, let endpoint else { return definition }
    let position = object.position(of: Self.source.name)
    // As written: the name of the source must not tell what a variable holds.
    let name = MediaInput(input.written).shortName
    definition.sources = [SourceDefinition(name: name, position: position, input: input)]
    // A source that is called so would be taken for the stage.
    let detect = name == "detect" ? "detect-objects" : "detect"
    definition.stages = [
      StageDefinition(
        name: detect, position: object.position(of: Self.model.name), kind: .detect,
        from: EdgeDefinition(from: name, at: position, key: Self.source.name),
        options: .detect(DetectDefinition(model: model)))
    ]
    let place = object.position(of: Self.publish.name)
    definition.sinks = [
      SinkDefinition(
        name: name == "publish" ? "publish-events" : "publish", position: place,
        from: EdgeDefinition(from: detect, at: place, key: Self.publish.name), endpoint: endpoint)
    ]
    return definition
  }

  private func decodeFull(_ root: PipelineNode) -> PipelineDefinition {
    var definition = PipelineDefinition()
    guard let object = ObjectReader(root, key: "", table: Self.fullTable, mistakes: mistakes) else {
      return definition
    }
    _ = object(Self.schema)
    definition.soak = object(Self.soak)
    definition.sources = members(of: Self.sources, in: object) { reader, entry in
      reader.object(SourceDefinition.table).flatMap {
        SourceDefinition(name: entry.key, position: entry.position, $0)
      }
    }
    definition.stages = members(of: Self.stages, in: object) { reader, entry in
      guard let kind: StageDefinition.Kind = NodeKind.read(reader, name: entry.key) else { return nil }
      return reader.object(StageDefinition.table(kind)).map {
        StageDefinition(name: entry.key, position: entry.position, kind: kind, $0)
      }
    }
    definition.sinks = members(of: Self.sinks, in: object) { reader, entry in
      guard let kind: SinkDefinition.Kind = NodeKind.read(reader, name: entry.key) else { return nil }
      return reader.object(SinkDefinition.table(kind)).map {
        SinkDefinition(name: entry.key, position: entry.position, kind: kind, $0)
      }
    }
    let declared = [Self.sources, Self.stages, Self.sinks].flatMap { field in
      Self.names(of: field.name, in: root).map { (section: field.name, name: $0) }
    }
    PipelineChecks(definition, declared: declared, mistakes: mistakes).run()
    return definition
  }

  // MARK: - Sections

  /// A mapping of names; what they name is read by the kind of section.
  private static func section(_ name: String, _ about: String) -> Field<[PipelineNode.Entry]> {
    Field(
      name: name, form: .map(of: .object(FieldTable([])), naming: .node), about: about, isRequired: true,
      read: { $0.map(.node) { _, entry in entry } })
  }

  private func members<Value>(
    of section: Field<[PipelineNode.Entry]>, in object: ObjectReader,
    _ read: (ValueReader, PipelineNode.Entry) -> Value?
  ) -> [Value] {
    (object(section) ?? []).compactMap { entry in
      let key = YAMLTree.path(section.name, entry.key)
      return read(ValueReader(node: entry.value, key: key, mistakes: mistakes), entry)
    }
  }

  /// What a section declares, right or wrong.
  private static func names(of section: String, in root: PipelineNode) -> [String] {
    guard case .mapping(let entries) = root.content,
      case .mapping(let members)? = entries.first(where: { $0.key == section })?.value.content
    else { return [] }
    return members.map(\.key)
  }
}
