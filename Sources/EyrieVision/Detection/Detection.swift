/// One object found in a picture.
public struct Detection: Hashable, Sendable {
  /// Index of the class in the model's list of labels.
  public var classID: Int
  /// The model's score for that class, always above the confidence threshold and finite.
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
  /// What was left out, by reason.
  public var drops: DetectionDrops

  /// Creates a result from its parts.
  public init(detections: [Detection], drops: DetectionDrops) {
    self.detections = detections
    self.drops = drops
  }
}

/// Thresholds and limits of a detection decoder.
public struct DetectionSettings: Hashable, Sendable {
  /// A candidate counts when its score is greater than this, 0…1.
  public let confidence: Float
  /// A box is suppressed when its intersection over union with a better one is greater than this, 0…1.
  public let iou: Float
  /// Whether boxes of different classes suppress one another.
  public let classAgnostic: Bool
  /// The most detections reported for one picture.
  public let maxDetections: Int
  /// The classes to report, by index; nil reports all. An anchor whose best class is another one is
  /// left out before suppression.
  public let classes: Set<Int>?
  /// Whether rows of an end-to-end head, which has removed duplicates itself, are suppressed again.
  public let suppressesEndToEnd: Bool

  /// Checks and keeps the settings.
  ///
  /// - Throws: `VisionError.setting` for a threshold outside 0…1 or a limit below 1.
  public init(
    confidence: Float = 0.25, iou: Float = 0.45, classAgnostic: Bool = false, maxDetections: Int = 300,
    classes: Set<Int>? = nil, suppressesEndToEnd: Bool = false
  ) throws(VisionError) {
    try Self.checkFraction("confidence", confidence)
    try Self.checkFraction("IoU threshold", iou)
    guard maxDetections >= 1 else {
      throw .setting(name: "maximum of detections", value: "\(maxDetections)", allowed: "1 or more")
    }
    self.confidence = confidence
    self.iou = iou
    self.classAgnostic = classAgnostic
    self.maxDetections = maxDetections
    self.classes = classes
    self.suppressesEndToEnd = suppressesEndToEnd
  }

  private static func checkFraction(_ name: String, _ value: Float) throws(VisionError) {
    guard value >= 0, value <= 1 else {
      throw .setting(name: name, value: "\(value)", allowed: "a number from 0 to 1")
    }
  }
}
