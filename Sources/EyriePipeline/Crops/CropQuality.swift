/// How much a crop shows of its object, as far as that can be told without looking at it with a model.
struct CropQuality: Sendable, Equatable {
  /// Of the box, in square pixels of the displayed picture.
  var area: Double
  /// See `VideoFrame.sharpness(of:)`; nil where it cannot be told.
  var sharpness: Float?
  /// Of the detection.
  var confidence: Float

  /// A crop is worth another look when it has this much more area, or is this much sharper, …
  private static let clearlyMore = 1.5
  /// … or was detected with so much more confidence, …
  private static let clearlySurer: Float = 0.2
  /// … and in each case is not smaller than this share of the one that was looked at.
  private static let smallestShare = 0.8

  func isClearlyBetter(than other: CropQuality) -> Bool {
    guard area >= other.area * Self.smallestShare else { return false }
    if area > other.area * Self.clearlyMore { return true }
    if confidence > other.confidence + Self.clearlySurer { return true }
    guard let sharpness, let before = other.sharpness else { return false }
    return sharpness > before * Float(Self.clearlyMore)
  }
}
