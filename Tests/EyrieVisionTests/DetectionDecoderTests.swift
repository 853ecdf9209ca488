import EyrieVision
import Testing

@Suite struct DetectionDecoderTests {
  @Test func suppressesWithinAClassAndAgnosticallyAcross() throws {
    let tensor = TestTensor(
      anchors: 700, classes: 80,
      [
        (100, [150, 300, 100, 200], [0: 0.9]), (101, [154, 304, 100, 200], [0: 0.8]),
        (500, [360, 340, 120, 80], [2: 0.85]), (501, [361.5, 340, 119, 78], [7: 0.7]),
        (699, [35, 280, 50, 40], [39: 0.24]),
      ])
    for layout in [YOLOHead.Layout.featuresFirst, .anchorsFirst] {
      for element in TensorElement.allCases {
        let perClass = try tensor.decode(.init(), layout, element, transform: identityTransform())
        #expect(perClass.detections.map(\.classID) == [0, 2, 7])
        #expect(perClass.detections[0].box == Box(x: 100, y: 200, width: 100, height: 200))
        let agnostic = try tensor.decode(
          .init(suppression: .classAgnostic), layout, element, transform: identityTransform())
        #expect(agnostic.detections.map(\.classID) == [0, 2])
        #expect(agnostic.drops == DetectionDrops())
      }
    }
  }

  @Test func aScoreAtTheThresholdIsNotEnough() throws {
    let tensor = TestTensor(
      anchors: 40, classes: 2,
      [(3, [50, 50, 10, 10], [0: 0.25]), (17, [90, 90, 10, 10], [1: Float(0.25).nextUp])])
    #expect(try tensor.decode(.init(), transform: identityTransform()).detections.map(\.classID) == [1])
    #expect(try tensor.decode(.init(confidence: 1), transform: identityTransform()).detections.isEmpty)
    // Zero rows are no detections even with a threshold of zero.
    #expect(try tensor.decode(.init(confidence: 0), transform: identityTransform()).detections.count == 2)
  }

