import EyrieGraph
import EyrieInference
import EyrieMedia
import EyrieVision

/// Scales and letterboxes a frame straight into the input tensor of a free infer request.
///
/// It holds a request before it takes a frame: while all requests are busy, frames wait in the queue, where a
/// live source's newest replaces the oldest. Sources wait in queues of their own, which are served in turn.
/// Where the detector looks at each Nth frame of a source only, the others pass by untouched.
/// swscale blocks, so the actor runs on a thread of its own.
actor ResizeStage: TransformStage {
  /// What a scaler is set up for. Sources of one kind share it.
  private struct Kind: Hashable {
    let format: VideoFormat
    let rotation: Int
    let isMirrored: Bool

    init(_ frame: VideoFrame) {
      format = frame.format
      rotation = frame.rotation
      isMirrored = frame.isMirrored
    }
  }

  private struct Setup {
    let scaler = FrameScaler()
    let transform: PictureTransform
    var lastUse = 0
  }

  /// So many kinds of pictures are kept ready; more would be sources that change all the time.
  private static let mostSetups = 64

  nonisolated let executor = ThreadExecutor(name: "resize")
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let session: InferenceSession
  /// The detector looks at each frame of which the number is a multiple of this.
  private let every: Int
  /// How many frames of each source came.
  private var frameCounts = SourceStates<Int>()
  private var setups: [Kind: Setup] = [:]
  private var uses = 0

  init(session: InferenceSession, every: Int = 1) {
    self.session = session
    self.every = every
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
    guard isWanted(item) else { return .emit(PreparedFrame(source: item, input: nil)) }
    do {
      let setup = try setup(for: item.frame)
      let content = setup.transform.content
      let target = ScaleTarget(
        canvasWidth: session.inputWidth, canvasHeight: session.inputHeight, x: content.x, y: content.y,
        width: content.width, height: content.height, pixelOrder: .rgb,
        padding: UInt8(clamping: session.model.input.padValue))
      try request.withInput { bytes throws(MediaError) in
        try setup.scaler.scale(item.frame, into: bytes, target: target)
      }
      return .emit(
        PreparedFrame(
          source: item, input: PreparedFrame.Input(request: request, transform: setup.transform)))
    } catch let error as MediaError {
      throw .item(reason: "scale_failed", message: "frame \(item.index) of \(item.source.id): \(error)")
    } catch {
      throw .item(reason: "bad_picture_size", message: "frame \(item.index) of \(item.source.id): \(error)")
    }
  }

  private func isWanted(_ item: SourceFrame) -> Bool {
    guard every > 1 else { return true }
    return frameCounts.update(item.source, initial: 0) { count in
      defer { count += 1 }
      return count.isMultiple(of: every)
    }
  }

  /// What is made once for each kind of picture.
  private func setup(for frame: VideoFrame) throws -> Setup {
    let kind = Kind(frame)
    uses += 1
    if let index = setups.index(forKey: kind) {
      setups.values[index].lastUse = uses
      return setups.values[index]
    }
    let transform = try PictureTransform(
      session.model.input.resize == .stretch ? .stretch : .letterbox, sourceWidth: frame.width,
      sourceHeight: frame.height, modelWidth: session.inputWidth, modelHeight: session.inputHeight)
    if setups.count >= Self.mostSetups,
      let oldest = setups.min(by: { $0.value.lastUse < $1.value.lastUse })?.key
    {
      setups[oldest] = nil
    }
    let made = Setup(transform: transform, lastUse: uses)
    setups[kind] = made
    return made
  }
}
