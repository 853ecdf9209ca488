/// A rectangle of a displayed picture: upright, square pixels, origin at the top left, measured between the edges
/// of pixels. The whole of a picture is `(0, 0, frame.width, frame.height)`.
public struct CropRegion: Hashable, Sendable {
  /// Left edge in pixels.
  public var x: Double
  /// Top edge in pixels.
  public var y: Double
  /// Width in pixels; need not be whole.
  public var width: Double
  /// Height in pixels; need not be whole.
  public var height: Double

  /// A rectangle from its top-left corner and its size.
  public init(x: Double, y: Double, width: Double, height: Double) {
    self.x = x
    self.y = y
    self.width = width
    self.height = height
  }

  /// What of it lies within a picture; `nil` where nothing does, or where it has no numbers.
  func clipped(toWidth pictureWidth: Int, height pictureHeight: Int) -> CropRegion? {
    guard x.isFinite, y.isFinite, width.isFinite, height.isFinite else { return nil }
    let left = max(x, 0)
    let top = max(y, 0)
    let right = min(x + width, Double(pictureWidth))
    let bottom = min(y + height, Double(pictureHeight))
    guard right > left, bottom > top else { return nil }
    return CropRegion(x: left, y: top, width: right - left, height: bottom - top)
  }
}
