/// Reads a tensor and collects the anchors whose best class score is above a threshold.
///
/// In a real picture some hundred of the 672 000 scores of a COCO head are above the threshold. So the
/// scan compares sixteen scores at once with "the best so far, which starts at the threshold", and only
/// where one is greater, or is no finite number, looks at them singly. The cost is that of reading the
/// tensor once. Scores that have to be converted, or multiplied by an objectness, are so in runs that stay
/// in the first-level cache; those of binary16 are compared as they are where no objectness comes in.
struct CandidateScan: Sendable {
  /// Anchors of a features-first tensor handled together: their best scores and classes (8 KiB) stay in
  /// the first-level cache, and each class row is read in runs of 4 KiB.
  private static let blockSize = 1024
  /// Stands for the best score of an anchor that has a score which is not finite: nothing exceeds it.
  private static let corrupt = Float.infinity
  /// Class indices up to this are exact as a Float, and fit an Int32.
  private static let largestClassCount = 1 << 24

  private var best = [Float](repeating: 0, count: blockSize)
  private var bestClass = [Int32](repeating: 0, count: blockSize)
  private var bestHalf = [Int16](repeating: 0, count: blockSize)
  /// A run of scores that are not in the tensor as such: converted, or multiplied by the objectness.
  private var scratch: [Float] = []
  private var objectness = [Float](repeating: 1, count: blockSize)

  /// Collects the candidates of one picture. `tensor` must hold `head.byteCount(element)` bytes.
  mutating func collect(
    _ tensor: UnsafeRawPointer, element: TensorElement, head: YOLOHead, settings: DetectionSettings,
    into candidates: inout CandidateList, drops: inout DetectionDrops
  ) {
    guard head.anchorCount > 0 else { return }
    let reader = ElementReader(base: tensor, element: element)
    let scratchCount = max(Self.blockSize, head.featureCount)
    if element != .float32 || head.hasObjectness, scratch.count < scratchCount {
      scratch = [Float](repeating: 0, count: scratchCount)
    }
    switch head.layout {
    case .featuresFirst: scanFeaturesFirst(reader, head, settings, &candidates, &drops)
    case .anchorsFirst: scanAnchorsFirst(reader, head, settings, &candidates, &drops)
    case .endToEnd: scanEndToEnd(reader, head, settings, &candidates, &drops)
    }
  }

  private mutating func scanFeaturesFirst(
    _ reader: ElementReader, _ head: YOLOHead, _ settings: DetectionSettings,
    _ candidates: inout CandidateList, _ drops: inout DetectionDrops
  ) {
    let anchors = head.anchorCount
    let isHalf = reader.element == .float16 && !head.hasObjectness
    var start = 0
    while start < anchors {
      let count = min(Self.blockSize, anchors - start)
      if isHalf {
        findBestHalves(reader, head, settings, start, count)
      } else {
        findBest(reader, head, settings, start, count)
      }
      for index in 0..<count where best[index] > settings.leastConfidence {
        let anchor = start + index
        Self.add(
          best[index], bestClass[index], settings, &candidates, &drops,
          box: Corners(
            centreX: reader[anchor], centreY: reader[anchors + anchor],
            width: reader[2 * anchors + anchor], height: reader[3 * anchors + anchor]))
      }
      start += count
    }
  }

  /// Fills `best` and `bestClass` for a block of anchors.
  private mutating func findBest(
    _ reader: ElementReader, _ head: YOLOHead, _ settings: DetectionSettings, _ start: Int, _ count: Int
  ) {
    let anchors = head.anchorCount
    best.withUnsafeMutableBufferPointer { best in
      bestClass.withUnsafeMutableBufferPointer { bestClass in
        scratch.withUnsafeMutableBufferPointer { scratch in
          objectness.withUnsafeMutableBufferPointer { objectness in
            guard let bestBase = best.baseAddress, let classBase = bestClass.baseAddress else { return }
            best.update(repeating: settings.leastConfidence)
            if head.hasObjectness {
              Objectness.read(
                reader.floats(at: 4 * anchors + start, count: count, scratch), count, objectness)
            }
            for classID in 0..<head.featureCount - head.scoreOffset {
              var scores = reader.floats(
                at: (head.scoreOffset + classID) * anchors + start, count: count, scratch)
              if head.hasObjectness {
                scores = Objectness.multiply(scores, count: count, by: objectness, into: scratch)
              }
              Self.raise(bestBase, classBase, by: scores, count: count, classID: Int32(classID))
            }
          }
        }
      }
    }
  }

  /// The same of binary16 without objectness.
  private mutating func findBestHalves(
    _ reader: ElementReader, _ head: YOLOHead, _ settings: DetectionSettings, _ start: Int, _ count: Int
  ) {
    let threshold = HalfScores.floor(settings.leastConfidence)
    bestHalf.withUnsafeMutableBufferPointer { bestHalf in
      bestClass.withUnsafeMutableBufferPointer { bestClass in
        guard let bestBase = bestHalf.baseAddress, let classBase = bestClass.baseAddress else { return }
        bestHalf.update(repeating: threshold)
        for classID in 0..<head.featureCount - head.scoreOffset {
          let row = (head.scoreOffset + classID) * head.anchorCount + start
          HalfScores.raise(
            bestBase, classBase, by: reader.base + row * 2, count: count, classID: Int32(classID))
        }
      }
    }
    // What is not above the threshold as binary16 is not above it.
    for index in 0..<count {
      best[index] =
        bestHalf[index] > threshold ? HalfScores.value(bestHalf[index]) : settings.leastConfidence
    }
  }

