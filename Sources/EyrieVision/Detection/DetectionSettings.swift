/// Thresholds and limits of a detection decoder.
public struct DetectionSettings: Hashable, Sendable {
  /// A candidate counts when its score is greater than this, 0…1.
  public let confidence: Float
  /// The same for single classes, by index, instead of `confidence`. The class of an anchor is that of its
  /// best score even where another one would reach its own threshold.
  public let classConfidence: [Int: Float]
  /// Candidates above this, 0…1, that do not reach the threshold of their class are reported apart, as
  /// `DetectionResult.weak`; nil leaves them out.
  public let weakConfidence: Float?
  /// A box is suppressed when its intersection over union with a better one is greater than this, 0…1.
  public let iou: Float
  /// Which boxes suppress one another.
  public let suppression: Suppression
  /// The most detections reported for one picture, and again the most weak ones.
  public let maxDetections: Int
  /// The classes to report, by index; nil reports all. An anchor whose best class is another one is
  /// left out before suppression.
  public let classes: Set<Int>?
  /// Whether rows of an end-to-end head, which has removed duplicates itself, are suppressed again.
  public let suppressesEndToEnd: Bool

  /// No score up to this one matters: the least of all thresholds.
  let leastConfidence: Float

  /// Checks and keeps the settings.
  ///
  /// - Throws: `VisionError.setting` for a threshold outside 0…1, a limit below 1, or groups that share a
  ///   class.
  public init(
    confidence: Float = 0.25, classConfidence: [Int: Float] = [:], weakConfidence: Float? = nil,
    iou: Float = 0.45, suppression: Suppression = .perClass, maxDetections: Int = 300,
    classes: Set<Int>? = nil, suppressesEndToEnd: Bool = false
  ) throws(VisionError) {
    try Self.checkFraction("confidence", confidence)
    for (classID, confidence) in classConfidence.sorted(by: { $0.key < $1.key }) {
      try Self.checkFraction("confidence of class \(classID)", confidence)
    }
    try Self.checkFraction("weak confidence", weakConfidence ?? 0)
    try Self.checkFraction("IoU threshold", iou)
    try suppression.check()
    guard maxDetections >= 1 else {
      throw .setting(name: "maximum of detections", value: "\(maxDetections)", allowed: "1 or more")
    }
    self.confidence = confidence
    self.classConfidence = classConfidence
    self.weakConfidence = weakConfidence
    self.iou = iou
    self.suppression = suppression
    self.maxDetections = maxDetections
    self.classes = classes
    self.suppressesEndToEnd = suppressesEndToEnd
    leastConfidence = min(confidence, weakConfidence ?? 1, classConfidence.values.min() ?? 1)
  }

  /// What a candidate of a class must exceed.
  func threshold(of classID: Int) -> Float {
    classConfidence.isEmpty ? confidence : classConfidence[classID] ?? confidence
  }

  private static func checkFraction(_ name: String, _ value: Float) throws(VisionError) {
    guard value >= 0, value <= 1 else {
      throw .setting(name: name, value: "\(value)", allowed: "a number from 0 to 1")
    }
  }
}
