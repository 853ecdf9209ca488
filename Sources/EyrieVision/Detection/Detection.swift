/// One object found in a picture.
public struct Detection: Hashable, Sendable {
  /// Index of the class in the model's list of labels.
  public var classID: Int
  /// The model's score for that class, always finite and above the threshold of its class or, of a weak
  /// detection, above that of the weak.
  public var confidence: Float
  /// Where it is, in pixels of the displayed picture and inside it.
  public var box: Box

  /// Creates a detection from its parts.
  public init(classID: Int, confidence: Float, box: Box) {
    self.classID = classID
    self.confidence = confidence
    self.box = box
  }
}

/// What was left out while one tensor was decoded, and why.
///
/// “Above the threshold” means the one of the class, or `confidence` where a row's class is not known. What
/// would have been a weak detection is never counted: it was not going to be among `detections`.
public struct DetectionDrops: Hashable, Sendable {
  /// Anchors with a score that is NaN or infinite, and anchors above the confidence threshold whose
  /// box (or class, in an end-to-end head) is NaN, infinite or too large for its area to be a Float.
  public var nonFinite = 0
  /// Anchors above the threshold whose box has no area.
  public var empty = 0
  /// Rows of an end-to-end head above the threshold whose class is not one of the model's.
  public var invalidClass = 0
  /// Detections of which nothing remains inside the picture.
  public var outsidePicture = 0
  /// Candidates left out because `maxDetections` was reached. Past the limit a candidate is compared
  /// with the boxes kept before the limit only, so near-duplicates among the rest count singly.
  public var truncated = 0

  /// No drops.
  public init() {}

  /// Sum of all reasons.
  public var total: Int { nonFinite + empty + invalidClass + outsidePicture + truncated }
}

/// The detections of one picture, best first, and what was left out.
public struct DetectionResult: Hashable, Sendable {
  /// Best confidence first; equal confidences in the order of their anchors.
  public var detections: [Detection]
  /// Those between the weak threshold and that of their class, in the same order; empty unless
  /// `DetectionSettings.weakConfidence` asks for them. None overlaps a detection of its group by more than
  /// the IoU threshold.
  public var weak: [Detection]
  /// What was left out, by reason.
  public var drops: DetectionDrops

  /// Creates a result from its parts.
  public init(detections: [Detection], weak: [Detection] = [], drops: DetectionDrops) {
    self.detections = detections
    self.weak = weak
    self.drops = drops
  }
}
