import EyrieEvents
import EyrieGraph

/// Adds to objects what a classifier or an embedding model says of their crops.
///
/// A frame waits for the results of its crops, so that they ride in its event. Frames of a source with a pace of its
/// own wait no longer than `timeout`, and not at all where an earlier look at the track says something. Whatever the
/// model does, the frame goes on: an object without a result is counted with the reason.
actor ClassifyStage: TransformStage {
  /// So many frames may wait at once: those that several cameras give while a frame with many new objects waits.
  nonisolated let concurrency = 32

  private let name: String
  private let plan: CropModelPlan

  init(_ plan: CropModelPlan) {
    name = plan.name
    self.plan = plan
  }

  nonisolated func stream(of item: CroppedFrame) -> String { item.frame.source.source.id.value }

  func process(_ item: CroppedFrame, permit: Void) async throws(StageFailure) -> StageResult<DetectedFrame> {
    var frame = item.frame
    let source = frame.source.source
    var counts = CropCounts()
    for look in item.looks {
      let (result, loss) = await outcome(of: look, deadline: deadline(of: look, source))
      if let result { attach(result, to: &frame, look.object) }
      if let loss {
        counts.dropped[loss, default: 0] += 1
      } else if look.isNew, look.ticket.result != nil {
        counts.answered += 1
      } else {
        counts.reused += 1
      }
    }
    if counts != CropCounts() { source.update { $0.crops[name, default: CropCounts()].add(counts) } }
    return .emit(frame)
  }

  /// nil for none. It counts from when the crop was sent, so that the frames of a track wait for it once, and not each
  /// anew.
  private func deadline(of look: CropLook, _ source: RunningSource) -> ContinuousClock.Instant? {
    let usual = look.isOfTrack ? CropModelPlan.trackTimeout : CropModelPlan.liveTimeout
    return (plan.timeout ?? (source.hasOwnPace ? usual : nil)).map { look.ticket.since + $0 }
  }

  /// - Returns: a result, or the reason why there is none.
  private func outcome(
    of look: CropLook, deadline: ContinuousClock.Instant?
  ) async -> (result: CropResult?, loss: String?) {
    let before = look.before?.result
    // Who has a pace of their own does not wait for news of what is known.
    let mayWait = before == nil || deadline == nil
    switch mayWait ? await look.ticket.wait(until: deadline) : look.ticket.outcome {
    case .result(let result)?: return (result, nil)
    case .failed(let reason)?: return before.map { ($0, nil) } ?? (nil, reason)
    case nil:
      if let before { return (before, nil) }
      // What belongs to no track is of no use to a later frame.
      if look.isNew, !look.isOfTrack { look.ticket.settle(.failed(CropLoss.timedOut)) }
      return (nil, CropLoss.timedOut)
    }
  }

  private func attach(_ result: CropResult, to frame: inout DetectedFrame, _ object: Int?) {
    switch (result, plan.purpose) {
    case (.labels(let labels), _):
      if let object { frame.objects[object].classifications = labels }
    case (.embedding(let values), .embed(_, let encoding)):
      let embedding = Embedding(values, encoding: encoding)
      if let object { frame.objects[object].embedding = embedding } else { frame.embedding = embedding }
    case (.embedding, .classify): break
    }
  }
}
