import EyrieTestTools
import EyrieVision
import Testing

/// The decoder against the slow reference on random tensors: they must agree to the last bit.
@Suite struct DecoderAgreementTests {
  @Test(arguments: 0..<60)
  func agreesWithTheSlowReference(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed) &* 7919 &+ 1)
    for layout in YOLOHead.Layout.allCases {
      for element in TensorElement.allCases {
        let classes = [1, 2, 3, 15, 16, 17, 80][Int.random(in: 0..<7, using: &random)]
        let anchors = [0, 1, 15, 16, 17, 200, 1023, 1025][Int.random(in: 0..<8, using: &random)]
        let objectness = layout != .endToEnd && Bool.random(using: &random)
        let tensor = randomTensor(layout, anchors: anchors, classes: classes, objectness: objectness, &random)
        let settings = try DetectionSettings(
          confidence: [0, 0.25, 0.5, 0.9].randomElement(using: &random) ?? 0,
          classConfidence: Bool.random(using: &random) ? [:] : [0: 0.75, 1: 0.125, 2: 0, 16: 1, 99: 0.5],
          weakConfidence: Bool.random(using: &random) ? nil : [0, 0.125, 0.4].randomElement(using: &random),
          iou: [0, 0.3, 0.45, 0.7, 1].randomElement(using: &random) ?? 0,
          suppression: randomSuppression(&random),
          maxDetections: [1, 5, 17, 300].randomElement(using: &random) ?? 1,
          classes: Bool.random(using: &random) ? nil : [0, 1, 7, 16],
          suppressesEndToEnd: Bool.random(using: &random))
        let transform = try PictureTransform(
          Bool.random(using: &random) ? .letterbox : .stretch,
          sourceWidth: Int.random(in: 1...2000, using: &random),
          sourceHeight: Int.random(in: 1...2000, using: &random), modelWidth: 640, modelHeight: 384)
        let classCount = layout == .endToEnd ? classes : nil
        var decoder = DetectionDecoder(settings: settings)
        let expected = SlowReference(settings: settings, transform: transform, classCount: classCount)
          .decode(tensor.rounded(to: element), layout)
        // Twice with one decoder: nothing may remain of the first picture.
        for _ in 0..<2 {
          let found = try tensor.decode(
            &decoder, layout, element, transform: transform, classCount: classCount)
          #expect(
            found == expected,
            "seed \(seed), \(layout), \(element), \(anchors) anchors, \(classes) classes, objectness \(objectness)"
          )
        }
      }
    }
  }

  private func randomSuppression(_ random: inout SplitMix64) -> Suppression {
    [.perClass, .classAgnostic, .groups([]), .groups([[0, 2], [1, 5, 16, -3], [], [40]])]
      .randomElement(using: &random) ?? .perClass
  }

  /// Coarse coordinates and scores, so that equal scores, equal boxes and ratios at the threshold are
  /// frequent, with broken numbers strewn in.
  private func randomTensor(
    _ layout: YOLOHead.Layout, anchors: Int, classes: Int, objectness: Bool, _ random: inout SplitMix64
  ) -> TestTensor {
    let crowded = Bool.random(using: &random)
    let strange: [Float] = [.nan, .infinity, -.infinity, -5, 0, 1e30, 65504, 3.4e38, .leastNonzeroMagnitude]
    func value(_ range: ClosedRange<Int>, scale: Float) -> Float {
      Int.random(in: 0..<400, using: &random) == 0
        ? strange[Int.random(in: strange.indices, using: &random)]
        : Float(Int.random(in: range, using: &random)) * scale
    }
    let rows = (0..<anchors).map { _ -> [Float] in
      var box = [
        value(-5...85, scale: 8), value(-5...60, scale: 8), value(0...20, scale: 8), value(0...20, scale: 8),
      ]
      if layout == .endToEnd {
        box = [box[0], box[1], box[0] + box[2], box[1] + box[3]]
        return box + [value(0...32, scale: 1 / 32), value(-1...classes, scale: 1)]
      }
      let isObject = crowded || Int.random(in: 0..<10, using: &random) == 0
      if objectness { box.append(value(-4...32, scale: 1 / 32)) }
      return box
        + (0..<classes).map { _ in isObject ? value(0...32, scale: 1 / 32) : value(0...7, scale: 1 / 64) }
    }
    return TestTensor(
      rows: rows, featureCount: layout == .endToEnd ? 6 : (objectness ? 5 : 4) + classes,
      objectness: objectness)
  }

  @Test func everyHalfPrecisionNumberIsWidenedExactly() throws {
    // All 65 536 bit patterns as scores, a hundred odd in a tensor; what is above the threshold must come
    // out as Float16 itself has it.
    var nonFinite = [0, 0]
    var decoder = DetectionDecoder(settings: try .init(confidence: 0))
    let transform = try identityTransform()
    for start in stride(from: 0, to: 65536, by: 128) {
      let scores = (start..<start + 128).map { Float(Float16(bitPattern: UInt16($0))) }
      let tensor = TestTensor(
        rows: scores.indices.map { [Float($0) * 4 + 2, 2, 1, 1, scores[$0]] }, featureCount: 5)
      for (index, layout) in [YOLOHead.Layout.featuresFirst, .anchorsFirst].enumerated() {
        let result = try tensor.decode(&decoder, layout, .float16, transform: transform)
        #expect(
          result.detections.map(\.confidence) == scores.filter { $0.isFinite && $0 > 0 }.sorted(by: >))
        nonFinite[index] += result.drops.nonFinite
      }
    }
    #expect(nonFinite == [2 * 1024, 2 * 1024])
  }
}

