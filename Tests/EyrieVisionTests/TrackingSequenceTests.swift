import EyrieTestTools
import EyrieVision
import Testing

/// Whole sequences: crossings, gaps, rates, nonsense.
@Suite struct TrackingSequenceTests {
  /// Objects that cross a picture in lanes that overlap, from both sides, and are hidden for a while.
  private struct Street {
    var objects: [(start: Double, speed: Double, y: Float, height: Float, hidden: Range<Double>)]
    static let seconds = 12.0

    init(seed: UInt64, count: Int = 16) {
      var random = SplitMix64(seed: seed)
      objects = (0..<count).map { index in
        let speed = Double.random(in: 60...160, using: &random)
        let hidden = Double.random(in: 3...8, using: &random)
        return (
          start: index % 2 == 0 ? Double(index) * 25 : 1800 - Double(index) * 25,
          speed: index % 2 == 0 ? speed : -speed, y: 60 * Float(index / 2) + (index % 2 == 0 ? 0 : 20),
          height: Float.random(in: 100...160, using: &random),
          hidden: hidden..<hidden + Double.random(in: 0.2...0.9, using: &random)
        )
      }
    }

    func box(_ index: Int, at time: Double) -> Box {
      let object = objects[index]
      return Box(
        x: Float(object.start + object.speed * time), y: object.y, width: 0.45 * object.height,
        height: object.height)
    }

    /// Which objects are seen, in an order that changes from frame to frame.
    func visible(at time: Double, _ random: inout SplitMix64) -> [Int] {
      objects.indices.filter { !objects[$0].hidden.contains(time) }.shuffled(using: &random)
    }
  }

  /// The identity of each object at the end of a run, having checked that it never changed.
  private func identities(
    _ street: Street, rate: Double, dropped: Double = 0, every: Int = 1, jitter: Float = 1
  ) throws -> [Int] {
    var random = SplitMix64(seed: UInt64(rate) &+ 11)
    var run = TrackerRun(try TrackerSettings())
    var known: [Int: Int] = [:]
    for frame in 0..<Int(Street.seconds * rate) {
      let time = Double(frame) / rate
      if frame % every != 0 || frame > 0 && Double.random(in: 0..<1, using: &random) < dropped { continue }
      let visible = street.visible(at: time, &random)
      let detections = visible.map { index -> Detection in
        var box = street.box(index, at: time)
        box.x += Float.random(in: -jitter...jitter, using: &random)
        box.y += Float.random(in: -jitter...jitter, using: &random)
        return Detection(classID: 0, confidence: 0.8, box: box)
      }
      let update = run.update(detections, seconds: time)
      for (index, id) in zip(visible, update.ids) {
        guard let id else { continue }
        #expect(known[index, default: id] == id, "object \(index) at \(time) s, \(rate) FPS")
        known[index] = id
      }
    }
    #expect(Set(known.values).count == known.count)
    return try street.objects.indices.map { try #require(known[$0]) }
  }

  @Test(arguments: [1, 2, 3, 4])
  func identitiesDoNotDependOnTheRate(seed: Int) throws {
    let street = Street(seed: UInt64(seed))
    for rate in [10.0, 25, 60] {
      let ids = try identities(street, rate: rate)
      // Each object one identity, in whatever order the first frame has them.
      #expect(Set(ids) == Set(1...16), "\(rate)")
      #expect(Set(try identities(street, rate: rate, dropped: 0.2)) == Set(1...16), "\(rate), dropped")
    }
    #expect(Set(try identities(street, rate: 30, every: 3)) == Set(1...16))
    #expect(Set(try identities(street, rate: 30, dropped: 0.2, every: 2)) == Set(1...16))
  }

  @Test func predictionsFollowTheMotion() throws {
    let street = Street(seed: 9)
    var run = TrackerRun(try TrackerSettings())
    var worst: Float = 1
    for frame in 0..<90 {
      let time = Double(frame) / 30
      guard frame % 3 != 0 else {
        let detections = street.objects.indices.map {
          Detection(
            classID: $0, confidence: 0.5 + Float($0) / 100, box: street.box($0, at: time))
        }
        #expect(run.update(detections, seconds: time).ids == (1...16).map { $0 })
        continue
      }
      let predictions = run.tracker.predictions(at: Int64(time * 1e9))
      #expect(predictions.map(\.id) == Array(1...16) && predictions.map(\.classID) == Array(0...15))
      #expect(predictions.map(\.confidence) == (0...15).map { 0.5 + Float($0) / 100 })
      if frame < 30 { continue }
      for (index, prediction) in predictions.enumerated() {
        worst = min(worst, prediction.box.intersectionOverUnion(street.box(index, at: time)))
      }
    }
    #expect(worst > 0.9)
    // What was not found at the last update is not predicted; nor what would be long gone; nor the past.
    run.update([detection(1000, 1000)], seconds: 3)
    #expect(run.tracker.predictions(at: 3_100_000_000).isEmpty)
    run.update([detection(1000, 1000)], seconds: 3.1)
    #expect(run.tracker.predictions(at: 3_200_000_000).map(\.id) == [17])
    #expect(run.tracker.predictions(at: 0) == run.tracker.predictions(at: 3_100_000_000))
    #expect(run.tracker.predictions(at: 9_000_000_000).isEmpty)
  }

  @Test(arguments: [1, 2, 3])
  func nonsenseKeepsTheInvariants(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    var run = TrackerRun(try TrackerSettings(confirmAfter: 1, maxLost: 3600))
    var given: Set<Int> = []
    var gone: Set<Int> = []
    var time: Int64 = 0
    for _ in 0..<60 {
      let detections = random.detections(Int.random(in: 0...300, using: &random))
      let weak = random.detections(Int.random(in: 0...100, using: &random))
      time += Int64.random(in: -50_000_000...100_000_000, using: &random)
      let known = given
      let update = run.tracker.update(detections, weak: weak, at: time) {
        run.lastID += 1
        given.insert(run.lastID)
        return run.lastID
      }
      let ids = update.ids.compactMap(\.self) + update.rescued.map(\.id)
      #expect(update.ids.count == detections.count && Set(ids).count == ids.count)
      #expect(Set(ids).isSubset(of: given) && gone.isDisjoint(with: ids))
      #expect(Set(update.rescued.map(\.id)).isSubset(of: known))
      #expect(update.rescued.map(\.index) == update.rescued.map(\.index).sorted())
      #expect(Set(update.ended).count == update.ended.count && gone.isDisjoint(with: update.ended))
      gone.formUnion(update.ended)
      // Time as good as stands still: only the bound ends tracks.
      #expect(run.tracker.trackCount == given.count - gone.count)
      #expect(run.tracker.trackCount <= 1300)
    }
    #expect(!gone.isEmpty)
  }
}

extension SplitMix64 {
  fileprivate mutating func detections(_ count: Int) -> [Detection] {
    (0..<count).map { _ in
      detection(
        Float.random(in: -50...2000, using: &self), Float.random(in: -50...1100, using: &self),
        width: Float.random(in: 1...300, using: &self), height: Float.random(in: 1...300, using: &self),
        class: Int.random(in: 0...3, using: &self), confidence: Float.random(in: 0...1, using: &self))
    }
  }
}
