import EyrieGraph
import EyrieInference

extension PipelineFile {
  /// The options of a run of this pipeline.
  ///
  /// A run takes one source through one detector, to at most one sink of each kind.
  /// - Throws: `EyrieFailure` of kind usage that names everything in the file that a run cannot do yet.
  public func runOptions() throws(EyrieFailure) -> RunOptions {
    let missing = whatCannotRun()
    guard missing.isEmpty, let source = definition.sources.first,
      let detect = definition.stages.compactMap(\.detector).first, let model = detect.model.path
    else {
      let list = missing.prefix(8).joined(separator: ", ") + (missing.count > 8 ? ", …" : "")
      throw EyrieFailure(
        .usage, "\(path): 'eyrie run' cannot do this yet: \(list); it takes one source through one detector")
    }
    var options = RunOptions(input: source.input.value, model: model.value)
    options.source = source.name
    options.loop = source.loop ?? options.loop
    options.pacing = source.pacing ?? options.pacing
    options.maxFrames = source.maxFrames
    options.rtspTransport = source.transport ?? options.rtspTransport
    options.openTimeout = source.openTimeout ?? options.openTimeout
    options.readTimeout = source.readTimeout
    options.precision = detect.model.precision ?? options.precision
    options.requests = detect.model.requests
    options.inputSize = detect.inputSize.map { ($0.width, $0.height) }
    options.confidence = detect.confidence
    options.classes = detect.classes
    options.maxDetections = detect.maxDetections
    options.iou = detect.suppression?.iou
    options.classAgnostic = detect.suppression?.classAgnostic
    options.overflow = frameEdges.lazy.compactMap(\.overflow).first
    for sink in definition.sinks {
      switch sink.kind {
      case .zeromq:
        options.publish = sink.target?.value
        options.waitSubscribers = sink.waitSubscribers ?? options.waitSubscribers
      case .jsonl: options.jsonl = sink.target?.value
      case .annotate: options.annotate = sink.target?.value
      }
    }
    return options
  }

  /// The edges on which frames wait for a detector.
  private var frameEdges: [EdgeDefinition] {
    definition.stages.filter { $0.kind != .decode }.flatMap(\.from).filter { edge in
      definition.sources.contains { $0.name == edge.from }
        || definition.stages.contains { $0.name == edge.from && $0.kind == .decode }
    }
  }

  private func whatCannotRun() -> [String] {
    var missing: [String] = []
    func refuse(_ object: some StringProtocol, _ line: Int) { missing.append("\(object) (line \(line))") }

    if let second = definition.sources.dropFirst().first {
      refuse("more than one source", second.position.line)
    }
    let supported: Set = [
      "input", "loop", "pacing", "max_frames", "transport", "open_timeout", "read_timeout",
    ]
    for source in definition.sources.prefix(1) {
      for key in source.given where !supported.contains(key.name) { refuse(key.path, key.position.line) }
    }
    if definition.sources.count == 1, let second = frameEdges.dropFirst().first {
      refuse("a second way from the source to a detector", second.position.line)
    }
    var kinds: Set<StageDefinition.Kind> = []
    for stage in definition.stages {
      switch stage.kind {
      case .decode, .resize, .detect:
        if !kinds.insert(stage.kind).inserted {
          refuse("a second stage of kind \(stage.kind.rawValue)", stage.position.line)
        }
      case .track, .classify, .embed:
        refuse("a stage of kind \(stage.kind.rawValue)", stage.position.line)
      }
      for key in stage.given where key.name == "class_confidence" { refuse(key.path, key.position.line) }
      for key in stage.detector?.suppression?.given ?? [] where key.name == "groups" {
        refuse(key.path, key.position.line)
      }
    }
    var sinks: Set<SinkDefinition.Kind> = []
    for sink in definition.sinks where !sinks.insert(sink.kind).inserted {
      refuse("a second sink of kind \(sink.kind.rawValue)", sink.position.line)
    }
    let frameQueues = Set(frameEdges.map(\.key))
    for edge in definition.members.flatMap(\.from) {
      if edge.capacity != nil { refuse("\(edge.key).capacity", edge.position.line) }
      if let overflow = edge.overflow, overflow != .suspend, !frameQueues.contains(edge.key) {
        refuse("\(edge.key).overflow", edge.position.line)
      }
    }
    return missing
  }
}

extension StageDefinition {
  /// What it detects with; nil for a stage of another kind.
  var detector: DetectDefinition? {
    if case .detect(let detect) = options { detect } else { nil }
  }
}
