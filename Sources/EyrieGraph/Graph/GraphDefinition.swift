/// Which stages there are, and how they are joined. A plain value: nothing runs yet.
///
///     var definition = GraphDefinition()
///     definition.add("decode", source: decode)
///     definition.add("detect", transform: detect)
///     definition.add("publish", sink: publish)
///     definition.connect("decode", to: "detect", capacity: 2, overflow: .suspend)
///     definition.connect("detect", to: "publish", capacity: 4, overflow: .suspend)
///     let graph = try StageGraph(definition)
public struct GraphDefinition: Sendable {
  struct EdgeDefinition: Sendable {
    let from: String
    let to: String
    let capacity: Int
    let overflow: OverflowPolicy
  }

  private(set) var nodes: [any GraphNode] = []
  private(set) var edges: [EdgeDefinition] = []

  /// Whether the run goes on without sources until it is stopped.
  let keepsRunning: Bool

  /// A definition with no stages.
  /// - Parameter keepsRunning: whether the run goes on when no source is left (because none was there yet, or all
  ///   were removed, ended or failed), since more may be added (`StageGraph.add`). It then ends when it is stopped.
  public init(keepsRunning: Bool = false) {
    self.keepsRunning = keepsRunning
  }

  /// Adds a stage that makes items.
  /// - Parameters:
  ///   - restart: whether it is started again when it fails.
  ///   - onFailure: what follows when it has failed for good.
  public mutating func add(
    _ name: String, source: some SourceStage, restart: RestartPolicy = .never,
    onFailure: SourceFailurePolicy = .failRun
  ) {
    nodes.append(SourceNode(name: name, stage: source, restart: restart, onFailure: onFailure))
  }

  /// Adds a stage that turns items into items.
  public mutating func add(_ name: String, transform: some TransformStage) {
    nodes.append(TransformNode(name: name, stage: transform))
  }

  /// Adds a stage where items end.
  public mutating func add(_ name: String, sink: some SinkStage) {
    nodes.append(SinkNode(name: name, stage: sink))
  }

  /// Joins two stages. Several edges from one stage copy its items to all; several edges into one stage are
  /// served round robin.
  /// - Parameters:
  ///   - capacity: how many items may wait on the edge, at least 1.
  ///   - overflow: what happens when they are that many.
  public mutating func connect(_ from: String, to: String, capacity: Int, overflow: OverflowPolicy) {
    edges.append(EdgeDefinition(from: from, to: to, capacity: capacity, overflow: overflow))
  }

  /// Every mistake in the definition, one sentence each; none when it can run.
  public func problems() -> [String] {
    nameProblems() + edges.flatMap(edgeProblems) + danglingProblems() + cycleProblems()
  }

  private func node(_ name: String) -> (any GraphNode)? {
    nodes.first { $0.name == name }
  }

  private func nameProblems() -> [String] {
    if nodes.isEmpty { return ["it has no stages"] }
    var seen: Set<String> = []
    return nodes.compactMap { seen.insert($0.name).inserted ? nil : "two stages are named '\($0.name)'" }
  }

  private func edgeProblems(_ edge: EdgeDefinition) -> [String] {
    let label = "the edge \(edge.from) → \(edge.to)"
    var problems: [String] = []
    if edge.capacity < 1 {
      problems.append("\(label) has room for \(edge.capacity) items; it needs at least 1")
    }
    if edges.count(where: { $0.from == edge.from && $0.to == edge.to }) > 1 {
      problems.append("\(label) is declared more than once")
    }
    guard let from = node(edge.from) else { return problems + ["\(label) starts at an unknown stage"] }
    guard let to = node(edge.to) else { return problems + ["\(label) leads to an unknown stage"] }
    switch (from.outputType, to.inputType) {
    case (nil, _): problems.append("\(label) starts at a sink, which emits nothing")
    case (_, nil): problems.append("\(label) leads to a source, which receives nothing")
    case (let output?, let input?) where output != input:
      problems.append("\(label) carries \(output), but \(edge.to) takes \(input)")
    default: break
    }
    return problems
  }

  private func danglingProblems() -> [String] {
    nodes.flatMap { node in
      var problems: [String] = []
      if node.inputType != nil, !keepsRunning, !edges.contains(where: { $0.to == node.name }) {
        problems.append("nothing leads to stage '\(node.name)'")
      }
      if node.outputType != nil, !edges.contains(where: { $0.from == node.name }) {
        problems.append("nothing takes what stage '\(node.name)' emits")
      }
      return problems
    }
  }

  /// Kahn's algorithm: what is left when every stage without incoming edges has been removed lies on, or
  /// behind, a cycle.
  private func cycleProblems() -> [String] {
    var remaining = Set(nodes.map(\.name))
    while true {
      let free = remaining.filter { name in
        !edges.contains { $0.to == name && remaining.contains($0.from) }
      }
      if free.isEmpty { break }
      remaining.subtract(free)
    }
    return remaining.isEmpty ? [] : ["a cycle runs through " + remaining.sorted().joined(separator: ", ")]
  }
}
