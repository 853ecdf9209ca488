/// An axis-parallel rectangle with its origin at the top left.
///
/// In pixels of the displayed picture (after rotation and sample aspect ratio), or, as
/// `Detection.boxNormalized`, in fractions 0…1 of its width and height.
public struct Box: Sendable, Equatable, Codable {
  /// The left edge.
  public var x: Double
  /// The top edge.
  public var y: Double
  /// The extent to the right.
  public var width: Double
  /// The extent downwards.
  public var height: Double

  /// A box by its left and top edge and its size.
  public init(x: Double, y: Double, width: Double, height: Double) {
    self.x = x
    self.y = y
    self.width = width
    self.height = height
  }

  /// Whether no member is NaN or infinite.
  public var isFinite: Bool { x.isFinite && y.isFinite && width.isFinite && height.isFinite }

  /// The same box in fractions of a picture. Not finite if the picture has no area.
  public func normalized(width pictureWidth: Int, height pictureHeight: Int) -> Box {
    let across = Double(pictureWidth)
    let down = Double(pictureHeight)
    return Box(x: x / across, y: y / down, width: width / across, height: height / down)
  }
}

/// One label that a classifier gave to a detection.
public struct Classification: Sendable, Equatable, Codable {
  /// The name of the class.
  public var label: String
  /// The score, 0…1.
  public var confidence: Double

  /// A label with its score (0…1).
  public init(label: String, confidence: Double) {
    self.label = label
    self.confidence = confidence
  }
}

/// Why a tracker gave up all tracks of a source at once.
public enum TracksReset: String, Sendable, Hashable, Codable, CaseIterable {
  /// The size of the displayed picture changed.
  case pictureSize = "picture_size"
  /// No frame came for longer than a track is kept.
  case gap
}

/// One object found in a frame.
public struct Detection: Sendable, Equatable {
  /// The index of the class in the model, from 0.
  public var classID: Int
  /// The name of the class.
  public var label: String
  /// The score, 0…1.
  public var confidence: Double
  /// Where it is, in pixels of the displayed picture.
  public var box: Box
  /// Where it is, in fractions 0…1 of the displayed picture.
  public var boxNormalized: Box
  /// The identity that the tracker gave it, if there is a tracker and it belongs to a track: never used twice for a
  /// source in a run.
  public var trackID: Int?
  /// True where nobody detected it in this frame, and the tracker says where it should be by now; nil otherwise.
  public var predicted: Bool?
  /// What a classifier says of the crop, the most likely first, if there is a classifier.
  public var classifications: [Classification]?
  /// The embedding of the crop, if there is an embedding model.
  public var embedding: Embedding?

  /// A detection whose normalised box is computed from the size of the displayed picture in pixels.
  public init(
    classID: Int, label: String, confidence: Double, box: Box, pictureWidth: Int, pictureHeight: Int,
    trackID: Int? = nil, predicted: Bool? = nil, classifications: [Classification]? = nil,
    embedding: Embedding? = nil
  ) {
    self.classID = classID
    self.label = label
    self.confidence = confidence
    self.box = box
    self.boxNormalized = box.normalized(width: pictureWidth, height: pictureHeight)
    self.trackID = trackID
    self.predicted = predicted
    self.classifications = classifications
    self.embedding = embedding
  }
}

/// Where `captured_at` comes from.
public enum ClockSource: String, Sendable, Hashable, Codable {
  /// The wall clock of this machine at the arrival of the packet.
  case arrival
  /// The wall clock of the sender, from RTCP sender reports.
  case rtcp
}

/// What was detected in one frame of one source.
public struct DetectionsEvent: Sendable, Equatable {
  /// Identifies the run of the publisher; a new one starts its sequences anew.
  public var runID: String
  /// The source of the frame.
  public var source: SourceID
  /// Counts the detections events of this source in this run, from 0, without gaps.
  public var sequence: UInt64
  /// The index of the frame in the source session, from 0, in order of presentation.
  public var frame: Int
  /// The presentation time of the stream in nanoseconds, unwrapped, strictly increasing.
  public var presentationTime: Int64
  /// When the frame was captured, by `clock`.
  public var capturedAt: WallTime
  /// Where `capturedAt` comes from.
  public var clock: ClockSource
  /// From the arrival of the packet to the making of the event, monotonic, in milliseconds.
  public var latency: Double?
  /// The width of the displayed picture in pixels.
  public var width: Int
  /// The height of the displayed picture in pixels.
  public var height: Int
  /// The name of the model.
  public var model: String
  /// Whether the picture shows damage, from a loss in transport say; nil if it does not.
  public var damaged: Bool?
  /// True where the detector did not look at this frame, and the objects are those of tracks; nil otherwise.
  public var predicted: Bool?
  /// Why the tracker began anew with this frame; nil if it did not.
  public var tracksReset: TracksReset?
  /// The objects found; empty if there are none.
  public var detections: [Detection]
  /// The embedding of the whole frame, if there is a model for it.
  public var embedding: Embedding?
  /// What this run has dropped from this source so far.
  public var dropped: DropCounts

  /// An event with all its members; see each for its unit.
  public init(
    runID: String, source: SourceID, sequence: UInt64, frame: Int, presentationTime: Int64,
    capturedAt: WallTime, clock: ClockSource, latency: Double?, width: Int, height: Int, model: String,
    damaged: Bool? = nil, predicted: Bool? = nil, tracksReset: TracksReset? = nil, detections: [Detection],
    embedding: Embedding? = nil, dropped: DropCounts = DropCounts()
  ) {
    self.runID = runID
    self.source = source
    self.sequence = sequence
    self.frame = frame
    self.presentationTime = presentationTime
    self.capturedAt = capturedAt
    self.clock = clock
    self.latency = latency
    self.width = width
    self.height = height
    self.model = model
    self.damaged = damaged
    self.predicted = predicted
    self.tracksReset = tracksReset
    self.detections = detections
    self.embedding = embedding
    self.dropped = dropped
  }
}

extension Detection: Decodable {
  private enum CodingKeys: String, CodingKey {
    case classID = "class_id"
    case label, confidence, box
    case boxNormalized = "box_normalized"
    case trackID = "track_id"
    case predicted, classifications, embedding
  }
}

extension DetectionsEvent: Decodable {
  private enum CodingKeys: String, CodingKey {
    case runID = "run_id"
    case source, sequence, frame
    case presentationTime = "pts_ns"
    case capturedAt = "captured_at"
    case clock
    case latency = "latency_ms"
    case width, height, model, damaged, predicted
    case tracksReset = "tracks_reset"
    case detections, embedding, dropped
  }
}
