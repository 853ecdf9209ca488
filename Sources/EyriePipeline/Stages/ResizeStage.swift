import EyrieGraph
import EyrieInference
import EyrieMedia
import EyrieVision

/// Scales and letterboxes a frame straight into the input tensor of a free infer request.
///
/// It holds a request before it takes a frame: while all requests are busy, frames wait in the queue, where a
/// live source's newest replaces the oldest. swscale blocks, so the actor runs on a thread of its own.
actor ResizeStage: TransformStage {
  nonisolated let executor = ThreadExecutor(name: "resize")
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let session: InferenceSession
  private let scaler = FrameScaler()
  private var transform: PictureTransform?

  init(session: InferenceSession) {
    self.session = session
  }

  func admit() async throws(StageFailure) -> RequestLease {
    do {
      return try await session.acquire()
    } catch {
      throw .item(reason: "cancelled", message: "\(error)")
    }
  }

  func process(
    _ item: SourceFrame, permit request: RequestLease
  ) async throws(StageFailure) -> StageResult<PreparedFrame> {
    do {
      let transform = try transform(for: item.frame)
      let target = ScaleTarget(
        canvasWidth: session.inputWidth, canvasHeight: session.inputHeight,
        x: transform.content.x, y: transform.content.y,
        width: transform.content.width, height: transform.content.height,
        pixelOrder: .rgb, padding: UInt8(clamping: session.model.input.padValue))
      try request.withInput { bytes throws(MediaError) in
        try scaler.scale(item.frame, into: bytes, target: target)
      }
      return .emit(PreparedFrame(source: item, request: request, transform: transform))
    } catch let error as MediaError {
      throw .item(reason: "scale_failed", message: "frame \(item.index) of \(item.source): \(error)")
    } catch {
      throw .item(reason: "bad_picture_size", message: "frame \(item.index) of \(item.source): \(error)")
    }
  }

  /// The geometry of a frame; kept while the displayed size stays.
  private func transform(for frame: VideoFrame) throws -> PictureTransform {
    if let transform, transform.sourceWidth == frame.width, transform.sourceHeight == frame.height {
      return transform
    }
    let made = try PictureTransform(
      session.model.input.resize == .stretch ? .stretch : .letterbox, sourceWidth: frame.width,
      sourceHeight: frame.height, modelWidth: session.inputWidth, modelHeight: session.inputHeight)
    transform = made
    return made
  }
}
