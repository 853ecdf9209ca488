import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieMedia
import EyrieVision

/// Joins the stages of a run.
struct RunGraph {
  let sources: [DecodeStage]
  /// In the same order.
  let plans: [SourcePlan]
  let detectors: [RunningDetector]
  let objectStages: [RunningObjectStage]
  let outlets: RunOutlets
  let log: @Sendable (String) -> Void

  /// What the stage that decodes a source is called. No name of a file has a slash, so none is the same.
  static func decoder(of source: String) -> String { "\(decoderPrefix)\(source)" }

  /// The kind of a stage: all that decode are called `decode` in events and summaries.
  static func kind(of stage: String) -> String { stage.hasPrefix(decoderPrefix) ? "decode" : stage }

  /// The source that a stage decodes; nil for any other stage.
  static func source(of stage: String) -> String? {
    stage.hasPrefix(decoderPrefix) ? String(stage.dropFirst(decoderPrefix.count)) : nil
  }

  /// What the stage that cuts the crops for another one is called.
  static func cropper(of stage: String) -> String { "crop/\(stage)" }

  private static let decoderPrefix = "decode/"

  func build() throws(EyrieFailure) -> StageGraph {
    var definition = GraphDefinition()
    for (decode, plan) in zip(sources, plans) {
      definition.add(
        Self.decoder(of: plan.id.value), source: decode,
        restart: plan.reconnect.map { .restart($0.backoff) }
          ?? (plan.faults == nil ? .never : .restart(.live)),
        onFailure: plans.count > 1 ? .endSource : .failRun)
    }
    for detector in detectors { add(detector, to: &definition) }
    for stage in objectStages { add(stage, to: &definition) }
    outlets.add(to: &definition)
    do throws(GraphError) {
      return try StageGraph(definition)
    } catch {
      throw EyrieFailure(.usage, "\(error)")
    }
  }

  private func add(_ detector: RunningDetector, to definition: inout GraphDefinition) {
    let sessions = detector.sessions
    let live = Set(plans.filter(\.input.isLive).map(\.id.value))
    let modelName = sessions.model.name
    let detect = DetectStage(requests: sessions.slots.count, setup: detector.setup) { [log] note in
      log("model \(modelName): \(note)")
    }
    definition.add(detector.plan.name, transform: detect)
    for resizer in detector.plan.resizers {
      definition.add(resizer.name, transform: ResizeStage(sessions: sessions, every: detector.plan.every))
      for edge in resizer.frames {
        // A queue of raw frames costs memory and, live, latency: it only evens out decoding.
        let isLive = live.contains(edge.from)
        definition.connect(
          Self.decoder(of: edge.from), to: resizer.name, capacity: edge.capacity ?? (isLive ? 1 : 4),
          overflow: edge.overflow ?? (isLive ? .dropOldest : .suspend))
      }
      definition.connect(
        resizer.name, to: detector.plan.name, capacity: resizer.results.capacity ?? sessions.slots.count,
        overflow: resizer.results.overflow ?? .suspend)
    }
  }

  private func add(_ stage: RunningObjectStage, to definition: inout GraphDefinition) {
    let name = stage.plan.name
    var entrance = name
    switch stage.work {
    case .track(let settings): definition.add(name, transform: TrackStage(settings: settings, log: log))
    case .look(let model, let batcher):
      entrance = Self.cropper(of: name)
      definition.add(entrance, transform: CropStage(model, batcher: batcher))
      definition.add(name, transform: ClassifyStage(model.plan))
      definition.connect(entrance, to: name, capacity: 4, overflow: .suspend)
    }
    for edge in stage.plan.edges {
      definition.connect(
        edge.from, to: entrance, capacity: edge.capacity ?? 8, overflow: edge.overflow ?? .suspend)
    }
  }
}
