/// How sure a classifier is of one class.
public struct ClassScore: Hashable, Sendable {
  /// Index of the class in the model's list of labels.
  public var classID: Int
  /// From 0 to 1, and finite.
  public var confidence: Float

  /// Creates a score from its parts.
  public init(classID: Int, confidence: Float) {
    self.classID = classID
    self.confidence = confidence
  }
}

/// The best few of many scores, best first; equal ones in the order of their classes.
struct BestScores {
  private let limit: Int
  private(set) var scores: [ClassScore] = []

  /// - Parameter limit: how many are kept; less than 1 counts as 1.
  init(limit: Int) {
    self.limit = max(1, limit)
  }

  /// Offers one more. Its score must be finite; classes may come in any order.
  mutating func offer(_ score: Float, classID: Int) {
    let new = ClassScore(classID: classID, confidence: score)
    if scores.count == limit {
      guard let worst = scores.last, Self.isBetter(new, worst) else { return }
      scores.removeLast()
    }
    // Almost always near the end, and there are few.
    var place = scores.count
    while place > 0, Self.isBetter(new, scores[place - 1]) { place -= 1 }
    scores.insert(new, at: place)
  }

  private static func isBetter(_ one: ClassScore, _ other: ClassScore) -> Bool {
    one.confidence != other.confidence
      ? one.confidence > other.confidence : one.classID < other.classID
  }
}