  @Test func anOverlapAtTheThresholdIsKept() throws {
    // Two boxes of 10 by 10 that share 10 by 5: IoU 50/150. And 10 by 8 of 10 by 10: 80/120 > 0.5.
    let apart = TestTensor(
      anchors: 2, classes: 1, [(0, [5, 5, 10, 10], [0: 0.9]), (1, [5, 10, 10, 10], [0: 0.8])])
    let third: Float = 50 / 150
    #expect(try apart.decode(.init(iou: third), transform: identityTransform()).detections.count == 2)
    #expect(
      try apart.decode(.init(iou: third.nextDown), transform: identityTransform()).detections.count == 1)
  }

  @Test func tiesGoToTheLowerAnchorAndTheLowerClass() throws {
    let tensor = TestTensor(
      anchors: 50, classes: 3,
      [
        (30, [150, 300, 100, 200], [0: 0.75]), (10, [151, 300, 100, 200], [0: 0.75]),
        (20, [152, 300, 100, 200], [0: 0.75]), (40, [450, 300, 100, 200], [2: 0.75, 1: 0.75]),
      ])
    for layout in [YOLOHead.Layout.featuresFirst, .anchorsFirst] {
      let result = try tensor.decode(.init(), layout, transform: identityTransform())
      #expect(result.detections.map(\.classID) == [0, 1])
      #expect(result.detections.first?.box.x == 101)
    }
  }

  @Test func aSuppressedBoxSuppressesNothing() throws {
    let chain = TestTensor(
      anchors: 3, classes: 1,
      [(0, [50, 50, 40, 40], [0: 0.9]), (1, [62, 50, 40, 40], [0: 0.8]), (2, [74, 50, 40, 40], [0: 0.7])])
    let result = try chain.decode(.init(iou: 0.45), transform: identityTransform())
    #expect(result.detections.map(\.box.x) == [30, 54])
  }

  @Test func numbersThatAreNotFiniteAreDroppedAndCounted() throws {
    let good: [Float] = [50, 50, 20, 20]
    let bad: [Float] = [.nan, .infinity, -.infinity]
    for (layout, position) in [(YOLOHead.Layout.featuresFirst, 5), (.anchorsFirst, 5), (.anchorsFirst, 30)] {
      for value in bad {
        // One beside a good score, one alone, one in each box value; the last anchor is sound.
        let tensor = TestTensor(
          anchors: position + 20, classes: 20,
          [
            (position, good, [0: 0.9, 19: value]), (position + 1, good, [3: value]),
            (position + 2, [value, 50, 20, 20], [0: 0.9]), (position + 3, [50, value, 20, 20], [0: 0.9]),
            (position + 4, [50, 50, value, 20], [0: 0.9]), (position + 5, [50, 50, 20, value], [0: 0.9]),
            (position + 6, [50, 50, value, value], [0: 0.9]), (position + 7, good, [1: 0.5]),
          ])
        let result = try tensor.decode(.init(), layout, transform: identityTransform())
        #expect(result.detections.map(\.classID) == [1])
        #expect(result.drops.nonFinite == 7)
        #expect(result.drops.total == 7)
      }
    }
  }

  @Test func boxesWithoutAreaAreDroppedAndCounted() throws {
    let boxes: [[Float]] = [
      [50, 50, 0, 20], [50, 50, 20, 0], [50, 50, -20, 20], [50, 50, -20, -20], [1e9, 50, 0.001, 20],
      [50, 50, .leastNonzeroMagnitude, 1],
    ]
    let tensor = TestTensor(anchors: boxes.count, classes: 1, boxes.indices.map { ($0, boxes[$0], [0: 0.9]) })
    let result = try tensor.decode(.init(), transform: identityTransform())
    #expect(result.detections.isEmpty)
    #expect(result.drops.empty == boxes.count)
  }

  @Test func hugeBoxesAreClippedOrCounted() throws {
    let tensor = TestTensor(
      anchors: 3, classes: 3,
      [
        (0, [0, 0, 1e15, 1e15], [0: 0.9]), (1, [0, 0, 1e30, 1e30], [1: 0.9]),
        (2, [3e38, 0, 3e38, 1], [2: 0.9]),
      ])
    let result = try tensor.decode(.init(), transform: identityTransform())
    #expect(result.detections.map(\.box) == [Box(x: 0, y: 0, width: 640, height: 640)])
    #expect(result.drops.nonFinite == 2)
  }

  @Test func boxesOutsideThePictureAreDroppedAfterSuppression() throws {
    // A 1280x720 picture: rows 0-139 of the model input are padding.
    let transform = try PictureTransform(
      .letterbox, sourceWidth: 1280, sourceHeight: 720, modelWidth: 640, modelHeight: 640)
    let tensor = TestTensor(
      anchors: 3, classes: 1,
      [
        (0, [250, 20, 100, 160], [0: 0.65]), (1, [25, 225, 150, 150], [0: 0.9]),
        (2, [250, 506, 10, 10], [0: 0.3]),
      ])
    let result = try tensor.decode(.init(), transform: transform)
    #expect(result.detections.map(\.box) == [Box(x: 0, y: 20, width: 200, height: 300)])
    #expect(result.drops.outsidePicture == 2)
    // The limit counts boxes in the model input, so one outside may use up a place.
    let limited = try tensor.decode(.init(maxDetections: 2), transform: transform)
    #expect(limited.detections.count == 1)
    #expect(limited.drops.outsidePicture == 1)
    #expect(limited.drops.truncated == 1)
  }

  @Test func theLimitKeepsTheBestAndCountsTheRest() throws {
    let tensor = TestTensor(
      anchors: 1000, classes: 4,
      (0..<1000).map {
        ($0, [Float($0 % 40) * 16 + 8, Float($0 / 40) * 16 + 8, 12, 12], [$0 % 4: 0.3 + Float($0) / 2000])
      })
    let result = try tensor.decode(.init(maxDetections: 300), transform: identityTransform())
    #expect(result.detections.count == 300)
    #expect(result.drops.truncated == 700)
    #expect(result.detections.last?.confidence == 0.3 + Float(700) / 2000)
    let oneGroup = try tensor.decode(
      .init(suppression: .classAgnostic, maxDetections: 300), transform: identityTransform())
    #expect(oneGroup == result)
    #expect(
      try tensor.decode(.init(maxDetections: 1000), transform: identityTransform()).drops.truncated == 0)
  }

  @Test func onlyTheClassesAskedForAreReported() throws {
    let tensor = TestTensor(
      anchors: 3, classes: 3,
      [
        (0, [50, 50, 20, 20], [0: 0.9, 2: 0.8]), (1, [52, 50, 20, 20], [2: 0.5]),
        (2, [90, 90, 20, 20], [1: 0.4]),
      ])
    // Anchor 0 is of class 0, although it has the better score for class 2 too, and suppresses nothing.
    let result = try tensor.decode(
      .init(suppression: .classAgnostic, classes: [2]), transform: identityTransform())
    #expect(result.detections.map(\.confidence) == [0.5])
    #expect(try tensor.decode(.init(classes: []), transform: identityTransform()).detections.isEmpty)
    #expect(try tensor.decode(.init(classes: [-1, 99]), transform: identityTransform()).detections.isEmpty)
  }

  @Test func endToEndRowsAreTakenAsTheyAre() throws {
    let rows: [[Float]] = [
      [102, 201, 201, 399, 0.85, 0], [100, 200, 200, 400, 0.9, 0], [0, 0, 0, 0, 0, 0],
      [300, 300, 420, 380, 0.5, 2], [10, 10, 20, 20, 0.2, 1], [10, 10, 20, 20, 0.6, -1],
      [10, 10, 20, 20, 0.6, 1e30], [10, 10, 20, 20, 0.6, .nan], [10, 10, 20, 20, .nan, 1],
      [20, 10, 10, 20, 0.6, 1], [10, 10, 20, 20, 0.6, 80],
    ]
    let tensor = TestTensor(rows: rows, featureCount: 6)
    let result = try tensor.decode(.init(), .endToEnd, transform: identityTransform(), classCount: 80)
    #expect(result.detections.map(\.confidence) == [0.9, 0.85, 0.5])
    #expect(result.detections[1].box == Box(x: 102, y: 201, width: 99, height: 198))
    #expect(result.drops.invalidClass == 3)
    #expect(result.drops.nonFinite == 2)
    #expect(result.drops.empty == 1)
    let again = try tensor.decode(
      .init(suppressesEndToEnd: true), .endToEnd, transform: identityTransform(), classCount: 80)
    #expect(again.detections.map(\.confidence) == [0.9, 0.5])
    let limited = try tensor.decode(
      .init(maxDetections: 2), .endToEnd, transform: identityTransform(), classCount: 80)
    #expect(limited.detections.map(\.confidence) == [0.9, 0.85])
    #expect(limited.drops.truncated == 1)
  }

  @Test func objectnessTimesClassScore() throws {
    // Sure of its class but of no object; the reverse; both; a negative pair; two that are not finite.
    var rows: [[Float]] = [
      [50, 50, 20, 20, 0.1, 0.9, 0.2], [150, 50, 20, 20, 0.9, 0.1, 0.2], [250, 50, 20, 20, 0.8, 0.1, 0.75],
      [350, 50, 20, 20, -2, -1, -1], [450, 50, 20, 20, .nan, 0.9, 0.9], [550, 50, 20, 20, 0, .infinity, 0.9],
      [50, 250, 20, 20, -.infinity, 0.5, 0.5], [150, 250, 20, 20, 0.5, 0.5, 0.5],
    ]
    rows += Array(repeating: Array(repeating: 0, count: 7), count: 40)
    let tensor = TestTensor(rows: rows, featureCount: 7, objectness: true)
    for layout in [YOLOHead.Layout.featuresFirst, .anchorsFirst] {
      for element in [TensorElement.float32, .float64] {
        // At the threshold exactly, 0.5 × 0.5 is not enough.
        let result = try tensor.decode(.init(), layout, element, transform: identityTransform())
        #expect(result.detections.map(\.classID) == [1])
        #expect(result.detections.map(\.confidence) == [Float(0.8) * 0.75])
        #expect(result.detections.first?.box == Box(x: 240, y: 40, width: 20, height: 20))
        #expect(result.drops.nonFinite == 3)
        let lower = try tensor.decode(.init(confidence: 0.2), layout, element, transform: identityTransform())
        #expect(lower.detections.map(\.classID) == [1, 0])
      }
    }
  }

  @Test func boxesInFractions() throws {
    let transform = try PictureTransform(
      .stretch, sourceWidth: 200, sourceHeight: 100, modelWidth: 640, modelHeight: 320)
    let pixels = TestTensor(
      anchors: 40, classes: 2, [(3, [320, 160, 64, 64], [0: 0.9]), (17, [64, 32, 64, 32], [1: 0.8])])
    let fractions = TestTensor(
      anchors: 40, classes: 2, [(3, [0.5, 0.5, 0.1, 0.2], [0: 0.9]), (17, [0.1, 0.1, 0.1, 0.1], [1: 0.8])])
    let nothing = TestTensor(anchors: 40, classes: 2, [(3, [0, .nan, .infinity, 0], [0: 0.9])])
    for layout in [YOLOHead.Layout.featuresFirst, .anchorsFirst] {
      for element in TensorElement.allCases {
        func unit(_ tensor: TestTensor) throws -> BoxUnit? {
          let bytes = tensor.bytes(layout, element)
          return try BoxUnit.of(
            bytes.span.bytes, element: element, head: tensor.head(layout), modelWidth: 640, modelHeight: 320)
        }
        #expect(try unit(pixels) == .pixels)
        #expect(try unit(fractions) == .fractions)
        #expect(try unit(nothing) == nil)
        var decoder = DetectionDecoder(settings: try .init())
        let bytes = fractions.bytes(layout, element)
        let found = try decoder.decode(
          bytes.span.bytes, element: element, head: fractions.head(layout), unit: .fractions,
          transform: transform)
        let expected = try pixels.decode(.init(), layout, element, transform: transform)
        #expect(found.detections.count == 2)
        for (one, other) in zip(found.detections, expected.detections) {
          #expect(one.classID == other.classID)
          #expect(abs(one.box.x - other.box.x) < 0.1 && abs(one.box.height - other.box.height) < 0.1)
        }
      }
    }
  }

  @Test func emptyTensors() throws {
    for layout in YOLOHead.Layout.allCases {
      let tensor = TestTensor(rows: [], featureCount: 6)
      for element in TensorElement.allCases {
        let result = try tensor.decode(.init(), layout, element, transform: identityTransform())
        #expect(result == DetectionResult(detections: [], drops: DetectionDrops()))
      }
    }
  }

  @Test func tensorsOfTheWrongSizeAreRefused() throws {
    var decoder = DetectionDecoder(settings: try .init())
    let head = try YOLOHead(layout: .featuresFirst, shape: [1, 84, 10])
    let transform = try identityTransform()
    for count in [0, 84 * 40 - 1, 84 * 40 + 1, 84 * 20] {
      let bytes = [UInt8](repeating: 0, count: count)
      #expect(throws: VisionError.tensorSize(expected: 84 * 40, found: count)) {
        try decoder.decode(bytes.span.bytes, element: .float32, head: head, transform: transform)
      }
    }
  }

  @Test func tensorsNeedNoAlignment() throws {
    let tensor = TestTensor(anchors: 40, classes: 3, [(33, [50, 50, 20, 20], [1: 0.75])])
    for element in TensorElement.allCases {
      for layout in [YOLOHead.Layout.featuresFirst, .anchorsFirst] {
        let shifted = [0] + tensor.bytes(layout, element)
        var decoder = DetectionDecoder(settings: try .init())
        let result = try decoder.decode(
          shifted.span.bytes.extracting(droppingFirst: 1), element: element, head: tensor.head(layout),
          transform: identityTransform())
        #expect(result.detections.map(\.classID) == [1])
      }
    }
  }
}

