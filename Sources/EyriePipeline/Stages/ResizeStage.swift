import EyrieGraph
import EyrieInference
import EyrieMedia
import EyrieVision

/// Scales and letterboxes a frame straight into the input tensor of a free infer request.
///
/// It holds a slot before it takes a frame: while as many inferences are under way as there may be, frames wait in
/// the queue, where a live source's newest replaces the oldest. Sources wait in queues of their own, which are served in turn.
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
    /// nil while the model is compiled for such pictures.
    var fit: DetectorSessions.Fit?
    var lastUse = 0
  }

  /// So many kinds of pictures are kept ready; more would be sources that change all the time.
  private static let mostSetups = 64

  nonisolated let executor = ThreadExecutor(name: "resize")
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let sessions: DetectorSessions
  /// The detector looks at each frame of which the number is a multiple of this.
  private let every: Int
  /// How many frames of each source came.
  private var frameCounts = SourceStates<Int>()
  private var setups: [Kind: Setup] = [:]
  private var uses = 0

  init(sessions: DetectorSessions, every: Int = 1) {
    self.sessions = sessions
    self.every = every
  }

  func admit() async throws(StageFailure) -> Slot {
    do {
      return try await sessions.slots.acquire()
    } catch {
      throw .item(reason: "cancelled", message: "\(error)")
    }
  }

  func process(
    _ item: SourceFrame, permit slot: Slot
  ) async throws(StageFailure) -> StageResult<PreparedFrame> {
    guard isWanted(item) else { return .emit(PreparedFrame(source: item, input: nil)) }
    do {
      let (fit, scaler) = try setup(for: item.frame)
      // There are as many requests as slots, so that one is free.
      let request = try await fit.session.acquire()
      let content = fit.transform.content
      let target = ScaleTarget(
        canvasWidth: fit.session.inputWidth, canvasHeight: fit.session.inputHeight, x: content.x,
        y: content.y, width: content.width, height: content.height, pixelOrder: .rgb,
        padding: UInt8(clamping: fit.session.model.input.padValue))
      try request.withInput { bytes throws(MediaError) in
        try scaler.scale(item.frame, into: bytes, target: target)
      }
      return .emit(
        PreparedFrame(
          source: item,
          input: PreparedFrame.Input(slot: slot, request: request, transform: fit.transform)))
    } catch let error as MediaError {
      throw .item(reason: "scale_failed", message: "frame \(item.index) of \(item.source.id): \(error)")
    } catch is CancellationError {
      throw .item(reason: "cancelled", message: "frame \(item.index) of \(item.source.id): cancelled")
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
  private func setup(for frame: VideoFrame) throws -> (fit: DetectorSessions.Fit, scaler: FrameScaler) {
    let kind = Kind(frame)
    uses += 1
    var setup = setups[kind] ?? Setup()
    setup.lastUse = uses
    let fit = try setup.fit ?? sessions.fit(width: frame.width, height: frame.height)
    if fit.isFinal { setup.fit = fit }
    if setups[kind] == nil, setups.count >= Self.mostSetups,
      let oldest = setups.min(by: { $0.value.lastUse < $1.value.lastUse })?.key
    {
      setups[oldest] = nil
    }
    setups[kind] = setup
    return (fit, setup.scaler)
  }
}
