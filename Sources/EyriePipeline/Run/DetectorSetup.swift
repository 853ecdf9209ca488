import EyrieInference
import EyrieVision

/// What turns a model's description and the user's wishes into a detector: the output head and the
/// thresholds.
struct DetectorSetup: Sendable {
  /// The path of the model, for messages.
  let model: String
  let identity: DetectorIdentity
  let outputIndex: Int
  let settings: DetectionSettings
  private let layout: YOLOHead.Layout
  private let objectness: Bool
  /// nil where an end-to-end model does not say.
  private let classCount: Int?

  /// - Throws: `EyrieFailure` when the model is no detector that Eyrie can read, or an option does not fit it.
  init(model: ModelDescription, plan: DetectorPlan) throws(EyrieFailure) {
    guard model.task == .detect, let layout = model.output.layout.map(Self.layout) else {
      throw EyrieFailure(
        .usage,
        "\(plan.model): this is no detector (task \(model.task.rawValue), output shape "
          + "\(model.output.shape)): 'eyrie run' needs a YOLO detector")
    }
    guard model.input.resize != .centerCrop else {
      throw EyrieFailure(
        .usage, "\(plan.model): input.resize is center_crop: a detector needs letterbox or stretch")
    }
    self.model = plan.model
    self.layout = layout
    objectness = model.output.objectness
    classCount = model.output.classCount > 0 ? model.output.classCount : nil
    identity = DetectorIdentity(
      name: plan.name, model: model.name, labels: ClassLabels(model.output.labels))
    outputIndex = model.output.index
    let identity = identity
    let classes = try plan.classes.map { (labels) throws(EyrieFailure) in
      try Self.classes(labels, of: identity, key: plan.key("classes"))
    }
    var classConfidence: [Int: Float] = [:]
    for (label, confidence) in plan.classConfidence.sorted(by: { $0.key < $1.key }) {
      for index in try Self.classes([label], of: identity, key: plan.key("class_confidence")) {
        classConfidence[index] = Float(confidence)
      }
    }
    let suppression = try Self.suppression(plan, model, identity)
    do throws(VisionError) {
      settings = try DetectionSettings(
        confidence: Float(plan.confidence ?? model.nms.confidence ?? 0.25),
        classConfidence: classConfidence, weakConfidence: plan.weakConfidence.map { Float($0) },
        iou: Float(plan.iou ?? model.nms.iou ?? 0.45), suppression: suppression,
        maxDetections: plan.maxDetections ?? model.nms.maxDetections ?? 300, classes: classes,
        // A head that suppresses by itself does so within classes: what is asked for beyond that is left to do.
        suppressesEndToEnd: plan.groups != nil)
      // What does not fit is refused before the run. A shape that varies is looked at with each output.
      if !model.output.shape.contains(where: { $0 < 0 }) { _ = try head(of: model.output.shape) }
    } catch {
      throw EyrieFailure(.usage, "\(plan.model): \(error)")
    }
    switch model.output.elementType {
    case .f32, .f16, .f64: break
    default:
      throw EyrieFailure(
        .usage,
        "\(plan.model): its output has elements of type \(model.output.elementType.rawValue); "
          + "f32, f16 or f64 is needed")
    }
  }

  /// How an output of a shape is to be read.
  func head(of shape: [Int]) throws(VisionError) -> YOLOHead {
    try YOLOHead(layout: layout, shape: shape, classCount: classCount, objectness: objectness)
  }

  private static func layout(_ layout: DetectionLayout) -> YOLOHead.Layout {
    switch layout {
    case .featuresFirst: .featuresFirst
    case .anchorsFirst: .anchorsFirst
    case .endToEnd: .endToEnd
    }
  }

  private static func suppression(
    _ plan: DetectorPlan, _ model: ModelDescription, _ identity: DetectorIdentity
  ) throws(EyrieFailure) -> Suppression {
    if let groups = plan.groups, plan.classAgnostic != true {
      var sets: [Set<Int>] = []
      for group in groups { sets.append(try classes(group, of: identity, key: plan.key("nms.groups"))) }
      return .groups(sets)
    }
    return plan.classAgnostic ?? model.nms.classAgnostic ?? false ? .classAgnostic : .perClass
  }

  /// The class indices of labels.
  private static func classes(
    _ wanted: [String], of identity: DetectorIdentity, key: String
  ) throws(EyrieFailure) -> Set<Int> {
    var classes: Set<Int> = []
    for label in wanted {
      let found = identity.labels.indices(of: label)
      if found.isEmpty {
        let hint = identity.labels.nearest(to: label).map { "; did you mean '\($0)'?" } ?? ""
        throw EyrieFailure(.usage, "\(key): the model has no class '\(label)'\(hint)")
      }
      classes.formUnion(found)
    }
    return classes
  }
}
