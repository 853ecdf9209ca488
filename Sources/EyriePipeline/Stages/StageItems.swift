import EyrieGraph
import EyrieInference
import EyrieVision

/// A frame whose pixels are in the input tensor of an infer request. Dropping it gives the request back.
struct PreparedFrame: Sendable {
  let source: SourceFrame
  let request: RequestLease
  /// From the pixels of the displayed picture to those of the model.
  let transform: PictureTransform
}

/// A frame with what was found in it.
struct DetectedFrame: Sendable {
  let source: SourceFrame
  /// Who found it.
  let detector: DetectorIdentity
  let result: DetectionResult
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
