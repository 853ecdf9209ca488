import EyrieGraph
import EyrieInference
import EyrieVision

/// Runs the detector on prepared frames, several at once, and turns its output into detections in pixels of
/// the displayed picture.
///
/// Inference is asynchronous: nobody waits on a thread. What the actor itself does (head and NMS) takes a
/// fraction of a millisecond.
actor DetectStage: TransformStage {
  nonisolated let concurrency: Int

  private let setup: DetectorSetup
  private var decoder: DetectionDecoder
  /// The head of the last output. Its shape can change from run to run: an end-to-end model has as many rows
  /// as it found objects.
  private var head: (shape: [Int], head: YOLOHead)?

  init(requests: Int, setup: DetectorSetup) {
    concurrency = requests
    self.setup = setup
    decoder = DetectionDecoder(settings: setup.settings)
  }

  nonisolated func stream(of item: PreparedFrame) -> String { item.source.source }

  func process(_ item: PreparedFrame, permit: Void) async throws(StageFailure) -> StageResult<DetectedFrame> {
    do {
      try await item.request.infer()
      let result = try decode(item)
      return .emit(DetectedFrame(source: item.source, result: result))
    } catch {
      throw .item(
        reason: "inference_failed", message: "frame \(item.source.index) of \(item.source.source): \(error)")
    }
  }

  private func decode(_ item: PreparedFrame) throws -> DetectionResult {
    try item.request.withOutput(setup.outputIndex) { view in
      let element: TensorElement
      switch view.elementType {
      case .f32: element = .float32
      case .f16: element = .float16
      default: throw UnreadableOutput(elementType: view.elementType)
      }
      return try decoder.decode(
        view.bytes.bytes, element: element, head: head(for: view.shape), transform: item.transform)
    }
  }

  private func head(for shape: [Int]) throws(VisionError) -> YOLOHead {
    if let head, head.shape == shape { return head.head }
    let made = try YOLOHead(layout: setup.layout, shape: shape, classCount: setup.classCount)
    head = (shape, made)
    return made
  }
}

/// The output is of a type that no detection head has.
private struct UnreadableOutput: Error, CustomStringConvertible {
  let elementType: ElementType

  var description: String {
    "the output has elements of type \(elementType.rawValue); float32 or float16 is needed"
  }
}
