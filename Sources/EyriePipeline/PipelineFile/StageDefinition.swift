/// A stage of a pipeline file.
struct StageDefinition: Sendable {
  /// What a stage does.
  enum Kind: String, Sendable, CaseIterable {
    /// Packets become pictures.
    case decode
    /// Pictures are brought to the size of the model that follows.
    case resize
    /// Objects are found.
    case detect
    /// Objects get identities.
    case track
    /// What an object is, is told more precisely.
    case classify
    /// Objects become vectors that can be compared.
    case embed
  }

  /// What a stage does beyond its kind.
  enum Options: Sendable {
    case none
    case detect(DetectDefinition)
    case track(TrackDefinition)
    case classify(ClassifyDefinition)
    case embed(EmbedDefinition)
  }

  let name: String
  let position: SourcePosition
  let kind: Kind
  var from: [EdgeDefinition]
  let options: Options
  /// The keys that the file gives.
  let given: [ObjectReader.Given]

  /// The model that it runs, as the file has it; nil for none.
  var model: WrittenText? {
    switch options {
    case .none, .track: nil
    case .detect(let detect): detect.model.path
    case .classify(let classify): classify.model.path
    case .embed(let embed): embed.model.path
    }
  }

  private static let from = Field<[EdgeDefinition]>.edges("from", "The sources or stages to take from.")
    .required

  /// The keys of a stage of a kind.
  static func table(_ kind: Kind) -> FieldTable {
    let more: [any FieldDescription] =
      switch kind {
      case .decode, .resize: []
      case .track: TrackDefinition.fields
      case .detect: DetectDefinition.fields
      case .classify: ClassifyDefinition.fields
      case .embed: EmbedDefinition.fields
      }
    return FieldTable([NodeKind.field([kind.rawValue]), from] + more)
  }

  init(name: String, position: SourcePosition, kind: Kind, _ object: ObjectReader) {
    self.name = name
    self.position = position
    self.kind = kind
    from = object(Self.from) ?? []
    options =
      switch kind {
      case .decode, .resize: .none
      case .track: .track(TrackDefinition(object))
      case .detect: .detect(DetectDefinition(object))
      case .classify: .classify(ClassifyDefinition(object))
      case .embed: .embed(EmbedDefinition(object))
      }
    given = object.given
  }

  /// A stage that the file does not spell out.
  init(name: String, position: SourcePosition, kind: Kind, from: EdgeDefinition, options: Options) {
    self.name = name
    self.position = position
    self.kind = kind
    self.from = [from]
    self.options = options
    given = []
  }
}
