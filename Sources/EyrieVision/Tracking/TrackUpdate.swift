/// What a tracker found in one frame.
public struct TrackUpdate: Hashable, Sendable {
  /// A weak detection that continues a confirmed track.
  public struct Rescue: Hashable, Sendable {
    /// Its index among the weak detections of the update.
    public var index: Int
    /// The identity of its track.
    public var id: Int

    /// Creates a rescue from its parts.
    public init(index: Int, id: Int) {
      self.index = index
      self.id = id
    }
  }

  /// The identity of each strong detection, in their order; nil where it belongs to no confirmed track.
  public var ids: [Int?]
  /// Weak detections that continue a confirmed track, by ascending index.
  public var rescued: [Rescue]
  /// Identities of confirmed tracks that were given up in this update. They never come back.
  public var ended: [Int]

  /// Creates an update from its parts.
  public init(ids: [Int?], rescued: [Rescue] = [], ended: [Int] = []) {
    self.ids = ids
    self.rescued = rescued
    self.ended = ended
  }
}

/// Where a confirmed track is expected at a time at which nobody looked for it.
public struct TrackPrediction: Hashable, Sendable {
  /// The identity of the track.
  public var id: Int
  /// The class of its last detection.
  public var classID: Int
  /// The confidence of its last detection.
  public var confidence: Float
  /// The expected place, finite and with an area, in the unit of the detections. It may reach out of the
  /// picture or lie outside.
  public var box: Box

  /// Creates a prediction from its parts.
  public init(id: Int, classID: Int, confidence: Float, box: Box) {
    self.id = id
    self.classID = classID
    self.confidence = confidence
    self.box = box
  }
}