@Suite(.enabled(if: SharedCorpus.isPresent, "the shared corpus is not beside the package"))
struct CorpusDetectionTests {
  @Test(arguments: [
    "std_1x84x8400", "std_1x8400x84", "oneclass_1x5x8400", "unicode3_1x7x8400", "e2e_1x300x6",
    "nan_1x84x8400",
    "fp16out_1x84x8400", "batchdyn_Nx84x8400", "rect_384x640", "dynhw_1x84x8400", "outside_1x84x8400",
    "ties_1x84x8400", "maxdet_1x84x8400", "empty_1x84x8400", "chain_1x84x8400", "u8in_1x84x8400",
  ])
  func detectionsOfTheCorpusModel(name: String) throws {
    let expected = try SharedCorpus.read("\(name).json", as: DetectionCase.self)
    let model = try ONNXConstants("\(name).onnx")
    let layout = try #require(
      [
        "features-first": YOLOHead.Layout.featuresFirst, "anchors-first": .anchorsFirst,
        "nms-free": .endToEnd,
      ][expected.outputLayout])
    let head = try YOLOHead(layout: layout, shape: model.shape)
    let element: TensorElement = name.hasPrefix("fp16") ? .float16 : .float32
    for result in try #require(expected.results) {
      var values = model.values
      if let brightness = result.imageValue_0_1 {
        // This model moves every box right by 100 times the mean of the image.
        for anchor in 0..<head.anchorCount { values[anchor] += 100 * brightness }
      }
      let bytes =
        element == .float32
        ? values.withUnsafeBytes(Array.init) : values.map { Float16($0) }.withUnsafeBytes(Array.init)
      let settings = try DetectionSettings(
        confidence: result.settings.conf, iou: result.settings.iou,
        suppression: result.settings.agnostic ? .classAgnostic : .perClass,
        maxDetections: result.settings.maxDet)
      var decoder = DetectionDecoder(settings: settings)
      // Identity on the model's own input: only what lies outside it is missing from the list.
      let identity = try PictureTransform(
        .letterbox, sourceWidth: expected.inputHw[1], sourceHeight: expected.inputHw[0],
        modelWidth: expected.inputHw[1], modelHeight: expected.inputHw[0])
      let whole = try decoder.decode(bytes.span.bytes, element: element, head: head, transform: identity)
      #expect(whole.detections.count + whole.drops.outsidePicture == result.count)
      if name.hasPrefix("maxdet") { #expect(whole.drops.truncated == 1000 - result.settings.maxDet) }
      if name.hasPrefix("nan") { #expect(whole.drops.nonFinite == 4) }
      for frame in result.frames ?? [] {
        let transform = try PictureTransform(
          .letterbox, sourceWidth: frame.frameWh[0], sourceHeight: frame.frameWh[1],
          modelWidth: expected.inputHw[1], modelHeight: expected.inputHw[0])
        let found = try decoder.decode(bytes.span.bytes, element: element, head: head, transform: transform)
        // The long list of `maxdet` gives the first twenty model boxes only.
        let isPrefix = name.hasPrefix("maxdet")
        #expect(isPrefix || found.detections.count == frame.detections.count, "\(frame.frameWh)")
        let tolerance: Float = element == .float16 ? 0.5 / Float(transform.scaleX) : 0.002
        for (detection, wanted) in zip(found.detections, frame.detections) {
          let box = detection.box
          #expect(detection.classID == wanted.cls)
          #expect(abs(detection.confidence - wanted.score) <= (element == .float16 ? 0.001 : 1e-6))
          for (edge, wantedEdge) in zip([box.x, box.y, box.x + box.width, box.y + box.height], wanted.box) {
            #expect(abs(edge - wantedEdge) <= tolerance, "\(frame.frameWh) \(box) \(wanted.box)")
          }
        }
      }
    }
  }
}