@Suite struct YOLOHeadTests {
  @Test func shapes() throws {
    let usual = try YOLOHead(layout: .featuresFirst, shape: [1, 84, 8400], classCount: 80)
    #expect(usual.classCount == 80 && usual.anchorCount == 8400)
    #expect(usual.byteCount(.float16) == 84 * 8400 * 2)
    let transposed = try YOLOHead(layout: .anchorsFirst, shape: [8400, 5])
    #expect(transposed.classCount == 1 && transposed.anchorCount == 8400)
    let endToEnd = try YOLOHead(layout: .endToEnd, shape: [1, 300, 6])
    #expect(endToEnd.classCount == nil && endToEnd.anchorCount == 300)
    let objectness = try YOLOHead(
      layout: .anchorsFirst, shape: [1, 25200, 85], classCount: 80, objectness: true)
    #expect(objectness.classCount == 80 && objectness.byteCount(.float64) == 25200 * 85 * 8)
    // Axes of length 1 that are too many.
    for shape in [[1, 1, 84, 8400], [1, 84, 8400, 1], [1, 84, 1, 8400]] {
      #expect(try YOLOHead(layout: .featuresFirst, shape: shape) == usual)
    }
    #expect(try YOLOHead(layout: .endToEnd, shape: [1, 1, 1, 6]).anchorCount == 1)
  }

