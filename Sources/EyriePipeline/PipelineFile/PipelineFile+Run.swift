import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieMedia
import EyrieVision

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
    var plan = RunPlan(
      sources: sources, detectors: detectors, sinks: definition.sinks.compactMap { $0.plan() },
      duration: nil, summary: nil)
    plan.objectStages = try resolution.objectStages.map { (stage) throws(EyrieFailure) in
      try stage.objectStagePlan(of: path)
    }
    try checkWays(plan)
    plan.keepWeakDetections()
    plan.shareCores()
    return plan
  }

  /// What comes to a stage or sink on two ways would come twice.
  private func checkWays(_ plan: RunPlan) throws(EyrieFailure) {
    for member in definition.members where member.takes == [.detections] {
      var seen: Set<String> = []
      for edge in member.from {
        let behind = plan.detectors(behind: [edge.from])
        guard let twice = behind.first(where: seen.contains) else {
          seen.formUnion(behind)
          continue
        }
        throw EyrieFailure(
          .usage,
          "\(path):\(edge.position.line): \(member.key): gets each frame of \(twice) twice, on two ways: let one stage "
            + "take from the other, and this one from the last")
      }
    }
  }

  private func whatCannotRun(_ resolution: EdgeResolution) -> [String] {
    var missing: [String] = []
    func refuse(_ object: some StringProtocol, _ line: Int) { missing.append("\(object) (line \(line))") }

    for stage in definition.stages {
      switch stage.kind {
      case .decode, .track, .classify, .embed: break
      case .resize:
        if resolution.detectors(behind: stage).count > 1 {
          refuse("a stage of kind resize that leads to several detectors", stage.position.line)
        }
      case .detect:
        if resolution.hasTwoWays(to: stage) {
          refuse("a second way from a source to the detector \(stage.name)", stage.position.line)
        }
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
    var plan = DetectorPlan(name: stage.name, model: path.value, isOfFile: true)
    model.apply(to: &plan.compile)
    plan.inputSize = inputSize
    plan.rect = rect ?? plan.rect
    plan.confidence = confidence
    plan.iou = suppression?.iou
    plan.classAgnostic = suppression?.classAgnostic
    plan.groups = suppression?.groups
    plan.classConfidence = classConfidence ?? [:]
    plan.every = every ?? 1
    plan.maxDetections = maxDetections
    plan.classes = classes
    plan.resizers = resizers
    return plan
  }
}

extension ModelDefinition {
  /// What the file says about running the model; the rest stays as it is.
  fileprivate func apply(to options: inout CompileOptions) {
    options.precision = precision ?? options.precision
    options.requestCount = requests ?? options.requestCount
  }
}

extension StageDefinition {
  /// - Parameter file: for messages.
  fileprivate func objectStagePlan(of file: String) throws(EyrieFailure) -> ObjectStagePlan {
    let work: ObjectStagePlan.Work
    switch options {
    case .track(let track):
      do throws(VisionError) {
        work = .track(try track.settings())
      } catch {
        throw EyrieFailure(.usage, "\(file):\(position.line): \(YAMLTree.path("stages", name)): \(error)")
      }
    case .classify(let classify):
      let purpose = CropModelPlan.Purpose.classify(
        topK: classify.topK ?? ClassifyDefinition.usualTopK,
        minConfidence: classify.minConfidence ?? ClassifyDefinition.usualMinConfidence)
      work = .look(cropModelPlan(classify.model, classify.crops, purpose))
    case .embed(let embed):
      let purpose = CropModelPlan.Purpose.embed(embed.subject ?? .crops, embed.encoding ?? .base64)
      work = .look(cropModelPlan(embed.model, embed.crops, purpose))
    case .none, .detect:
      throw EyrieFailure(.usage, "\(file):\(position.line): \(name) takes no detections")
    }
    return ObjectStagePlan(
      name: name, work: work,
      edges: from.map { EdgePlan(from: $0.from, capacity: $0.capacity, overflow: $0.overflow) })
  }

  private func cropModelPlan(
    _ model: ModelDefinition, _ crops: CropDefinition, _ purpose: CropModelPlan.Purpose
  ) -> CropModelPlan {
    var plan = CropModelPlan(name: name, model: model.path?.value ?? "", purpose: purpose)
    model.apply(to: &plan.compile)
    plan.compile.batch = crops.batch ?? plan.compile.batch
    plan.on = crops.on
    plan.padding = crops.padding ?? plan.padding
    plan.minBox = crops.minBox ?? plan.minBox
    plan.refresh = crops.refresh
    plan.batchTimeout = crops.batchTimeout.map { .seconds($0) } ?? plan.batchTimeout
    plan.timeout = crops.timeout.map { .seconds($0) }
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
