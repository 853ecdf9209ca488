import EyrieGraph
import EyrieMedia
import EyrieVision

/// What came of frames that went the whole way: of one source, or of all.
struct ResultMeasurements: Sendable {
  var frames = 0
  var detections = 0
  var detectionsByLabel: [String: Int] = [:]
  var boxesDropped: [String: Int] = [:]
  var latency = LatencyHistogram()
  var rate = RateMeter()
  /// Of the displayed picture; nil before the first frame.
  var pictureSize: (width: Int, height: Int)?
  var presentationTime: (first: Int64, last: Int64)?

  mutating func record(_ item: DetectedFrame, latency: Duration, at now: ContinuousClock.Instant) {
    let frame = item.source.frame
    frames += 1
    for object in item.objects where !object.isPredicted {
      detections += 1
      detectionsByLabel[item.detector.labels[object.detection.classID], default: 0] += 1
    }
    item.drops.forEachReason { reason, _, count in boxesDropped[reason, default: 0] += count }
    self.latency.record(latency)
    rate.record(at: now)
    pictureSize = (frame.width, frame.height)
    presentationTime = (presentationTime?.first ?? frame.ptsNanoseconds, frame.ptsNanoseconds)
  }
}
