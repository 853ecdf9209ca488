import EyrieInference
import EyrieMedia
import EyrieVision

/// A decoded frame on its way through the graph.
struct SourceFrame: Sendable {
  /// The source it comes from.
  let source: String
  /// The number of the frame in its source, from 0, going on over loops.
  var index: Int { frame.index }
  let frame: VideoFrame
  /// The moment that latency is measured from: when the packet arrived (of a file, not before the run began)
  /// or, for a paced file, when the frame was due.
  let arrival: ContinuousClock.Instant
  /// Counts the connections to the source, from 1.
  var session = 1
}

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
  let result: DetectionResult
}
