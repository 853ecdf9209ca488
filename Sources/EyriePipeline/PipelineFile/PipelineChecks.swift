/// Checks that sources, stages and sinks make a graph: names, references, types, loose ends and cycles.
struct PipelineChecks {
  private let definition: PipelineDefinition
  private let members: [PipelineDefinition.Member]
  private let byName: [String: PipelineDefinition.Member]
  /// What the file declares, also where it is wrong and the definition lacks it.
  private let declared: [(section: String, name: String)]
  private let mistakes: MistakeCollector

  init(
    _ definition: PipelineDefinition, declared: [(section: String, name: String)],
    mistakes: MistakeCollector
  ) {
    self.definition = definition
    self.declared = declared
    self.mistakes = mistakes
    members = definition.members
    byName = Dictionary(members.map { ($0.name, $0) }) { first, _ in first }
  }

  func run() {
    checkNames()
    for member in members { checkReferences(of: member) }
    checkLooseEnds()
    checkCycles()
    checkTargets()
    checkIntervals()
  }

  private func checkNames() {
    var taken: [String: PipelineDefinition.Member] = [:]
    for member in members {
      if let other = taken[member.name] {
        mistakes.add(
          member.position, member.key,
          "the name is taken by \(other.key) in line \(other.position.line), expected another one: sources, "
            + "stages and sinks share their names")
      } else {
        taken[member.name] = member
      }
    }
  }

  // MARK: - References

  private func checkReferences(of member: PipelineDefinition.Member) {
    var seen: Set<String> = []
    for edge in member.from {
      let shown = PipelineNode.shown(edge.from)
      guard seen.insert(edge.from).inserted else {
        mistakes.add(edge.position, edge.key, "names '\(shown)' twice, expected each name once")
        continue
      }
      guard let giver = byName[edge.from] else {
        if !declared.contains(where: { $0.name == edge.from }) {
          let names = declared.filter { $0.section != "sinks" && $0.name != member.name }.map(\.name)
          mistakes.add(
            edge.position, edge.key, "found '\(shown)', expected the name of a source or stage",
            nearestTo: edge.from, among: names)
        }
        continue
      }
      checkType(from: giver, to: member, edge)
    }
  }

  private func checkType(
    from giver: PipelineDefinition.Member, to member: PipelineDefinition.Member, _ edge: EdgeDefinition
  ) {
    let shown = PipelineNode.shown(giver.name)
    guard let item = giver.gives else {
      return mistakes.add(
        edge.position, edge.key, "'\(shown)' is a sink and gives nothing, expected a source or stage")
    }
    guard member.takes.contains(item) else {
      let wanted = member.takes.map(\.description).joined(separator: " or ")
      return mistakes.add(
        edge.position, edge.key,
        "'\(shown)' (\(giver.kind)) gives \(item.description), but \(member.kind) takes \(wanted): "
          + "expected \(Self.givers(of: member.takes))")
    }
    if member.takes == [.packets], edge.capacity != nil || edge.overflow != nil {
      mistakes.add(
        edge.position, edge.key,
        "has capacity or overflow, but no queue lies between a source and its decoder: expected them where "
          + "'\(PipelineNode.shown(member.name))' is taken from")
    }
  }

  private static func givers(of items: [ItemType]) -> String {
    var names = StageDefinition.Kind.allCases.filter { items.contains($0.gives) }.map(\.rawValue)
    if items.contains(.packets) { names.insert("a source", at: 0) }
    return names.dropLast().isEmpty
      ? names.joined() : names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")
  }

  // MARK: - The graph as a whole

  /// Where it cannot be known what takes from what, nothing is said: it would follow from another mistake.
  private func checkLooseEnds() {
    guard declared.count == members.count, members.allSatisfy({ $0.role == .source || !$0.from.isEmpty })
    else {
      return
    }
    var taken: Set<String> = []
    for name in members.flatMap({ $0.from.map(\.from) }) {
      // A name that was mistyped counts as the one that was meant.
      taken.insert(byName[name] == nil ? nearest(name) ?? name : name)
    }
    for member in members where member.gives != nil && !taken.contains(member.name) {
      mistakes.add(
        member.position, member.key,
        "nothing takes from it, expected its name in the 'from' of a stage or sink")
    }
  }

  private func nearest(_ name: String) -> String? {
    MistakeCollector.nearest(name, among: members.filter { $0.gives != nil }.map(\.name))
  }

  private func checkCycles() {
    var left = Set(definition.stages.map(\.name))
    while true {
      prune(&left)
      guard let start = definition.stages.first(where: { left.contains($0.name) }) else { return }
      // Each stage that is left takes from another one that is left: going on must come back.
      var path = [start.name]
      var places = [start.name: 0]
      var cycle = path[...]
      while let current = path.last,
        let next = byName[current]?.from.lazy.map(\.from).first(where: left.contains)
      {
        if let index = places[next] {
          cycle = path[index...]
          break
        }
        places[next] = path.count
        path.append(next)
      }
      report(Array(cycle.reversed()))
      left.subtract(cycle)
    }
  }

  /// Takes out what takes from nothing that is left, again and again.
  private func prune(_ left: inout Set<String>) {
    var changed = true
    while changed {
      changed = false
      for name in left where !(byName[name]?.from.contains { left.contains($0.from) } ?? false) {
        left.remove(name)
        changed = true
      }
    }
  }

  private func report(_ cycle: [String]) {
    let places = cycle.compactMap { byName[$0] }
    guard let first = places.min(by: { $0.position < $1.position }),
      let start = cycle.firstIndex(of: first.name)
    else { return }
    let order = cycle[start...] + cycle[..<start] + [first.name]
    let shown = order.prefix(12).map { PipelineNode.shown($0) } + (order.count > 12 ? ["…"] : [])
    mistakes.add(
      first.position, YAMLTree.path(first.key, "from"),
      "is a cycle: \(shown.joined(separator: " → ")); expected a graph that ends in sinks")
  }

  /// Two sinks that write to one place would destroy each other's work.
  private func checkTargets() {
    var taken: [String: SinkDefinition] = [:]
    for sink in definition.sinks {
      guard let target = sink.target else { continue }
      if let other = taken[target.value] {
        mistakes.add(
          sink.position, YAMLTree.path("sinks", sink.name),
          "writes to the same place as sinks.\(PipelineNode.shown(other.name)), expected another one")
      } else {
        taken[target.value] = sink
      }
    }
  }

  /// Without a tracker the frames between two detections would look empty.
  private func checkIntervals() {
    for stage in definition.stages {
      guard let every = stage.detector?.every, every > 1,
        let key = stage.given.first(where: { $0.name == "every" })
      else { continue }
      for taker in members where taker.from.contains(where: { $0.from == stage.name }) {
        if taker.kind == StageDefinition.Kind.track.rawValue { continue }
        mistakes.add(
          key.position, key.path,
          "leaves frames without detections, but \(taker.key) takes them as they are: expected a stage of kind track "
            + "between, or 'every' at the source")
      }
    }
  }
}
