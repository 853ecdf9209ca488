import Testing

@testable import EyrieInference

/// How the shape of a detector's output is read.
struct DetectionHeadTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var shape: [Int]
    var labels: Int?
    var isDetector = false
    var size = (width: 640, height: 640)
    var layout: DetectionLayout?
    var classes: Int?
    var objectness = false

    var testDescription: String { "\(shape) with \(labels.map(String.init) ?? "no") labels" }
  }

  static let cases: [Case] = [
    Case(shape: [1, 84, 8400], labels: 80, layout: .featuresFirst, classes: 80),
    Case(shape: [1, 8400, 84], labels: 80, layout: .anchorsFirst, classes: 80),
    Case(shape: [1, 84, 8400], layout: .featuresFirst, classes: 80),
    Case(shape: [1, 8400, 84], layout: .anchorsFirst, classes: 80),
    Case(shape: [1, 5, 8400], labels: 1, layout: .featuresFirst, classes: 1),
    Case(shape: [1, 5, 8400], layout: .featuresFirst, classes: 1),
    Case(shape: [1, 8400, 5], layout: .anchorsFirst, classes: 1),
    // Six values: end to end, or two classes.
    Case(shape: [1, 300, 6], labels: 80, layout: .endToEnd, classes: 80),
    Case(shape: [1, 300, 6], labels: 2, layout: .endToEnd, classes: 2),
    Case(shape: [1, 300, 6], labels: 1, layout: .endToEnd, classes: 1),
    Case(shape: [1, 300, 6], layout: .endToEnd, classes: nil),
    Case(shape: [1, -1, 6], labels: 2, layout: .endToEnd, classes: 2),
    Case(shape: [1, -1, 6], layout: .endToEnd, classes: nil),
    Case(shape: [1, 8400, 6], labels: 2, layout: .anchorsFirst, classes: 2),
    Case(shape: [1, 8400, 6], layout: .anchorsFirst, classes: 2),
    Case(shape: [1, 6, 8400], labels: 2, layout: .featuresFirst, classes: 2),
    Case(shape: [1, 6, 8400], layout: .featuresFirst, classes: 2),
    // More features than anchors, and few anchors.
    Case(shape: [1, 604, 84], labels: 600, size: (64, 64), layout: .featuresFirst, classes: 600),
    Case(shape: [1, 604, 84], size: (64, 64), layout: .featuresFirst, classes: 600),
    Case(shape: [1, 84, 84], labels: 80, size: (64, 64), layout: .featuresFirst, classes: 80),
    // Other sizes and stride sets.
    Case(shape: [1, 84, 5040], size: (640, 384), layout: .featuresFirst, classes: 80),
    Case(shape: [1, 7, 34000], size: (1280, 1280), layout: .featuresFirst, classes: 3),
    Case(shape: [1, 84, 2535], labels: 80, size: (416, 416), layout: .featuresFirst, classes: 80),
    Case(shape: [1, 84, 2535], size: (416, 416), layout: .featuresFirst, classes: 80),
    Case(shape: [1, 84, 12345], layout: .featuresFirst, classes: 80),
    // YOLOv5 and v7.
    Case(shape: [1, 25200, 85], labels: 80, layout: .anchorsFirst, classes: 80, objectness: true),
    Case(shape: [1, 25200, 85], layout: .anchorsFirst, classes: 80, objectness: true),
    Case(shape: [1, 25200, 6], labels: 1, layout: .anchorsFirst, classes: 1, objectness: true),
    Case(shape: [1, 85, 25200], labels: 80, layout: .featuresFirst, classes: 80, objectness: true),
    Case(
      shape: [1, 10647, 85], labels: 80, size: (416, 416), layout: .anchorsFirst, classes: 80,
      objectness: true),
    Case(shape: [1, 1234, 8], labels: 3, layout: .anchorsFirst, classes: 3, objectness: true),
    // One anchor a cell: YOLOX, an oriented box, or a label too few.
    Case(
      shape: [1, 8400, 85], labels: 80, isDetector: true, layout: .anchorsFirst, classes: 80, objectness: true
    ),
    Case(shape: [1, 8400, 85], labels: 80),
    Case(shape: [1, 85, 8400], labels: 80, isDetector: true),
    Case(shape: [1, 8400, 84], labels: 79, isDetector: true),
    Case(shape: [1, 8400, 85]),
    // What others have an anchor.
    Case(shape: [1, 56, 8400]),
    Case(shape: [1, 56, 8400], labels: 52, layout: .featuresFirst, classes: 52),
    Case(shape: [1, 116, 8400]),
    Case(shape: [1, 25200, 117]),
    // As many anchors as an end-to-end head has rows, and the reverse.
    Case(shape: [1, 300, 6], labels: 2, size: (320, 192), layout: .endToEnd, classes: 2),
    Case(shape: [1, 300, 6], size: (320, 192), layout: .endToEnd, classes: nil),
    Case(shape: [1, 21, 6], labels: 2, size: (32, 32), layout: .anchorsFirst, classes: 2),
    Case(shape: [1, 84, 21], labels: 80, size: (32, 32), layout: .featuresFirst, classes: 80),
    Case(shape: [1, 1, 6], labels: 80, layout: .endToEnd, classes: 80),
    Case(shape: [1, 8400, 6], labels: 80, layout: .endToEnd, classes: 80),
    Case(shape: [1, 3000, 6], labels: 2),
    Case(shape: [1, 3000, 6], labels: 1),
    Case(shape: [1, 3000, 6]),
    // More axes than needed, or fewer.
    Case(shape: [1, 1, 84, 8400], labels: 80, layout: .featuresFirst, classes: 80),
    Case(shape: [1, 84, 8400, 1], labels: 80, layout: .featuresFirst, classes: 80),
    Case(shape: [84, 8400], labels: 80, layout: .featuresFirst, classes: 80),
    Case(shape: [8400, 84], layout: .anchorsFirst, classes: 80),
    Case(shape: [-1, 6], labels: 80, layout: .endToEnd, classes: 80),
    Case(shape: [1, 1, 100, 7], labels: 3),
    Case(shape: [1, 1000], labels: 996),
    Case(shape: [1, 996, 1, 1], labels: 992),
    Case(shape: [100, 50], labels: 46),
    Case(shape: [1, 1, 1, 1, 1, 84, 8400], labels: 80),
    Case(shape: [.min, .max, 0, -7], labels: 80),
    // Feature maps.
    Case(shape: [1, 3, 80, 80, 85], labels: 80),
    Case(shape: [1, 255, 80, 80], labels: 80),
    // No detectors.
    Case(shape: [1, 1000]),
    Case(shape: [1, 3, 4]),
    Case(shape: [8, 84, 8400]),
    Case(shape: [1, 1, 100, 7]),
    Case(shape: [1, 116, 8400], labels: 80),
    // A label too few, a label too many.
    Case(shape: [1, 84, 8400], labels: 79),
    Case(shape: [1, 84, 8400], labels: 81),
    Case(shape: [1, 50, 60]),
    Case(shape: []),
  ]

  @Test(arguments: cases)
  func reads(_ given: Case) {
    var known = DetectionHead.Knowledge(
      width: given.size.width, height: given.size.height, labelCount: given.labels)
    known.isDetector = given.isDetector
    let head = try? DetectionHead.decide(shape: given.shape, knowing: known).get()
    #expect(head?.layout == given.layout)
    #expect(head?.classCount == given.classes)
    #expect((head?.objectness ?? false) == given.objectness)
  }

  @Test func saysWhyWhenItHadToChoose() throws {
    let known = DetectionHead.Knowledge(width: 640, height: 640, labelCount: 2)
    let grid = try DetectionHead.decide(shape: [1, 8400, 6], knowing: known).get()
    #expect(grid.notes.first?.contains("640×640") == true)
    let rows = try DetectionHead.decide(shape: [1, 300, 6], knowing: known).get()
    #expect(rows.notes.first?.contains("300") == true)
    let plain = try DetectionHead.decide(shape: [1, 6, 8400], knowing: known).get()
    #expect(plain.notes.isEmpty)
  }

  @Test func metadataDecides() throws {
    var known = DetectionHead.Knowledge(width: 640, height: 640, labelCount: 2)
    known.isEndToEnd = false
    #expect(try DetectionHead.decide(shape: [1, 300, 6], knowing: known).get().layout == .anchorsFirst)
    known.isEndToEnd = true
    #expect(try DetectionHead.decide(shape: [1, 8400, 6], knowing: known).get().layout == .endToEnd)
    known = DetectionHead.Knowledge(width: 640, height: 640)
    known.layout = .featuresFirst
    known.objectness = true
    let head = try DetectionHead.decide(shape: [1, 50, 60], knowing: known).get()
    #expect(head.classCount == 45)
  }

  @Test func gridSizesAtExtremes() {
    #expect(GridSizes(width: 1, height: 1).isKnown(3))
    #expect(GridSizes(width: 16_384, height: 16_384).isOneACell(5_505_024))
  }
}
