import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieMedia

extension PipelineFile {
  /// What a run of this pipeline is to do.
  /// - Throws: `EyrieFailure` of kind usage that names everything in the file that a run cannot do yet.
  public func plan() throws(EyrieFailure) -> RunPlan {
    let resolution = EdgeResolution(definition)
    let missing = whatCannotRun(resolution)
    guard missing.isEmpty else {
      let list = missing.prefix(8).joined(separator: ", ") + (missing.count > 8 ? ", …" : "")
      throw EyrieFailure(.usage, "\(path): 'eyrie run' cannot do this yet: \(list)")
    }
    var sources: [SourcePlan] = []
    for source in definition.sources { sources.append(try source.plan()) }
    let detectors = definition.stages.compactMap { stage -> DetectorPlan? in
      var plan = stage.detector.flatMap { $0.plan(of: stage, resizers: resolution.resizers(of: stage)) }
      plan?.tune(for: sources)
      return plan
    }
    return RunPlan(
      sources: sources, detectors: detectors, sinks: definition.sinks.compactMap { $0.plan() },
      duration: nil, summary: nil)
  }

  private func whatCannotRun(_ resolution: EdgeResolution) -> [String] {
    var missing: [String] = []
    func refuse(_ object: some StringProtocol, _ line: Int) { missing.append("\(object) (line \(line))") }

    for stage in definition.stages {
      switch stage.kind {
      case .decode: break
      case .resize:
        if resolution.detectors(behind: stage).count > 1 {
          refuse("a stage of kind resize that leads to several detectors", stage.position.line)
        }
      case .detect:
        if resolution.hasTwoWays(to: stage) {
          refuse("a second way from a source to the detector \(stage.name)", stage.position.line)
        }
      case .track, .classify, .embed:
        refuse("a stage of kind \(stage.kind.rawValue)", stage.position.line)
      }
      for key in stage.given where key.name == "class_confidence" { refuse(key.path, key.position.line) }
      for key in stage.detector?.suppression?.given ?? [] where key.name == "groups" {
        refuse(key.path, key.position.line)
      }
    }
    return missing
  }
}

extension SourceDefinition {
  fileprivate func plan() throws(EyrieFailure) -> SourcePlan {
    let input = MediaInput(self.input.value)
    var plan = SourcePlan(id: try RunPlan.sourceID(name), input: input, reading: reading)
    plan.pacing = pacing ?? plan.pacing
    plan.loop = loop ?? plan.loop
    plan.maxFrames = maxFrames
    plan.frozenAfter = frozenAfter.map { .seconds($0) }
    // An address that is no live source, of HTTP say, is opened again where the file asks for that.
    if input.isLive || (reconnect != nil && input.isRemote) {
      var again = SourcePlan.Reconnect()
      if let reconnect {
        let cap = reconnect.maxDelay.map { Duration.seconds($0) }
        let initial =
          reconnect.minDelay.map { Duration.seconds($0) } ?? min(again.backoff.initial, cap ?? .seconds(1))
        again.backoff = Backoff(initial: initial, cap: cap ?? max(again.backoff.cap, initial))
        again.maxAttempts = reconnect.maxAttempts == 0 ? nil : reconnect.maxAttempts
      }
      plan.reconnect = again
    }
    return plan
  }
}

extension DetectDefinition {
  fileprivate func plan(of stage: StageDefinition, resizers: [ResizePlan]) -> DetectorPlan? {
    guard let path = model.path else { return nil }
    var plan = DetectorPlan(name: stage.name, model: path.value)
    plan.compile.precision = model.precision ?? plan.compile.precision
    plan.compile.requestCount = model.requests
    plan.compile.inputWidth = inputSize?.width
    plan.compile.inputHeight = inputSize?.height
    plan.confidence = confidence
    plan.iou = suppression?.iou
    plan.classAgnostic = suppression?.classAgnostic
    plan.maxDetections = maxDetections
    plan.classes = classes
    plan.resizers = resizers
    return plan
  }
}

extension SinkDefinition {
  fileprivate func plan() -> SinkPlan? {
    guard let target = target?.value else { return nil }
    let edges = from.map { EdgePlan(from: $0.from, capacity: $0.capacity, overflow: $0.overflow) }
    let key = YAMLTree.path("sinks", name)
    switch kind {
    case .zeromq:
      return SinkPlan(
        name: name, target: .zeromq(endpoint: target, waitSubscribers: waitSubscribers ?? 0),
        origin: key + ".endpoint", edges: edges)
    case .jsonl:
      return SinkPlan(name: name, target: .jsonl(path: target), origin: key + ".path", edges: edges)
    case .annotate:
      return SinkPlan(name: name, target: .annotate(path: target), origin: key + ".path", edges: edges)
    }
  }
}

extension StageDefinition {
  /// What it detects with; nil for a stage of another kind.
  var detector: DetectDefinition? {
    if case .detect(let detect) = options { detect } else { nil }
  }
}
