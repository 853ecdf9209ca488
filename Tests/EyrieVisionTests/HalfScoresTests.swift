import Testing

@testable import EyrieVision

/// Scores of binary16 are compared as bit patterns; here each pattern there is, beside the way through binary32.
@Suite("Scores of binary16")
struct HalfScoresTests {
  private static let patterns = 0...UInt16.max
  /// Anchors of a tensor: few, so that suppression has little to compare.
  private static let count = 1_024

  private static func bytes<Number>(_ values: [Number]) -> [UInt8] { values.withUnsafeBytes { Array($0) } }

  /// Four rows of boxes that do not touch, then one row of a class with the scores in question and one with 0.5.
  private static func tensor(scores: [UInt16], layout: YOLOHead.Layout) -> [UInt16] {
    // 0x3800 is 0.5, 0x3c00 is 1; a column of boxes of one pixel, which are as far apart as the numbers there are.
    let anchors = scores.indices.map { index -> [UInt16] in
      let row = UInt16(0x4400 + index % 512), column = UInt16(0x4400 + index / 512 * 512)
      return [column, row, 0x1400, 0x1400, scores[index], 0x3800]
    }
    return layout == .anchorsFirst
      ? anchors.flatMap(\.self) : (0..<6).flatMap { row in anchors.map { $0[row] } }
  }

  @Test(
    "give the detections that they would give as binary32",
    arguments: [YOLOHead.Layout.featuresFirst, .anchorsFirst])
  func agree(layout: YOLOHead.Layout) throws {
    let shape = layout == .featuresFirst ? [1, 6, Self.count] : [1, Self.count, 6]
    let head = try YOLOHead(layout: layout, shape: shape)
    let transform = try PictureTransform(
      .stretch, sourceWidth: 640, sourceHeight: 640, modelWidth: 640, modelHeight: 640)
    var found = 0
    for confidence in [0, 0.25, 0.6] as [Float] {
      var decoder = DetectionDecoder(
        settings: try DetectionSettings(confidence: confidence, iou: 1, maxDetections: Self.count))
      for start in stride(from: 0, to: Self.patterns.count, by: Self.count) {
        let scores = (start..<start + Self.count).map { UInt16($0) }
        let halves = Self.tensor(scores: scores, layout: layout)
        let narrow = try decoder.decode(
          Self.bytes(halves).span.bytes, element: .float16, head: head, transform: transform)
        let wide = try decoder.decode(
          Self.bytes(halves.map { HalfPrecision.widen($0) }).span.bytes, element: .float32, head: head,
          transform: transform)
        #expect(narrow == wide, "patterns from \(start), confidence \(confidence)")
        found += narrow.detections.count + narrow.drops.nonFinite
      }
    }
    #expect(found > Self.patterns.count)
  }

  @Test("are above a threshold just if their pattern is above its floor")
  func floor() {
    for threshold in [0, 1e-9, 6e-8, 0.001, 0.25, 0.1, 0.45, 0.9999, 1] as [Float] {
      let floor = HalfScores.floor(threshold)
      for pattern in 0...Int16(0x7bff) {
        #expect((HalfScores.value(pattern) > threshold) == (pattern > floor), "\(threshold) \(pattern)")
      }
    }
  }
}
