import EyrieGraph

/// What became of the objects that a stage was to look at. Each that was seen in a frame is one of `answered`,
/// `reused` and `dropped`.
struct CropCounts: Sendable, Equatable {
  /// Objects in frames that a model was to look at, or of which an earlier look holds.
  var seen = 0
  /// Those that have the result of their own crop.
  var answered = 0
  /// Those that an earlier look at the same track answered.
  var reused = 0
  /// Those without a result: reason → count.
  var dropped: [String: Int] = [:]

  /// Adds what became of others.
  mutating func add(_ other: CropCounts) {
    seen += other.seen
    answered += other.answered
    reused += other.reused
    dropped.merge(other.dropped, uniquingKeysWith: +)
  }
}

/// Why an object has no result.
enum CropLoss {
  /// Its box is smaller than `min_box`.
  static let tooSmall = "too_small"
  /// It belongs to no track (yet).
  static let untracked = "untracked"
  /// The picture cannot be converted.
  static let cropFailed = "crop_failed"
  /// The model failed.
  static let inferenceFailed = "inference_failed"
  /// The model gave a number that is not finite.
  static let notFinite = "not_finite"
  /// So many crops wait already that this one would be late in any case.
  static let queueFull = LossReason.queueFull
  /// The frame went on without waiting any longer.
  static let timedOut = "timed_out"
  /// The run ended.
  static let shutdown = LossReason.shutdown
}
