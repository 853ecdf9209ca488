import EyrieVision
import Testing

/// Which boxes suppress which, thresholds by class, and weak detections.
@Suite struct SuppressionTests {
  /// Four boxes in one place, of classes 0 to 3 in descending order, and a fifth apart, of class 3.
  private let stack = TestTensor(
    anchors: 60, classes: 4,
    [
      (10, [100, 100, 80, 80], [0: 0.9]), (11, [101, 100, 80, 80], [1: 0.8]),
      (40, [102, 100, 80, 80], [2: 0.7]), (41, [103, 100, 80, 80], [3: 0.6]),
      (59, [400, 100, 80, 80], [3: 0.5]),
    ])

  @Test(arguments: [
    (Suppression.perClass, [0, 1, 2, 3, 3]), (.classAgnostic, [0, 3]), (.groups([]), [0, 1, 2, 3, 3]),
    (.groups([[0, 1, 2, 3]]), [0, 3]), (.groups([[0, 2]]), [0, 1, 3, 3]),
    (.groups([[3, 1], [0, 2]]), [0, 1, 3]), (.groups([[1, 7, 99], [-1, 2]]), [0, 1, 2, 3, 3]),
  ])
  func groups(suppression: Suppression, classes: [Int]) throws {
    for layout in [YOLOHead.Layout.featuresFirst, .anchorsFirst] {
      let result = try stack.decode(
        .init(suppression: suppression), layout, transform: identityTransform())
      #expect(result.detections.map(\.classID) == classes)
      #expect(result.weak.isEmpty && result.drops.total == 0)
    }
  }