  private mutating func scanAnchorsFirst(
    _ reader: ElementReader, _ head: YOLOHead, _ settings: DetectionSettings,
    _ candidates: inout CandidateList, _ drops: inout DetectionDrops
  ) {
    let features = head.featureCount
    let classes = features - head.scoreOffset
    let isHalf = reader.element == .float16 && !head.hasObjectness
    let halfThreshold = HalfScores.floor(settings.leastConfidence)
    scratch.withUnsafeMutableBufferPointer { scratch in
      for anchor in 0..<head.anchorCount {
        let row = anchor * features
        let score: Float
        let classID: Int32
        if isHalf {
          let best = HalfScores.best(
            of: reader.base + (row + head.scoreOffset) * 2, count: classes, above: halfThreshold)
          guard best.score > halfThreshold else { continue }
          (score, classID) = (HalfScores.value(best.score), best.classID)
        } else {
          var scores = reader.floats(at: row + head.scoreOffset, count: classes, scratch)
          if head.hasObjectness {
            scores = Objectness.multiply(
              scores, count: classes, by: Objectness.clamped(reader[row + 4]), into: scratch)
          }
          (score, classID) = Self.best(of: scores, count: classes, above: settings.leastConfidence)
          guard score > settings.leastConfidence else { continue }
        }
        Self.add(
          score, classID, settings, &candidates, &drops,
          box: Corners(
            centreX: reader[row], centreY: reader[row + 1], width: reader[row + 2], height: reader[row + 3]))
      }
    }
  }

  private func scanEndToEnd(
    _ reader: ElementReader, _ head: YOLOHead, _ settings: DetectionSettings,
    _ candidates: inout CandidateList, _ drops: inout DetectionDrops
  ) {
    let classLimit = Float(min(head.classCount ?? Self.largestClassCount, Self.largestClassCount))
    for anchor in 0..<head.anchorCount {
      let row = anchor * 6
      let score = reader[row + 4]
      let classValue = reader[row + 5]
      guard !(score <= settings.leastConfidence) || score == -.infinity else { continue }
      guard score.isFinite, classValue.isFinite else {
        if !score.isFinite || score > settings.confidence { drops.nonFinite += 1 }
        continue
      }
      let classIndex = classValue.rounded()
      guard classIndex >= 0, classIndex < classLimit else {
        if score > settings.confidence { drops.invalidClass += 1 }
        continue
      }
      Self.add(
        score, Int32(classIndex), settings, &candidates, &drops,
        box: Corners(left: reader[row], top: reader[row + 1], right: reader[row + 2], bottom: reader[row + 3])
      )
    }
  }

  /// Adds one anchor above the least threshold, unless it is corrupt, of a class nobody asked for, or below
  /// the threshold of its class and not wanted as a weak one.
  private static func add(
    _ score: Float, _ classID: Int32, _ settings: DetectionSettings, _ candidates: inout CandidateList,
    _ drops: inout DetectionDrops, box: @autoclosure () -> Corners
  ) {
    guard score != corrupt else {
      drops.nonFinite += 1
      return
    }
    if let classes = settings.classes, !classes.contains(Int(classID)) { return }
    let isWeak = score <= settings.threshold(of: Int(classID))
    if isWeak {
      guard let least = settings.weakConfidence, score > least else { return }
    }
    candidates.append(box(), score: score, classID: classID, isWeak: isWeak, drops: &drops)
  }

  /// Whether none of sixteen scores needs a closer look: all at most `best`, and finite.
  @inline(__always)
  private static func isDull(_ scores: SIMD16<Float>, _ best: SIMD16<Float>) -> Bool {
    // NaN fails the first comparison, minus infinity the second.
    all((scores .<= best) .& (scores .>= -Float.greatestFiniteMagnitude))
  }

  /// Raises the best score and class of `count` anchors by one row of scores. An equal score leaves the
  /// earlier class.
  private static func raise(
    _ best: UnsafeMutablePointer<Float>, _ bestClass: UnsafeMutablePointer<Int32>,
    by scores: UnsafeRawPointer, count: Int, classID: Int32
  ) {
    func raiseSingly(_ range: Range<Int>) {
      for index in range {
        let score = scores.loadUnaligned(fromByteOffset: index * 4, as: Float.self)
        if !score.isFinite {
          best[index] = corrupt
        } else if score > best[index] {
          best[index] = score
          bestClass[index] = classID
        }
      }
    }
    let bestBytes = UnsafeRawPointer(best)
    var index = 0
    while index + 16 <= count {
      let row = scores.loadUnaligned(fromByteOffset: index * 4, as: SIMD16<Float>.self)
      let known = bestBytes.loadUnaligned(fromByteOffset: index * 4, as: SIMD16<Float>.self)
      if !isDull(row, known) { raiseSingly(index..<index + 16) }
      index += 16
    }
    raiseSingly(index..<count)
  }

  /// The greatest of `count` scores and its class, the first of equals; (threshold, 0) where none is
  /// greater, `corrupt` where one is not finite.
  private static func best(
    of scores: UnsafeRawPointer, count: Int, above threshold: Float
  ) -> (score: Float, classID: Int32) {
    var result = (score: threshold, classID: Int32(0))
    func look(at range: Range<Int>) {
      for index in range {
        let score = scores.loadUnaligned(fromByteOffset: index * 4, as: Float.self)
        if !score.isFinite {
          result.score = corrupt
        } else if score > result.score {
          result = (score, Int32(index))
        }
      }
    }
    var index = 0
    while index + 16 <= count {
      let row = scores.loadUnaligned(fromByteOffset: index * 4, as: SIMD16<Float>.self)
      if !isDull(row, SIMD16(repeating: result.score)) { look(at: index..<index + 16) }
      index += 16
    }
    look(at: index..<count)
    return result
  }
}
