/// Thresholds and limits of a tracker.
///
/// All times are of the stream (PTS): a setting means the same at every frame rate.
public struct TrackerSettings: Hashable, Sendable {
  /// Weak detections above this confidence, 0…1, take part in the second association.
  public let lowConfidence: Float
  /// The least confidence of a detection that may begin a track, 0…1; nil lets any strong one.
  public let newTrackConfidence: Float?
  /// How many detections a track needs before it has an identity. A detection's track gets its identity in
  /// the frame in which this is reached; tracks of the very first update have theirs at once.
  public let confirmAfter: Int
  /// Seconds that a track is kept without a detection. More than the time between two updates, or nothing
  /// is ever found again.
  public let maxLost: Double
  /// The least intersection over union, 0…1, of a strong detection with the place where its track is
  /// expected.
  ///
  /// It is the overlap alone. ByteTrack multiplies it by the detection's score, which presumes scores above
  /// 0.6: with a confidence threshold of 0.25 a sure overlap of 0.7 would not reach 0.2.
  public let matchIoU: Float
  /// The least intersection over union of a weak detection with the place where its track is expected,
  /// 0…1. 0.5 as in ByteTrack: what is weak must at least be where it should be.
  public let weakIoU: Float
  /// What the intersection over union counts less where the class of detection and track differ, 0…1.
  ///
  /// At 0.3 a car that is taken for a truck, which overlaps its own prediction by far more than 0.5, keeps
  /// its identity, and a person's does not pass to the bicycle below, with which it shares less.
  public let classPenalty: Float

  /// Checks and keeps the settings.
  ///
  /// - Throws: `VisionError.setting` for a fraction outside 0…1, a number of detections outside 1…1000, or a
  ///   time that is not above 0 and at most 3600 s.
  public init(
    lowConfidence: Float = 0.1, newTrackConfidence: Float? = nil, confirmAfter: Int = 2, maxLost: Double = 2,
    matchIoU: Float = 0.2, weakIoU: Float = 0.5, classPenalty: Float = 0.3
  ) throws(VisionError) {
    for (name, value) in [
      ("low confidence", lowConfidence), ("confidence of new tracks", newTrackConfidence ?? 0),
      ("match IoU", matchIoU), ("weak match IoU", weakIoU), ("class penalty", classPenalty),
    ] {
      guard value >= 0, value <= 1 else {
        throw .setting(name: name, value: "\(value)", allowed: "a number from 0 to 1")
      }
    }
    guard (1...1000).contains(confirmAfter) else {
      throw .setting(
        name: "number of detections before a track is confirmed", value: "\(confirmAfter)",
        allowed: "1 to 1000")
    }
    guard maxLost > 0, maxLost <= 3600 else {
      throw .setting(
        name: "time that a lost track is kept", value: "\(maxLost) s", allowed: "above 0 s, up to 3600 s")
    }
    self.lowConfidence = lowConfidence
    self.newTrackConfidence = newTrackConfidence
    self.confirmAfter = confirmAfter
    self.maxLost = maxLost
    self.matchIoU = matchIoU
    self.weakIoU = weakIoU
    self.classPenalty = classPenalty
  }
}
