import Foundation

/// `exp(x) ÷ Σ exp`, with the largest of all subtracted first, so that no exponential is too large.
struct Softmax {
  private let largest: Double
  private let sum: Double

  /// - Parameter values: finite, at least one.
  init(_ values: [Float]) {
    let largest = Double(values.max() ?? 0)
    self.largest = largest
    // At least 1, the summand of the largest itself. In double precision, for a thousand classes add up.
    sum = values.reduce(0) { $0 + exp(Double($1) - largest) }
  }

  /// The share of one of the values.
  func callAsFunction(_ value: Float) -> Float {
    Float(exp(Double(value) - largest) / sum)
  }

  /// The best of all, with their shares as confidences, from `minConfidence` on.
  static func best(of values: [Float], topK: Int, minConfidence: Float) -> [ClassScore] {
    // Ranked before the exponential, which makes distant values equal.
    var best = BestScores(limit: topK)
    for (classID, value) in values.enumerated() { best.offer(value, classID: classID) }
    let softmax = Softmax(values)
    return best.scores.compactMap { ranked in
      let confidence = softmax(ranked.confidence)
      return confidence >= minConfidence
        ? ClassScore(classID: ranked.classID, confidence: confidence) : nil
    }
  }
}
