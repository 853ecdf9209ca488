/// Turns the output of a classifier for one picture into its best classes.
public struct ClassificationHead: Sendable {
  /// What the model's scores are.
  public enum Scores: String, Sendable {
    /// Before softmax, which the head then applies.
    case logits
    /// After softmax or sigmoid. Rounding in half precision can bring them outside of 0…1; they are clamped.
    case probabilities
  }

  /// The type of the class indices that a model lists itself.
  public enum IndexElement: Int, Sendable {
    /// 32 bits, signed.
    case int32 = 4
    /// 64 bits, signed.
    case int64 = 8
  }

  /// What the model's scores are.
  public let scores: Scores
  /// The most classes reported for one picture.
  public let topK: Int
  /// Classes of less confidence are left out.
  public let minConfidence: Float

  /// Makes a head.
  /// - Parameters:
  ///   - scores: what the model's scores are.
  ///   - topK: the most classes reported; less than 1 counts as 1.
  ///   - minConfidence: from 0 to 1; classes of less confidence are left out.
  public init(scores: Scores, topK: Int, minConfidence: Float) {
    self.scores = scores
    self.topK = max(1, topK)
    self.minConfidence = minConfidence
  }

  /// Picks the best classes of a row with the scores of all.
  ///
  /// - Parameters:
  ///   - row: the scores of one picture, one a class in the order of the model's classes. Need not be aligned.
  ///   - element: type of the scores.
  /// - Returns: best first, equal scores in the order of the classes; may be empty. Nil where a score is NaN or
  ///   infinite, so that none of them means anything.
  /// - Throws: `VisionError.tensorSize` where the row has no score, or a part of one.
  public func decode(_ row: RawSpan, element: TensorElement) throws(VisionError) -> [ClassScore]? {
    guard let values = try Row.finite(row, element: element) else { return nil }
    if scores == .logits {
      return Softmax.best(of: values, topK: topK, minConfidence: minConfidence)
    }
    var best = BestScores(limit: topK)
    for (classID, value) in values.enumerated() {
      let confidence = min(max(value, 0), 1)
      if confidence >= minConfidence { best.offer(confidence, classID: classID) }
    }
    return best.scores
  }

  /// Picks the best classes of a model's own list, whose scores are taken for probabilities: a softmax needs the
  /// scores of all classes.
  ///
  /// - Parameters:
  ///   - scores: one for each class of the list, for one picture.
  ///   - element: type of the scores.
  ///   - indices: the class of each score.
  ///   - indexElement: type of the indices.
  ///   - classCount: how many classes the model has. An index outside of them is left out, as is a class that
  ///     the list has a second time.
  /// - Returns: as for ``decode(_:element:)``.
  /// - Throws: `VisionError.tensorSize` where there are no scores, or another number of indices than of scores.
  public func decode(
    scores: RawSpan, element: TensorElement, indices: RawSpan, indexElement: IndexElement, classCount: Int
  ) throws(VisionError) -> [ClassScore]? {
    guard let values = try Row.finite(scores, element: element) else { return nil }
    let expected = values.count * indexElement.rawValue
    guard indices.byteCount == expected else {
      throw .tensorSize(expected: expected, found: indices.byteCount)
    }
    var best = BestScores(limit: topK)
    var seen: Set<Int> = []
    for (place, value) in values.enumerated() {
      let index = Self.index(at: place, of: indices, indexElement)
      let confidence = min(max(value, 0), 1)
      guard let index, (0..<max(0, classCount)).contains(index), confidence >= minConfidence,
        seen.insert(index).inserted
      else { continue }
      best.offer(confidence, classID: index)
    }
    return best.scores
  }

  private static func index(at place: Int, of indices: RawSpan, _ element: IndexElement) -> Int? {
    indices.withUnsafeBytes { bytes in
      switch element {
      case .int32: Int(bytes.loadUnaligned(fromByteOffset: place * 4, as: Int32.self))
      case .int64: Int(exactly: bytes.loadUnaligned(fromByteOffset: place * 8, as: Int64.self))
      }
    }
  }
}
