import EyrieVision
import Testing

/// A detection in one line.
func detection(
  _ x: Float, _ y: Float = 100, width: Float = 40, height: Float = 80, class classID: Int = 0,
  confidence: Float = 0.9
) -> Detection {
  Detection(classID: classID, confidence: confidence, box: Box(x: x, y: y, width: width, height: height))
}

/// A tracker and its identities, which start at 1.
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
      let update = run.update([detection(x), detection(600 - x, 400)], seconds: Double(frame) / 30)
      #expect(update == TrackUpdate(ids: [1, 2]))
    }
    #expect(run.tracker.trackCount == 2)
  }

  @Test func aTrackIsConfirmedAfterSomeDetections() throws {
    for confirmAfter in 1...4 {
      var run = TrackerRun(try TrackerSettings(confirmAfter: confirmAfter))
      // Only the very first update confirms at once, and an empty one counts.
      run.update([], seconds: 0)
      let found = (1...5).map { run.update([detection(100)], seconds: Double($0) / 30).ids[0] }
      #expect(found == (1...5).map { $0 >= confirmAfter ? 1 : nil })
    }
    var run = TrackerRun(try TrackerSettings(confirmAfter: 4))
    #expect(run.update([detection(100)], seconds: 0).ids == [1])
  }

  @Test func whatIsSeenOnceHasNoIdentity() throws {
    var run = TrackerRun(try TrackerSettings())
    run.update([], seconds: 0)
    #expect(run.update([detection(100)], seconds: 0.1).ids == [nil])
    run.update([], seconds: 0.2)
    #expect(run.tracker.trackCount == 0)
    #expect(run.update([detection(100)], seconds: 0.3).ids == [nil])
    #expect(run.lastID == 0 && run.ended.isEmpty)
  }

  @Test func onlyConfidentDetectionsBeginTracks() throws {
    var run = TrackerRun(try TrackerSettings(newTrackConfidence: 0.6))
    #expect(
      run.update([detection(100, confidence: 0.59), detection(300, confidence: 0.6)], seconds: 0).ids == [
        nil, 1,
      ])
    // One that exists goes on with less.
    #expect(
      run.update([detection(100, confidence: 0.59), detection(300, confidence: 0.3)], seconds: 0.03).ids == [
        nil, 1,
      ])
  }

  @Test func weakDetectionsContinueTracksAndBeginNone() throws {
    var run = TrackerRun(try TrackerSettings(lowConfidence: 0.1))
    run.update([detection(100)], seconds: 0)
    let update = run.update(
      [],
      weak: [
        detection(300, confidence: 0.2), detection(100, confidence: 0.2), detection(101, confidence: 0.1),
      ], seconds: 0.03)
    #expect(update.rescued == [.init(index: 1, id: 1)] && update.ids.isEmpty)
    #expect(run.tracker.trackCount == 1)
    // At the least confidence exactly it is none; and with a strong one present it is not needed.
    #expect(run.update([], weak: [detection(100, confidence: 0.1)], seconds: 0.07).rescued.isEmpty)
    let both = run.update([detection(100)], weak: [detection(100, confidence: 0.2)], seconds: 0.1)
    #expect(both.ids == [1] && both.rescued.isEmpty)
  }

  @Test func aLostTrackIsFoundAgainUntilItIsGivenUp() throws {
    for (gap, id) in [(1.9, 1), (2.1, nil)] as [(Double, Int?)] {
      for empty in [0, 1, 50] {
        var run = TrackerRun(try TrackerSettings(maxLost: 2))
        for frame in 0..<30 { run.update([detection(100 + Float(frame))], seconds: Double(frame) / 30) }
        let last = 29.0 / 30
        // Whether there are frames without detections in between makes no difference.
        for frame in 0..<empty { run.update([], seconds: last + gap * Double(frame + 1) / Double(empty + 1)) }
        let update = run.update([detection(129 + Float(gap) * 30)], seconds: last + gap)
        #expect(update.ids == [id])
        #expect(run.ended == (id == nil ? [1] : []))
        #expect(run.tracker.trackCount == 1)
      }
    }
  }

  @Test func afterResetEverythingBeginsAnew() throws {
    var run = TrackerRun(try TrackerSettings())
    run.update([detection(100)], seconds: 5)
    run.tracker.reset()
    #expect(run.tracker.trackCount == 0 && run.tracker.predictions(at: 5_000_000_000).isEmpty)
    #expect(run.update([detection(100)], seconds: 0) == TrackUpdate(ids: [2]))
  }

  @Test func aCarThatIsTakenForATruckKeepsItsIdentity() throws {
    var run = TrackerRun(try TrackerSettings())
    for frame in 0..<60 {
      let classID = [2, 2, 7, 2, 7, 7, 7][frame % 7]
      let car = detection(Float(frame) * 5, width: 120, height: 60, class: classID)
      #expect(run.update([car], seconds: Double(frame) / 30).ids == [1])
    }
  }

  @Test func aPersonAndTheBicycleBelowDoNotSwap() throws {
    var run = TrackerRun(try TrackerSettings())
    for frame in 0..<90 {
      let x = Float(frame) * 6
      let person = detection(x + 20, 100, width: 50, height: 130, class: 0)
      let bicycle = detection(x, 150, width: 90, height: 100, class: 1)
      // Now the one is missed, now the other.
      let (seen, ids): ([Detection], [Int]) =
        switch frame % 9 {
        case 4, 5: ([person], [2])
        case 7, 8: ([bicycle], [1])
        default: ([bicycle, person], [1, 2])
        }
      #expect(run.update(seen, seconds: Double(frame) / 30).ids == ids)
    }
  }

  @Test func aBicycleDoesNotTakeTheIdentityOfAPersonWhoIsMissed() throws {
    var run = TrackerRun(try TrackerSettings())
    let person = detection(120, 100, width: 50, height: 130, class: 0)
    let bicycle = detection(100, 150, width: 90, height: 100, class: 1)
    for frame in 0..<10 { run.update([person], seconds: Double(frame) / 30) }
    // They overlap by 0.35, more than a match needs within a class.
    #expect(run.update([bicycle], seconds: 10.0 / 30).ids == [nil])
    #expect(run.update([bicycle, person], seconds: 11.0 / 30).ids == [2, 1])
  }

  @Test func timeThatStandsOrGoesBackBreaksNothing() throws {
    var run = TrackerRun(try TrackerSettings())
    for (frame, seconds) in [0, 0.03, 0.03, 0.01, 0.07, -50, -49.97, -49.93, 1e9, 1e9 + 0.03].enumerated() {
      let update = run.update([detection(100)], seconds: seconds)
      // Only the leap forward is longer than a track lives.
      #expect(update.ids == [frame < 8 ? 1 : frame == 8 ? nil : 2], "\(seconds)")
    }
    for time in [Int64.min, .max, 0, .max, .min, .min] {
      _ = run.tracker.update([detection(100)], at: time) { 99 }
      #expect(run.tracker.predictions(at: .max).count <= 1 && run.tracker.predictions(at: .min).count <= 1)
    }
  }

  @Test func absurdBoxesBreakNothing() throws {
    let boxes: [(Float, Float, Float, Float)] = [
      (0, 0, 1e-30, 1e-30), (0, 0, .leastNonzeroMagnitude, 1e30), (-1e38, -1e38, 3e38, 3e38),
      (1e30, 0, 1e-30, 1e30), (5, 5, 0, 10), (5, 5, -3, 10), (.infinity, 0, 1, 1), (0, 0, .infinity, 1),
      (100, 100, 40, 80), (100, 100, 40, 80), (100, 100, 40, 80), (100, 100, 1e6, 1e6), (100, 100, 0.01, 900),
    ]
    let all = boxes.map { detection($0.0, $0.1, width: $0.2, height: $0.3) }
    var run = TrackerRun(try TrackerSettings())
    for frame in 0..<300 {
      let update = run.update(
        frame % 5 == 4 ? [] : all, weak: frame % 3 == 0 ? all : [], seconds: Double(frame) / 30)
      let ids = update.ids.compactMap(\.self)
      #expect(Set(ids).count == ids.count)
      #expect(update.ids.isEmpty || update.ids[4...7].allSatisfy { $0 == nil })
      #expect(run.tracker.trackCount < 2000)
      for prediction in run.tracker.predictions(at: Int64(frame + 3) * 33_000_000) {
        #expect(prediction.box.isFinite && prediction.box.width > 0 && prediction.box.height > 0)
      }
    }
  }

  @Test func settingsOutOfRangeAreRefused() {
    for value: Float in [-0.01, 1.01, .nan, .infinity] {
      #expect(throws: VisionError.self) { try TrackerSettings(lowConfidence: value) }
      #expect(throws: VisionError.self) { try TrackerSettings(newTrackConfidence: value) }
      #expect(throws: VisionError.self) { try TrackerSettings(matchIoU: value) }
      #expect(throws: VisionError.self) { try TrackerSettings(weakIoU: value) }
      #expect(throws: VisionError.self) { try TrackerSettings(classPenalty: value) }
    }
    for value in [0, -1, 3601, .nan, .infinity] {
      #expect(throws: VisionError.self) { try TrackerSettings(maxLost: value) }
    }
    for value in [0, -1, 1001, .min] {
      let error = #expect(throws: VisionError.self) { try TrackerSettings(confirmAfter: value) }
      #expect(error?.description.contains("\(value)") == true)
    }
  }
}