  @Test(arguments: [
    ([1, 1000], YOLOHead.Layout.anchorsFirst, Int?(80)), ([1000], .featuresFirst, nil), ([], .endToEnd, nil),
    ([1, 4, 8400], .featuresFirst, nil), ([1, 84, -1], .featuresFirst, nil),
    ([1, -1, 84], .anchorsFirst, nil),
    ([1, 84, 8400], .featuresFirst, 3), ([1, 300, 7], .endToEnd, nil), ([1, 2, 300, 6], .endToEnd, nil),
    ([1, .max, .max], .featuresFirst, nil), ([1, .max, 6], .endToEnd, nil), ([1, .min, 6], .endToEnd, nil),
    ([.max, 1 << 31], .featuresFirst, nil),
  ])
  func impossibleShapesAreRefused(shape: [Int], layout: YOLOHead.Layout, classCount: Int?) {
    let error = #expect(throws: VisionError.self) {
      try YOLOHead(layout: layout, shape: shape, classCount: classCount)
    }
    #expect(error?.description.contains("\(shape)") == true)
    #expect(error?.description.contains("\n") == false)
  }

  @Test func impossibleObjectnessIsRefused() {
    for (layout, shape) in [(YOLOHead.Layout.endToEnd, [1, 300, 6]), (.anchorsFirst, [1, 8400, 5])] {
      #expect(throws: VisionError.self) { try YOLOHead(layout: layout, shape: shape, objectness: true) }
    }
    #expect(throws: VisionError.self) {
      try YOLOHead(layout: .anchorsFirst, shape: [1, 25200, 85], classCount: 81, objectness: true)
    }
  }

  @Test func settingsOutOfRangeAreRefused() {
    for value: Float in [-0.01, 1.01, 7, .nan, .infinity] {
      #expect(throws: VisionError.self) { try DetectionSettings(confidence: value) }
      #expect(throws: VisionError.self) { try DetectionSettings(iou: value) }
    }
    for limit in [0, -1, .min] {
      #expect(throws: VisionError.self) { try DetectionSettings(maxDetections: limit) }
    }
  }
}
