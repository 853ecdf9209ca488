/// What a pipeline file describes, checked as a whole by `PipelineChecks`.
struct PipelineDefinition: Sendable {
  /// In the order of the file, as are the next two.
  var sources: [SourceDefinition] = []
  var stages: [StageDefinition] = []
  var sinks: [SinkDefinition] = []
  var soak: SoakLimits?
}

/// What goes along an edge.
enum ItemType: Sendable {
  case packets
  case frames
  /// Pictures in the size of a model.
  case inputs
  case detections

  var description: String {
    switch self {
    case .packets: "undecoded video"
    case .frames: "frames"
    case .inputs: "resized frames"
    case .detections: "detections"
    }
  }
}

extension StageDefinition.Kind {
  /// What it can be given. Decoding and resizing are put in where a file leaves them out.
  var takes: [ItemType] {
    switch self {
    case .decode: [.packets]
    case .resize: [.packets, .frames]
    case .detect: [.packets, .frames, .inputs]
    case .track, .classify, .embed: [.detections]
    }
  }

  var gives: ItemType {
    switch self {
    case .decode: .frames
    case .resize: .inputs
    case .detect, .track, .classify, .embed: .detections
    }
  }
}

extension PipelineDefinition {
  /// A source, stage or sink as the graph sees it.
  struct Member {
    enum Role {
      case source
      case stage
      case sink
    }

    let name: String
    let role: Role
    /// Its kind, for messages.
    let kind: String
    let position: SourcePosition
    let from: [EdgeDefinition]
    let takes: [ItemType]
    /// nil for a sink.
    let gives: ItemType?

    /// The path of its key.
    var key: String { YAMLTree.path("\(role)s", name) }
  }

  var members: [Member] {
    sources.map {
      Member(
        name: $0.name, role: .source, kind: "source", position: $0.position, from: [], takes: [],
        gives: .packets)
    }
      + stages.map {
        Member(
          name: $0.name, role: .stage, kind: $0.kind.rawValue, position: $0.position, from: $0.from,
          takes: $0.kind.takes, gives: $0.kind.gives)
      }
      + sinks.map {
        Member(
          name: $0.name, role: .sink, kind: $0.kind.rawValue, position: $0.position, from: $0.from,
          takes: [.detections], gives: nil)
      }
  }
}
