/// Where a crop comes from in the stored picture, and where it goes to in its target.
struct CropGeometry {
  /// A stretch of the picture along one side, and the pixels that it becomes.
  struct Axis: Equatable {
    /// Edges of the stretch in stored pixels.
    var low: Double
    var high: Double
    /// Pixels that the whole stretch is scaled to.
    var full: Int
    /// Those of them that are wanted: `first..<(first + count)`.
    var first: Int
    var count: Int
  }

  /// Left edge of what the crop fills in the target, as displayed.
  private(set) var x = 0
  /// Top edge of what the crop fills in the target, as displayed.
  private(set) var y = 0
  /// Columns of it.
  var width: Int { swapsSides ? vertical.count : horizontal.count }
  /// Rows of it.
  var height: Int { swapsSides ? horizontal.count : vertical.count }
  /// Along the rows of the stored picture.
  private(set) var horizontal: Axis
  /// Along the columns of the stored picture.
  private(set) var vertical: Axis
  private let swapsSides: Bool

  /// `nil` where the region lies outside of the picture.
  init?(_ region: CropRegion, of picture: PictureGeometry, target: CropTarget) {
    guard let region = region.clipped(toWidth: picture.width, height: picture.height) else { return nil }
    var across = Axis(
      low: region.x, high: region.x + region.width, full: target.width, first: 0, count: target.width)
    var down = Axis(
      low: region.y, high: region.y + region.height, full: target.height, first: 0, count: target.height)
    switch target.fit {
    case .stretch: break
    case .letterbox:
      let gain = min(Double(target.width) / region.width, Double(target.height) / region.height)
      x = Self.shrink(&across, to: region.width * gain)
      y = Self.shrink(&down, to: region.height * gain)
    case .centerCrop:
      // The side that needs the larger scale fits exactly, the other one sticks out.
      let isWide = region.width * Double(target.height) > region.height * Double(target.width)
      if isWide {
        Self.extend(&across, to: Double(target.height) * region.width / region.height)
      } else {
        Self.extend(&down, to: Double(target.width) * region.height / region.width)
      }
    }
    // As in PixelTurn: mirrored first, then turned.
    let orientation = picture.orientation
    swapsSides = orientation.swapsSides
    horizontal = swapsSides ? down : across
    vertical = swapsSides ? across : down
    let degrees = orientation.degreesClockwise
    let squareWidth = Double(swapsSides ? picture.height : picture.width)
    if (degrees == 180 || degrees == 270) != orientation.isMirrored {
      Self.flip(&horizontal, length: squareWidth)
    }
    if degrees == 90 || degrees == 180 { Self.flip(&vertical, length: Double(picture.codedHeight)) }
    horizontal.low *= Double(picture.codedWidth) / squareWidth
    horizontal.high *= Double(picture.codedWidth) / squareWidth
  }

  /// Makes the result smaller.
  ///
  /// - Returns: half of the padding, rounded down.
  private static func shrink(_ axis: inout Axis, to size: Double) -> Int {
    let size = max(Int(min(size.rounded(.toNearestOrEven), Double(axis.count))), 1)
    defer {
      axis.full = size
      axis.count = size
    }
    return (axis.count - size) / 2
  }

  /// Makes the result larger, and the part of it that is wanted its middle.
  private static func extend(_ axis: inout Axis, to size: Double) {
    axis.full = max(Int(min(size, Double(largestLength))), axis.count)
    axis.first = (axis.full - axis.count) / 2
  }

  /// A region may be a million times as long as it is wide; from here on what is wanted is less than its middle
  /// pixel.
  private static let largestLength = 1 << 40

  private static func flip(_ axis: inout Axis, length: Double) {
    (axis.low, axis.high) = (length - axis.high, length - axis.low)
    axis.first = axis.full - axis.first - axis.count
  }
}
