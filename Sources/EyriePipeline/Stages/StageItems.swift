import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieVision

/// A frame on its way to a detector. Dropping it gives the request back.
struct PreparedFrame: Sendable {
  /// What the detector is to look at: the pixels are in the input tensor of an infer request.
  struct Input: Sendable {
    /// Lets so many inferences be under way. Given back with the request.
    let slot: Slot
    let request: RequestLease
    /// From the pixels of the displayed picture to those of the model.
    let transform: PictureTransform
  }

  let source: SourceFrame
  /// nil for a frame that it is not to look at.
  let input: Input?
}

/// A frame with what was found in it, and what later stages added.
struct DetectedFrame: Sendable {
  let source: SourceFrame
  /// Who found it.
  let detector: DetectorIdentity
  /// Whether the detector looked at this frame. If not, the objects are where their tracks are expected.
  let isInferred: Bool
  /// Candidates that were given up.
  let drops: DetectionDrops
  /// The most confident first.
  var objects: [FoundObject]
  /// Detections that are too weak to be published, unless a tracker knows them. By falling confidence.
  var weak: [EyrieVision.Detection] = []
  /// Whether a tracker has seen it.
  var isTracked = false
  /// Why the tracker began anew with this frame.
  var tracksReset: TracksReset?
  /// Of the whole frame.
  var embedding: Embedding?
}

extension DetectedFrame {
  /// A frame that a detector looked at. The lists are the frame's own: the detector goes on with those of the result.
  init(source: SourceFrame, detector: DetectorIdentity, result: DetectionResult) {
    self.init(
      source: source, detector: detector, isInferred: true, drops: result.drops,
      objects: result.detections.map { FoundObject(detection: $0) }, weak: result.weak.map(\.self))
  }
}

/// An object in a frame.
struct FoundObject: Sendable {
  let detection: EyrieVision.Detection
  /// Its identity; nil without a tracker, and while it belongs to no track.
  var trackID: Int?
  /// Whether nobody detected it in this frame: it is where its track is expected.
  var isPredicted = false
  /// What a classifier says; nil if none was asked.
  var classifications: [Classification]?
  var embedding: Embedding?
}

/// A frame with the crops of its objects, which are on their way through a model.
struct CroppedFrame: Sendable {
  let frame: DetectedFrame
  let looks: [CropLook]
}

/// The name of a detector, and those of what it finds.
final class DetectorIdentity: Sendable {
  /// As in the graph.
  let name: String
  /// As in events.
  let model: String
  let labels: ClassLabels

  init(name: String, model: String, labels: ClassLabels) {
    self.name = name
    self.model = model
    self.labels = labels
  }
}

// A frame that is lost anywhere is a loss of its source.
extension SourceFrame: AccountableItem {
  func wasLost(at stage: String, reason: String) {
    source.update { $0.lost[stage, default: [:]][reason, default: 0] += 1 }
  }
}

extension PreparedFrame: AccountableItem {
  func wasLost(at stage: String, reason: String) { source.wasLost(at: stage, reason: reason) }
}

extension DetectedFrame: AccountableItem {
  func wasLost(at stage: String, reason: String) {
    source.source.update { $0.lostAfterInference[stage, default: [:]][reason, default: 0] += 1 }
  }
}

extension CroppedFrame: AccountableItem {
  func wasLost(at stage: String, reason: String) { frame.wasLost(at: stage, reason: reason) }
}
