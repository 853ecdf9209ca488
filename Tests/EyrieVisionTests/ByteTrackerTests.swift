import EyrieVision
import Testing

/// Detections of one class at places, in one line each.
func detection(
  _ x: Float, _ y: Float = 100, width: Float = 40, height: Float = 80, class classID: Int = 0,
  _ confidence: Float = 0.9
) -> Detection {
  Detection(classID: classID, confidence: confidence, box: Box(x: x, y: y, width: width, height: height))
}

/// A tracker with its identities, which start at 1, and a clock in frames.
struct TrackerRun {
  var tracker: ByteTracker
  var lastID = 0
  var ended: [Int] = []

  init(_ settings: TrackerSettings) { tracker = ByteTracker(settings: settings) }

  @discardableResult
  mutating func update(_ detections: [Detection], weak: [Detection] = [], seconds: Double) -> TrackUpdate {
    let update = tracker.update(detections, weak: weak, at: Int64((seconds * 1e9).rounded())) {
      lastID += 1
      return lastID
    }
    ended += update.ended
    return update
  }
}

@Suite struct ByteTrackerTests {
  @Test func aTrackKeepsItsIdentity() throws {
    var run = TrackerRun(try TrackerSettings())
    for frame in 0..<60 {
      let x = Float(frame) * 4
      let update = run.update([detection(x), detection(600 - x)], seconds: Double(frame) / 30)
      #expect(update.ids == [1, 2])
    }
    #expect(run.tracker.trackCount == 2)
  }
}
