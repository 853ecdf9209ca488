import Yams

/// Turns the nodes of Yams into a tree with places: refuses aliases, tags and keys that are no text, substitutes
/// variables. Each mistake is reported, and what it spoils is marked as refused.
struct YAMLTree {
  private static let mostDepth = 32
  private static let knownTags: Set<String> = [
    "", "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float",
    "tag:yaml.org,2002:bool", "tag:yaml.org,2002:null", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq",
  ]

  private let mistakes: MistakeCollector
  private let variables: VariableSubstitution
  private let renamed: [SourcePosition: String]
  private var lastScalar = SourcePosition(line: 0, column: 0)
  private var lastContainer = SourcePosition(line: 0, column: 0)

  /// - Returns: nil when the text is no YAML or holds nothing; that has then been reported.
  static func parse(
    _ text: String, environment: [String: String], mistakes: MistakeCollector
  ) -> PipelineNode? {
    guard let document = YAMLComposer.compose(text, mistakes: mistakes) else { return nil }
    guard let root = document.root else {
      mistakes.add(.start, "", "the file is empty, expected a pipeline: sources, stages and sinks")
      return nil
    }
    var tree = YAMLTree(
      mistakes: mistakes, variables: VariableSubstitution(environment: environment), renamed: document.renamed
    )
    return tree.node(root, key: "", depth: 0)
  }

  private init(
    mistakes: MistakeCollector, variables: VariableSubstitution, renamed: [SourcePosition: String]
  ) {
    self.mistakes = mistakes
    self.variables = variables
    self.renamed = renamed
  }

  private mutating func node(_ node: Yams.Node, key: String, depth: Int) -> PipelineNode {
    let position = Self.position(of: node)
    func refused(_ message: String) -> PipelineNode {
      mistakes.add(position, key, message)
      return PipelineNode(content: .refused, position: position)
    }
    guard depth < Self.mostDepth else { return refused("is nested too deeply") }
    guard !isAlias(node, at: position) else {
      return refused(
        "is an alias (*name) or was given to one; aliases are not supported: write the value out")
    }
    guard Self.knownTags.contains(Self.tag(of: node)) else {
      return refused("has a tag (!name), which has no meaning here; leave it out")
    }
    switch node {
    case .alias: return refused("is an alias (*name); aliases are not supported: write the value out")
    case .scalar(let scalar): return self.scalar(scalar, key: key, at: position)
    case .sequence(let items):
      var list: [PipelineNode] = []
      for (index, item) in items.enumerated() {
        list.append(self.node(item, key: "\(key)[\(index)]", depth: depth + 1))
      }
      return PipelineNode(content: .list(list), position: position)
    case .mapping(let pairs): return mapping(pairs, key: key, at: position, depth: depth)
    }
  }

  private mutating func mapping(
    _ pairs: Yams.Node.Mapping, key: String, at position: SourcePosition, depth: Int
  ) -> PipelineNode {
    var entries: [PipelineNode.Entry] = []
    var lines: [String: Int] = [:]
    for (name, value) in pairs {
      let place = Self.position(of: name)
      guard case .scalar(let scalar) = name, !isAlias(name, at: place) else {
        mistakes.add(place, key, "a key must be a name, not a list, a mapping or an alias")
        continue
      }
      let text = renamed[place] ?? scalar.string
      let path = Self.path(key, text)
      // It is read even if it is thrown away, for the mistakes in it.
      let node = self.node(value, key: path, depth: depth + 1)
      if let line = lines[text] {
        mistakes.add(place, path, "is given twice: line \(line) has it already")
      } else {
        lines[text] = place.line
        entries.append(PipelineNode.Entry(key: text, position: place, value: node))
      }
    }
    return PipelineNode(content: .mapping(entries), position: position)
  }

  private func scalar(_ scalar: Yams.Node.Scalar, key: String, at position: SourcePosition) -> PipelineNode {
    let isPlain = scalar.style == .plain && Self.tag(of: .scalar(scalar)) != "tag:yaml.org,2002:str"
    do throws(VariableSubstitution.Mistake) {
      let (text, substituted) = try variables.apply(scalar.string)
      return PipelineNode(
        content: .scalar(
          PipelineNode.Scalar(
            text: text, written: scalar.string, isPlain: isPlain, isSubstituted: substituted)),
        position: position)
    } catch {
      mistakes.add(position, key, error.message)
      return PipelineNode(content: .refused, position: position)
    }
  }

  /// Yams puts the node that an alias names in its place: it shows by being behind something that stands
  /// further down.
  private mutating func isAlias(_ node: Yams.Node, at position: SourcePosition) -> Bool {
    let last: SourcePosition
    switch node {
    case .scalar(let scalar):
      // An empty value takes the place of what follows it.
      if scalar.string.isEmpty { return position < max(lastScalar, lastContainer) }
      last = lastScalar
      if position > last { lastScalar = position }
    default:
      last = lastContainer
      if position > last { lastContainer = position }
    }
    return position <= last || position < max(lastScalar, lastContainer)
  }

  /// The path of a key, such as `sources.cam1.every`.
  static func path(_ parent: String, _ key: String) -> String {
    let shown = PipelineNode.shown(key)
    return parent.isEmpty ? shown : "\(parent).\(shown)"
  }

  private static func tag(of node: Yams.Node) -> String {
    switch node {
    case .scalar(let scalar): scalar.tag.description
    case .sequence(let items): items.tag.description
    case .mapping(let pairs): pairs.tag.description
    case .alias: ""
    }
  }

  private static func position(of node: Yams.Node) -> SourcePosition {
    node.mark.map { SourcePosition(line: max($0.line, 1), column: max($0.column, 1)) } ?? .start
  }
}
