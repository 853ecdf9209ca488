/// An axis-aligned rectangle: top-left corner and size, y downwards.
///
/// The unit is pixels of the displayed picture unless the property that holds it says normalised
/// (0…1 of the picture's width and height).
public struct Box: Hashable, Sendable {
  /// Left edge.
  public var x: Float
  /// Top edge.
  public var y: Float
  /// Extent to the right of `x`.
  public var width: Float
  /// Extent below `y`.
  public var height: Float

  /// Creates a box from its top-left corner and its size, as they are.
  public init(x: Float, y: Float, width: Float, height: Float) {
    self.x = x
    self.y = y
    self.width = width
    self.height = height
  }

  /// Width times height; 0 for a box that is empty, inverted or not a number.
  public var area: Float {
    width > 0 && height > 0 ? width * height : 0
  }

  /// Whether all four numbers are finite.
  public var isFinite: Bool { x.isFinite && y.isFinite && width.isFinite && height.isFinite }

  /// Area of the overlap over area of the union, 0…1.
  ///
  /// 0 where either box is empty or not finite, and where it is so large that the ratio is not a number.
  public func intersectionOverUnion(_ other: Box) -> Float {
    guard isFinite, other.isFinite else { return 0 }
    let overlapWidth = min(x + width, other.x + other.width) - max(x, other.x)
    let overlapHeight = min(y + height, other.y + other.height) - max(y, other.y)
    guard overlapWidth > 0, overlapHeight > 0, area > 0, other.area > 0 else { return 0 }
    let intersection = overlapWidth * overlapHeight
    let ratio = intersection / (area + other.area - intersection)
    return ratio.isFinite ? min(max(ratio, 0), 1) : 0
  }

  /// What of it lies inside a picture of `pictureWidth` by `pictureHeight` pixels; nil where nothing does, or where it
  /// is not finite.
  public func clipped(pictureWidth: Int, pictureHeight: Int) -> Box? {
    guard isFinite else { return nil }
    let left = max(x, 0)
    let top = max(y, 0)
    let right = min(x + width, Float(pictureWidth))
    let bottom = min(y + height, Float(pictureHeight))
    guard right > left, bottom > top else { return nil }
    return Box(x: left, y: top, width: right - left, height: bottom - top)
  }

  /// The same box in 0…1 of a picture of `pictureWidth` by `pictureHeight` pixels; every edge is
  /// held within 0…1. Sizes below 1 count as 1.
  public func normalized(pictureWidth: Int, pictureHeight: Int) -> Box {
    let horizontal = Self.normalizedSpan(from: x, length: width, extent: pictureWidth)
    let vertical = Self.normalizedSpan(from: y, length: height, extent: pictureHeight)
    return Box(x: horizontal.start, y: vertical.start, width: horizontal.length, height: vertical.length)
  }

  private static func normalizedSpan(
    from start: Float, length: Float, extent: Int
  ) -> (start: Float, length: Float) {
    let scale = Double(max(extent, 1))
    let first = min(max(Double(start) / scale, 0), 1)
    let last = min(max((Double(start) + Double(length)) / scale, first), 1)
    return (Float(first), Float(last - first))
  }
}
