import EyrieEvents
import EyrieGraph
import EyrieMedia
import EyrieVision

/// Gives objects identities, for each source by itself, on the stream's own time.
///
/// What was detected is never changed or left out; an object that belongs to no track has no identity. Weak detections
/// that continue a track are added. On a frame that the detector did not look at, the tracks say where objects are.
/// A tracker begins anew when the picture changes its size, and after a gap in which all its tracks went stale.
///
/// It runs on a thread of its own: handing a frame over to it costs less than to the pool, and allocates nothing.
actor TrackStage: TransformStage {
  nonisolated let executor = ThreadExecutor(name: "track")
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private struct State {
    var tracker: ByteTracker
    var size: PictureSize?
    var lastTime: Int64?
  }

  private struct PictureSize: Equatable {
    let width: Int
    let height: Int
  }

  private let settings: TrackerSettings
  private let log: @Sendable (String) -> Void
  private var states = SourceStates<State>()
  /// Those of the last frame; their memory is used again.
  private var detections: [EyrieVision.Detection] = []

  /// - Parameter log: takes a line when a tracker begins anew.
  init(settings: TrackerSettings, log: @escaping @Sendable (String) -> Void) {
    self.settings = settings
    self.log = log
  }

  func process(_ item: DetectedFrame, permit: Void) async throws(StageFailure) -> StageResult<DetectedFrame> {
    let source = item.source.source
    var item = item
    item.isTracked = true
    detections.removeAll(keepingCapacity: true)
    for object in item.objects { detections.append(object.detection) }
    states.update(
      source, detector: item.detector.name, initial: State(tracker: ByteTracker(settings: settings))
    ) {
      item.tracksReset = reset(&$0, for: item)
      if item.isInferred { track(&item, detections, &$0.tracker) } else { predict(&item, $0.tracker) }
    }
    item.weak = []
    if let reason = item.tracksReset { tell(reason, source) }
    return .emit(item)
  }

  private func track(
    _ item: inout DetectedFrame, _ detections: [EyrieVision.Detection], _ tracker: inout ByteTracker
  ) {
    let source = item.source.source
    let update = tracker.update(
      detections, weak: item.weak, at: item.source.frame.ptsNanoseconds,
      nextID: { source.nextTrackID() })
    for (index, id) in zip(item.objects.indices, update.ids) { item.objects[index].trackID = id }
    for rescued in update.rescued where item.weak.indices.contains(rescued.index) {
      item.objects.append(FoundObject(detection: item.weak[rescued.index], trackID: rescued.id))
    }
  }

  private func predict(_ item: inout DetectedFrame, _ tracker: ByteTracker) {
    let frame = item.source.frame
    for prediction in tracker.predictions(at: frame.ptsNanoseconds) {
      guard
        let box = prediction.box.clipped(
          pictureWidth: frame.width, pictureHeight: frame.height)
      else { continue }
      let detection = Detection(
        classID: prediction.classID, confidence: prediction.confidence, box: box)
      item.objects.append(FoundObject(detection: detection, trackID: prediction.id, isPredicted: true))
    }
    item.objects.sort { $0.detection.confidence > $1.detection.confidence }
  }

  /// Begins anew where what the tracker knows no longer says anything about this frame.
  private func reset(_ state: inout State, for item: DetectedFrame) -> TracksReset? {
    let frame = item.source.frame
    let size = PictureSize(width: frame.width, height: frame.height)
    let time = frame.ptsNanoseconds
    var reason: TracksReset?
    if let before = state.size, before != size {
      reason = .pictureSize
    } else if let before = state.lastTime, Double(time &- before) / 1e9 > settings.maxLost {
      reason = .gap
    }
    state.size = size
    state.lastTime = time
    guard reason != nil, state.tracker.trackCount > 0 else { return nil }
    state.tracker.reset()
    return reason
  }

  private func tell(_ reason: TracksReset, _ source: RunningSource) {
    let count = source.update { counts in
      counts.trackResets += 1
      return counts.trackResets
    }
    guard IncidentLog.isWorthALine(count) else { return }
    let why =
      switch reason {
      case .pictureSize: "the picture changed its size"
      case .gap: "no frame came for longer than a track is kept"
      }
    log("source \(source.id): tracks begin anew: \(why)" + (count > 1 ? " (\(count) times by now)" : ""))
  }
}

extension RunningSource {
  /// An identity that no track of this source has had, from 1.
  func nextTrackID() -> Int {
    update { counts in
      counts.tracks += 1
      return counts.tracks
    }
  }
}