  @Test func groupsMustBeDisjoint() throws {
    _ = try DetectionSettings(suppression: .groups([[0, 1], [2], []]))
    let error = #expect(throws: VisionError.self) {
      try DetectionSettings(suppression: .groups([[0, 1], [2], [1, 3]]))
    }
    #expect(error?.description.contains("[[0, 1], [2], [1, 3]]") == true)
    #expect(error?.description.contains("here 1") == true)
  }

  @Test func thresholdsByClass() throws {
    for (confidence, byClass, classes) in [
      (0.25, [0: 0.95], [1, 2, 3, 3]), (0.65, [3: 0.1], [0, 1, 2, 3, 3]), (0.65, [3: 0.5], [0, 1, 2, 3]),
      (1, [2: 0], [2]), (0, [0: 1, 1: 1, 2: 1, 3: 1], []), (0.75, [99: 0], [0, 1]),
    ] as [(Float, [Int: Float], [Int])] {
      for layout in [YOLOHead.Layout.featuresFirst, .anchorsFirst] {
        let settings = try DetectionSettings(confidence: confidence, classConfidence: byClass)
        let result = try stack.decode(settings, layout, transform: identityTransform())
        #expect(result.detections.map(\.classID) == classes, "\(confidence) \(byClass)")
        #expect(result.drops.total == 0)
      }
    }
  }

  @Test func aClassIsThatOfTheBestScoreWhateverItsThreshold() throws {
    let tensor = TestTensor(anchors: 20, classes: 2, [(7, [50, 50, 20, 20], [0: 0.6, 1: 0.5])])
    let settings = try DetectionSettings(confidence: 0.7, classConfidence: [1: 0.1])
    #expect(try tensor.decode(settings, transform: identityTransform()).detections.isEmpty)
  }

  @Test func weakDetectionsAreKeptApart() throws {
    // A strong box that a weak one of a better score overlaps; a weak pair; one below everything.
    let tensor = TestTensor(
      anchors: 60, classes: 3,
      [
        (1, [100, 100, 80, 80], [0: 0.7]), (2, [104, 100, 80, 80], [1: 0.6]),
        (20, [300, 100, 80, 80], [0: 0.45]), (21, [304, 100, 80, 80], [0: 0.4]),
        (30, [500, 100, 80, 80], [1: 0.2]), (31, [500, 300, 80, 80], [1: 0.1]),
        (40, [500, 500, 80, 80], [2: 0.15]),
      ])
    let settings = try DetectionSettings(
      confidence: 0.5, classConfidence: [0: 0.8], weakConfidence: 0.1, suppression: .groups([[0, 1]]))
    for layout in [YOLOHead.Layout.featuresFirst, .anchorsFirst] {
      let result = try tensor.decode(settings, layout, transform: identityTransform())
      #expect(result.detections.map(\.confidence) == [0.6])
      // The 0.7 lost to the 0.6, which is strong in its class; the 0.4 to the 0.45; 0.1 is not above 0.1.
      #expect(result.weak.map(\.confidence) == [0.45, 0.2, 0.15])
      #expect(result.drops.total == 0)
    }
    let perClass = try DetectionSettings(confidence: 0.5, classConfidence: [0: 0.8], weakConfidence: 0.1)
    let apart = try tensor.decode(perClass, transform: identityTransform())
    #expect(apart.weak.map(\.confidence) == [0.7, 0.45, 0.2, 0.15])
    let without = try DetectionSettings(
      confidence: 0.5, classConfidence: [0: 0.8], suppression: .groups([[0, 1]]))
    let strong = try tensor.decode(without, transform: identityTransform())
    #expect(strong.detections.map(\.confidence) == [0.6] && strong.weak.isEmpty)
  }

  @Test func strongDetectionsAreTheSameWithWeakOnes() throws {
    // 200 places, in each a strong and a weak box; the limit holds for each kind by itself, and only the
    // strong are counted.
    let tensor = TestTensor(
      anchors: 800, classes: 2,
      (0..<400).map {
        (
          $0, [Float($0 % 20) * 30 + 15, Float($0 / 20) * 30 + 15, 20, 20],
          [0: $0 % 2 == 0 ? 0.5 + Float($0) / 1000 : 0.1 + Float($0) / 2000]
        )
      })
    let plain = try tensor.decode(
      .init(confidence: 0.4, maxDetections: 50), transform: identityTransform())
    let both = try tensor.decode(
      .init(confidence: 0.4, weakConfidence: 0.05, maxDetections: 50), transform: identityTransform())
    #expect(both.detections == plain.detections && both.drops == plain.drops)
    #expect(plain.drops.truncated == 150)
    #expect(both.weak.count == 50 && both.weak.allSatisfy { $0.confidence <= 0.4 })
    #expect(both.weak.map(\.confidence) == both.weak.map(\.confidence).sorted(by: >))
  }

  @Test func whatIsWrongWithWeakOnesIsNotCounted() throws {
    let boxes: [[Float]] = [[50, 50, 0, 20], [.nan, 50, 20, 20], [-500, 50, 20, 20]]
    for (score, count) in [(Float(0.3), 0), (0.9, 1)] {
      let tensor = TestTensor(
        anchors: 20, classes: 1, boxes.indices.map { ($0, boxes[$0], [0: score]) })
      let result = try tensor.decode(
        .init(confidence: 0.5, weakConfidence: 0.1), transform: identityTransform())
      #expect(result.detections.isEmpty && result.weak.isEmpty)
      #expect(
        [result.drops.empty, result.drops.nonFinite, result.drops.outsidePicture]
          == [count, count, count])
      let rows: [[Float]] = [[10, 10, 20, 20, score, 9], [10, 10, 20, 20, score, .nan]]
      let endToEnd = try TestTensor(rows: rows, featureCount: 6).decode(
        .init(confidence: 0.5, weakConfidence: 0.1), .endToEnd, transform: identityTransform(), classCount: 3)
      #expect(endToEnd.drops.invalidClass == count && endToEnd.drops.nonFinite == count)
    }
    // A score that is not finite is counted however it is meant.
    let broken = TestTensor(anchors: 20, classes: 1, [(3, [50, 50, 20, 20], [0: .nan])])
    let result = try broken.decode(
      .init(confidence: 0.5, weakConfidence: 0.1), transform: identityTransform())
    #expect(result.drops.nonFinite == 1)
  }

  @Test func endToEndRowsAreWeakToo() throws {
    let rows: [[Float]] = [
      [10, 10, 50, 50, 0.3, 0], [11, 10, 51, 50, 0.9, 0], [12, 10, 52, 50, 0.2, 1],
      [12, 10, 52, 50, 0.05, 1],
    ]
    let tensor = TestTensor(rows: rows, featureCount: 6)
    let result = try tensor.decode(
      .init(confidence: 0.5, weakConfidence: 0.1), .endToEnd, transform: identityTransform(), classCount: 2)
    #expect(result.detections.map(\.confidence) == [0.9])
    #expect(result.weak.map(\.confidence) == [0.3, 0.2])
    let again = try tensor.decode(
      .init(confidence: 0.5, weakConfidence: 0.1, suppressesEndToEnd: true), .endToEnd,
      transform: identityTransform(), classCount: 2)
    #expect(again.weak.map(\.confidence) == [0.2])
  }

  @Test func thresholdsOutOfRangeAreRefused() {
    for value: Float in [-0.01, 1.01, .nan, .infinity] {
      #expect(throws: VisionError.self) { try DetectionSettings(weakConfidence: value) }
      let error = #expect(throws: VisionError.self) {
        try DetectionSettings(classConfidence: [0: 0.5, 17: value])
      }
      #expect(error?.description.contains("class 17") == true)
    }
  }
}
