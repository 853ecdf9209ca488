/// Compares the boxes of a detector that suppresses by itself with all those of the reference.
struct BoxComparison {
  typealias Comparison = GoldenReport.Comparison

  /// Below this overlap two boxes are not taken for the same, but for one that is missing and one too many.
  private static let leastOverlap = 0.5

  let model: ModelDescription
  let iou: Double
  let scores: Double

  func compare(_ reader: TensorReader, with references: [Golden.ReferenceBox]) -> [Comparison] {
    guard reader.count % 6 == 0 else {
      return [Comparison("shape", "rows of 6", impossible: "there are \(reader.count) numbers")]
    }
    var rest = (0..<reader.count / 6).compactMap { row in Self.box(reader, row) }
    // A box that close to the threshold may be on either side of it.
    let certain = (model.nms.confidence ?? 0.25) + scores
    var (missing, lowestOverlap, scoreError, matched) = (0, 1.0, 0.0, 0)
    for reference in references.sorted(by: { $0.score > $1.score }) {
      let overlaps = rest.enumerated().filter { $0.element.classID == reference.classID }
        .map { (index: $0.offset, overlap: Self.overlap($0.element, reference)) }
      guard let best = overlaps.max(by: { $0.overlap < $1.overlap }), best.overlap >= Self.leastOverlap else {
        if reference.score > certain { missing += 1 }
        continue
      }
      let found = rest.remove(at: best.index)
      matched += 1
      lowestOverlap = min(lowestOverlap, best.overlap)
      scoreError.widen(found.score - reference.score)
    }
    let besides = rest.count { $0.score > certain }
    var result = [
      Comparison("boxes missing", "\(references.count) boxes", atMost: 0, found: Double(missing)),
      Comparison("boxes too many", "\(references.count) boxes", atMost: 0, found: Double(besides)),
    ]
    if matched > 0 {
      result += [
        Comparison("overlap (IoU)", "\(matched) boxes", atLeast: iou, found: lowestOverlap),
        Comparison("scores", "\(matched) boxes", atMost: scores, found: scoreError),
      ]
    }
    return result
  }

  /// `nil` for a row that is not used.
  private static func box(_ reader: TensorReader, _ row: Int) -> Golden.ReferenceBox? {
    let score = reader[row * 6 + 4]
    guard score > 0, let classID = Int(exactly: reader[row * 6 + 5]) else { return nil }
    return Golden.ReferenceBox(
      left: reader[row * 6], top: reader[row * 6 + 1], right: reader[row * 6 + 2],
      bottom: reader[row * 6 + 3],
      score: score, classID: classID)
  }

  private static func overlap(_ a: Golden.ReferenceBox, _ b: Golden.ReferenceBox) -> Double {
    let width = min(a.right, b.right) - max(a.left, b.left)
    let height = min(a.bottom, b.bottom) - max(a.top, b.top)
    guard width > 0, height > 0 else { return 0 }
    let both = width * height
    let area = (a.right - a.left) * (a.bottom - a.top) + (b.right - b.left) * (b.bottom - b.top)
    let overlap = both / (area - both)
    return overlap.isFinite ? overlap : 0
  }
}
