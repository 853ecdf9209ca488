import EyrieVision

/// A tensor in the making: one row of numbers per anchor, written out in any layout and element type.
struct TestTensor {
  /// Centre x, centre y, width, height, scores; or the six values of an end-to-end row.
  var rows: [[Float]]
  var featureCount: Int
  /// Whether the fifth number is an objectness.
  var objectness = false

  init(rows: [[Float]], featureCount: Int, objectness: Bool = false) {
    self.rows = rows
    self.featureCount = featureCount
    self.objectness = objectness
  }

  /// A grid of `anchors` zero rows with some set: (anchor, box as centre and size, class: score).
  init(anchors: Int, classes: Int, _ set: [(anchor: Int, box: [Float], scores: [Int: Float])]) {
    featureCount = 4 + classes
    rows = Array(repeating: Array(repeating: 0, count: featureCount), count: anchors)
    for entry in set {
      rows[entry.anchor].replaceSubrange(0..<4, with: entry.box)
      for (classID, score) in entry.scores { rows[entry.anchor][4 + classID] = score }
    }
  }

  func head(_ layout: YOLOHead.Layout, classCount: Int? = nil) throws -> YOLOHead {
    let shape = layout == .featuresFirst ? [1, featureCount, rows.count] : [1, rows.count, featureCount]
    return try YOLOHead(layout: layout, shape: shape, classCount: classCount, objectness: objectness)
  }

  func bytes(_ layout: YOLOHead.Layout, _ element: TensorElement) -> [UInt8] {
    var flat: [Float] = []
    flat.reserveCapacity(rows.count * featureCount)
    if layout == .featuresFirst {
      for feature in 0..<featureCount { flat += rows.map { $0[feature] } }
    } else {
      flat = rows.flatMap { $0 }
    }
    switch element {
    case .float32: return flat.withUnsafeBytes(Array.init)
    case .float16: return flat.map { Float16($0) }.withUnsafeBytes(Array.init)
    case .float64: return flat.map { Double($0) }.withUnsafeBytes(Array.init)
    }
  }

  /// The numbers as they are after a trip through `element`.
  func rounded(to element: TensorElement) -> TestTensor {
    element != .float16
      ? self
      : TestTensor(
        rows: rows.map { $0.map { Float(Float16($0)) } }, featureCount: featureCount, objectness: objectness)
  }

  func decode(
    _ decoder: inout DetectionDecoder, _ layout: YOLOHead.Layout = .featuresFirst,
    _ element: TensorElement = .float32, transform: PictureTransform, classCount: Int? = nil
  ) throws -> DetectionResult {
    let bytes = bytes(layout, element)
    return try decoder.decode(
      bytes.span.bytes, element: element, head: head(layout, classCount: classCount), transform: transform)
  }

  func decode(
    _ settings: DetectionSettings, _ layout: YOLOHead.Layout = .featuresFirst,
    _ element: TensorElement = .float32, transform: PictureTransform, classCount: Int? = nil
  ) throws -> DetectionResult {
    var decoder = DetectionDecoder(settings: settings)
    return try decode(&decoder, layout, element, transform: transform, classCount: classCount)
  }
}

/// The rules of `DetectionDecoder` written down as plainly as possible, one anchor and one pair at a time.
struct SlowReference {
  struct Candidate {
    var edges: [Float]
    var score: Float
    var classID: Int
    var isWeak: Bool

    var area: Float { (edges[2] - edges[0]) * (edges[3] - edges[1]) }

    func overlap(_ other: Candidate) -> Float {
      let width = min(edges[2], other.edges[2]) - max(edges[0], other.edges[0])
      let height = min(edges[3], other.edges[3]) - max(edges[1], other.edges[1])
      guard width > 0, height > 0 else { return 0 }
      return width * height / (area + other.area - width * height)
    }
  }

  var settings: DetectionSettings
  var transform: PictureTransform
  var classCount: Int?

  func decode(_ tensor: TestTensor, _ layout: YOLOHead.Layout) -> DetectionResult {
    var drops = DetectionDrops()
    var candidates: [Candidate] = []
    for row in tensor.rows {
      let row = tensor.objectness ? withoutObjectness(row) : row
      if let candidate = candidate(row, endToEnd: layout == .endToEnd, &drops) {
        candidates.append(candidate)
      }
    }
    let sorted = candidates.enumerated()
      .sorted { ($1.element.score, $0.offset) < ($0.element.score, $1.offset) }.map(\.element)
    let strong = suppress(sorted.filter { !$0.isWeak }, layout, against: [])
    let kept = strong.prefix(settings.maxDetections)
    // A box beyond the limit of its group is forgotten; one beyond that of the picture has suppressed others.
    var ofGroup: [Int: Int] = [:]
    let known = strong.filter {
      ofGroup[group(of: $0.classID), default: 0] += 1
      return ofGroup[group(of: $0.classID), default: 0] <= settings.maxDetections
    }
    let weak = suppress(sorted.filter(\.isWeak), layout, against: known).prefix(settings.maxDetections)
    drops.truncated += strong.count - kept.count
    let detections = kept.compactMap(inPicture)
    drops.outsidePicture += kept.count - detections.count
    return DetectionResult(detections: detections, weak: weak.compactMap(inPicture), drops: drops)
  }

