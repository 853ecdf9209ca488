import EyrieGraph

extension PipelineFile {
  /// The graph as a Mermaid flowchart: values of variables and credentials are not in it.
  public var mermaid: String { PipelineDiagram(definition).text }
}

/// Writes a pipeline as a Mermaid flowchart.
struct PipelineDiagram {
  private let definition: PipelineDefinition
  private let members: [PipelineDefinition.Member]

  init(_ definition: PipelineDefinition) {
    self.definition = definition
    members = definition.members
  }

  var text: String {
    var lines = ["flowchart LR"]
    var identifiers: [String: String] = [:]
    for (index, member) in members.enumerated() {
      let identifier = "n\(index)"
      identifiers[member.name] = identifier
      let label =
        "\"" + ([member.name] + details(of: member)).map(Self.escaped).joined(separator: "<br/>") + "\""
      switch member.role {
      case .source: lines.append("  \(identifier)([\(label)])")
      case .stage: lines.append("  \(identifier)[\(label)]")
      case .sink: lines.append("  \(identifier)[/\(label)/]")
      }
    }
    for member in members {
      for edge in member.from {
        guard let giver = identifiers[edge.from], let taker = identifiers[member.name] else { continue }
        let queue = definition.queue(of: edge, to: member)
        lines.append(queue.map { "  \(giver) -- \"\($0)\" --> \(taker)" } ?? "  \(giver) --> \(taker)")
      }
    }
    return lines.joined(separator: "\n")
  }

  /// What is worth knowing beside the name.
  private func details(of member: PipelineDefinition.Member) -> [String] {
    switch member.role {
    case .source:
      return definition.sources.filter { $0.name == member.name }.map { "\($0.input)" }
    case .stage:
      let model = definition.stages.first { $0.name == member.name }?.model.map { "\($0)" }
      return [member.kind == member.name ? nil : member.kind, model].compactMap(\.self)
    case .sink:
      let target = definition.sinks.first { $0.name == member.name }?.target.map { "\($0)" }
      return [member.kind == member.name ? nil : member.kind, target].compactMap(\.self)
    }
  }

  /// Mermaid takes a label as text with entities: whatever could end it, or be taken for markup, becomes one.
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "#quot;"
      case "<": result += "#lt;"
      case ">": result += "#gt;"
      case "&": result += "#amp;"
      case "#", "`", "\\": result += "#\(scalar.value);"
      default: result.unicodeScalars.append(scalar.value < 0x20 || scalar.value == 0x7F ? " " : scalar)
      }
    }
    return result
  }
}

extension PipelineDefinition {
  /// The queue of an edge.
  struct Queue: CustomStringConvertible {
    let capacity: Int
    let overflow: OverflowPolicy

    var description: String { "\(capacity), \(overflow.rawValue)" }
  }

  /// The queue of an edge, with the defaults where the file does not say: frames of files wait, frames of live
  /// sources make room for newer ones.
  /// - Returns: nil where there is no queue, between a source and its decoder, or where it depends on the source.
  func queue(of edge: EdgeDefinition, to member: Member) -> Queue? {
    guard member.takes != [.packets] else { return nil }
    let giver = members.first { $0.name == edge.from }?.gives
    guard giver == .packets || giver == .frames else {
      return Queue(
        capacity: edge.capacity ?? (member.kind == SinkDefinition.Kind.annotate.rawValue ? 2 : 8),
        overflow: edge.overflow ?? .suspend)
    }
    let live = Set(sources(above: edge.from).map(\.isLive))
    // Files and live sources behind one decoder have queues of their own.
    guard let isLive = live.first, live.count == 1 || (edge.capacity != nil && edge.overflow != nil) else {
      return nil
    }
    return Queue(
      capacity: edge.capacity ?? (isLive ? 1 : 4),
      overflow: edge.overflow ?? (isLive ? .dropOldest : .suspend))
  }

  /// The sources whose frames come out of a source or a decoder.
  private func sources(above name: String) -> [SourceDefinition] {
    if let source = sources.first(where: { $0.name == name }) { return [source] }
    let names = stages.first { $0.name == name }?.from.map(\.from) ?? []
    return sources.filter { names.contains($0.name) }
  }
}
