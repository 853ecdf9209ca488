/// Finds what lies between the sources and the detectors of a pipeline file, and puts in the stages that the file
/// leaves out.
struct EdgeResolution {
  private let definition: PipelineDefinition
  private let sources: Set<String>
  private let stages: [String: StageDefinition]

  init(_ definition: PipelineDefinition) {
    self.definition = definition
    sources = Set(definition.sources.map(\.name))
    stages = Dictionary(definition.stages.map { ($0.name, $0) }) { first, _ in first }
  }

  /// The stages that resize for a detector: those that the file names, and one for whatever else it takes from.
  func resizers(of detector: StageDefinition) -> [ResizePlan] {
    var resizers: [ResizePlan] = []
    var direct: [EdgePlan] = []
    for edge in detector.from {
      if let stage = stages[edge.from], stage.kind == .resize {
        resizers.append(
          ResizePlan(
            name: stage.name, frames: stage.from.flatMap(frames),
            results: EdgePlan(from: stage.name, capacity: edge.capacity, overflow: edge.overflow)))
      } else {
        direct += frames(over: edge)
      }
    }
    if !direct.isEmpty {
      let name = nameOfResizer(for: detector)
      resizers.append(ResizePlan(name: name, frames: direct, results: EdgePlan(from: name)))
    }
    return resizers
  }

  /// The detectors that take from a stage.
  func detectors(behind stage: StageDefinition) -> [StageDefinition] {
    definition.stages.filter { $0.kind == .detect && $0.from.contains { $0.from == stage.name } }
  }

  /// The stages behind detectors; each comes after those that it takes from.
  var objectStages: [StageDefinition] {
    var left = definition.stages.filter { $0.kind.takes == [.detections] }
    var sorted: [StageDefinition] = []
    while !left.isEmpty {
      let waiting = Set(left.map(\.name))
      let ready = left.filter { stage in !stage.from.contains { waiting.contains($0.from) } }
      // A cycle has been reported before.
      if ready.isEmpty { return sorted + left }
      sorted += ready
      left.removeAll { stage in ready.contains { $0.name == stage.name } }
    }
    return sorted
  }

  /// Whether frames of a source reach a detector twice.
  func hasTwoWays(to detector: StageDefinition) -> Bool {
    let names = resizers(of: detector).flatMap(\.frames).map(\.from)
    return Set(names).count < names.count
  }

  /// The edges from sources that one edge stands for: a decoder is one for each of its sources.
  private func frames(over edge: EdgeDefinition) -> [EdgePlan] {
    if sources.contains(edge.from) {
      return [EdgePlan(from: edge.from, capacity: edge.capacity, overflow: edge.overflow)]
    }
    guard let decoder = stages[edge.from], decoder.kind == .decode else { return [] }
    return decoder.from.map { EdgePlan(from: $0.from, capacity: edge.capacity, overflow: edge.overflow) }
  }

  /// A name that the file does not use.
  private func nameOfResizer(for detector: StageDefinition) -> String {
    let isOnly = definition.stages.count { $0.kind == .detect } == 1
    let taken = Set(definition.members.map(\.name))
    var name = isOnly ? "resize" : "resize-\(detector.name)"
    while taken.contains(name) { name = "resize-" + name }
    return name
  }
}