  /// What is left of candidates that are sorted, those beyond the limit of their group included.
  private func suppress(
    _ sorted: [Candidate], _ layout: YOLOHead.Layout, against known: [Candidate]
  ) -> [Candidate] {
    if layout == .endToEnd, !settings.suppressesEndToEnd { return sorted }
    var kept: [Candidate] = []
    for candidate in sorted {
      let rivals = kept.filter { group(of: $0.classID) == group(of: candidate.classID) }
        .prefix(settings.maxDetections)
      let better = known.filter { group(of: $0.classID) == group(of: candidate.classID) }
      if (better + rivals).allSatisfy({ $0.overlap(candidate) <= settings.iou }) { kept.append(candidate) }
    }
    return kept
  }

  private func group(of classID: Int) -> Int {
    switch settings.suppression {
    case .perClass: classID
    case .classAgnostic: 0
    case .groups(let groups): groups.firstIndex { $0.contains(classID) }.map { -1 - $0 } ?? classID
    }
  }

  private func inPicture(_ candidate: Candidate) -> Detection? {
    pictureBox(candidate.edges.map(Double.init)).map {
      Detection(classID: candidate.classID, confidence: candidate.score, box: $0)
    }
  }

  /// Centre, size and products of objectness and class score.
  private func withoutObjectness(_ row: [Float]) -> [Float] {
    // A negative objectness is none.
    let objectness = row[4].isFinite ? max(row[4], 0) : row[4]
    return row[..<4] + row[5...].map { $0 * objectness }
  }

  private func candidate(_ row: [Float], endToEnd: Bool, _ drops: inout DetectionDrops) -> Candidate? {
    let scores = endToEnd ? [row[4]] : Array(row[4...])
    if scores.contains(where: { !$0.isFinite }) {
      drops.nonFinite += 1
      return nil
    }
    var best = 0
    for index in scores.indices where scores[index] > scores[best] { best = index }
    var classID = best
    if endToEnd {
      // Without a class there is no threshold but the one for all.
      guard row[5].isFinite else {
        if scores[best] > settings.confidence { drops.nonFinite += 1 }
        return nil
      }
      guard row[5].rounded() >= 0, row[5].rounded() < Float(classCount ?? 1 << 24) else {
        if scores[best] > settings.confidence { drops.invalidClass += 1 }
        return nil
      }
      classID = Int(row[5].rounded())
    }
    let isStrong = scores[best] > settings.classConfidence[classID] ?? settings.confidence
    guard isStrong || scores[best] > settings.weakConfidence ?? .infinity else { return nil }
    if let wanted = settings.classes, !wanted.contains(classID) { return nil }
    let edges =
      endToEnd
      ? Array(row[..<4])
      : [row[0] - row[2] / 2, row[1] - row[3] / 2, row[0] + row[2] / 2, row[1] + row[3] / 2]
    let candidate = Candidate(edges: edges, score: scores[best], classID: classID, isWeak: !isStrong)
    guard edges.allSatisfy(\.isFinite), candidate.area.isFinite else {
      if isStrong { drops.nonFinite += 1 }
      return nil
    }
    guard edges[2] > edges[0], edges[3] > edges[1], candidate.area > 0 else {
      if isStrong { drops.empty += 1 }
      return nil
    }
    return candidate
  }

  private func pictureBox(_ edges: [Double]) -> Box? {
    let left = max((edges[0] - Double(transform.paddingLeft)) / transform.scaleX, 0)
    let top = max((edges[1] - Double(transform.paddingTop)) / transform.scaleY, 0)
    let right = min(
      (edges[2] - Double(transform.paddingLeft)) / transform.scaleX, Double(transform.sourceWidth))
    let bottom = min(
      (edges[3] - Double(transform.paddingTop)) / transform.scaleY, Double(transform.sourceHeight))
    let box = Box(x: Float(left), y: Float(top), width: Float(right - left), height: Float(bottom - top))
    return box.width > 0 && box.height > 0 ? box : nil
  }
}

/// A 640 by 640 picture on a 640 by 640 model: model pixels are picture pixels.
func identityTransform(_ side: Int = 640) throws -> PictureTransform {
  try PictureTransform(.letterbox, sourceWidth: side, sourceHeight: side, modelWidth: side, modelHeight: side)
}
