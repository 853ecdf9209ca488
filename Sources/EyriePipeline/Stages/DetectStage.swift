import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieVision

/// Runs the detector on prepared frames, several at once, and turns its output into detections in pixels of
/// the displayed picture.
///
/// Inference is asynchronous: nobody waits on a thread. What the actor itself does (head and NMS) takes a
/// fraction of a millisecond. It runs on a thread of its own, to which the end of an inference is told without an
/// allocation, as it would not be to the pool.
actor DetectStage: TransformStage {
  nonisolated let executor = ThreadExecutor(name: "detect")
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  nonisolated let concurrency: Int

  private let setup: DetectorSetup
  private let log: @Sendable (String) -> Void
  private var decoder: DetectionDecoder
  /// What was found in the last frame; its memory is used again.
  private var result = DetectionResult(detections: [], drops: DetectionDrops())
  /// The heads of the latest outputs, the newest last. Their shape can change from run to run: a model that runs at
  /// several sizes has as many, and an end-to-end model has as many rows as it found objects.
  private var heads: [(shape: [Int], head: YOLOHead)] = []
  /// What the boxes are measured in; nil until an output had one.
  private var unit: BoxUnit?

  /// - Parameters:
  ///   - requests: how many inferences may be under way at once.
  ///   - setup: how to read the model's output.
  ///   - log: takes what was found out about the model, one line each.
  init(requests: Int, setup: DetectorSetup, log: @escaping @Sendable (String) -> Void) {
    concurrency = requests
    self.setup = setup
    self.log = log
    decoder = DetectionDecoder(settings: setup.settings)
  }

  nonisolated func stream(of item: PreparedFrame) -> String { item.source.source.id.value }

  func process(_ item: PreparedFrame, permit: Void) async throws(StageFailure) -> StageResult<DetectedFrame> {
    guard let input = item.input else {
      item.source.source.update { $0.predicted += 1 }
      return .emit(
        DetectedFrame(
          source: item.source, detector: setup.identity, isInferred: false, drops: DetectionDrops(),
          objects: []))
    }
    do {
      try await input.request.infer()
      try decode(input)
      item.source.source.update { $0.inferred += 1 }
      return .emit(DetectedFrame(source: item.source, detector: setup.identity, result: result))
    } catch let error as InferenceError {
      throw .item(
        reason: "inference_failed",
        message: "frame \(item.source.index) of \(item.source.source.id): \(error)")
    } catch {
      // An output that cannot be read now will not be readable for the next frame either.
      throw .fatal(EyrieFailure(.run, "\(setup.model): \(error)"))
    }
  }

  /// Fills `result`.
  private func decode(_ input: PreparedFrame.Input) throws {
    try input.request.withOutput(setup.outputIndex) { view in
      let element = try TensorElement(view.elementType)
      let head = try head(for: view.shape)
      try decoder.decode(
        view.bytes.bytes, element: element, head: head,
        unit: unit(of: view, element, head, input.transform) ?? .pixels, transform: input.transform,
        into: &result)
    }
  }

  private func head(for shape: [Int]) throws(VisionError) -> YOLOHead {
    if let known = heads.last(where: { $0.shape == shape }) { return known.head }
    let made = try setup.head(of: shape)
    if heads.count > DetectorSessions.mostSizes { heads.removeFirst() }
    heads.append((shape, made))
    return made
  }

  /// Looks at the boxes until there are some; what they say holds for the rest of the run.
  private func unit(
    of view: TensorView, _ element: TensorElement, _ head: YOLOHead, _ transform: PictureTransform
  ) throws(VisionError) -> BoxUnit? {
    if let unit { return unit }
    unit = try BoxUnit.of(
      view.bytes.bytes, element: element, head: head, modelWidth: transform.modelWidth,
      modelHeight: transform.modelHeight)
    if unit == .fractions {
      log("the model's boxes lie within 0…1: they were taken for fractions of its input, not for pixels")
    }
    return unit
  }
}
