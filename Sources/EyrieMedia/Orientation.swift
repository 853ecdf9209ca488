/// How a stored picture is turned into the upright one: mirrored left to right first (if at all), then
/// turned clockwise by a multiple of 90 degrees. These are the eight orientations of EXIF and MP4.
struct Orientation: Hashable, Sendable {
  /// 0, 90, 180 or 270.
  var degreesClockwise: Int
  var isMirrored: Bool

  static let upright = Orientation(degreesClockwise: 0, isMirrored: false)

  /// Whether width and height change places.
  var swapsSides: Bool { degreesClockwise == 90 || degreesClockwise == 270 }

  init(degreesClockwise: Int, isMirrored: Bool) {
    self.degreesClockwise = degreesClockwise
    self.isMirrored = isMirrored
  }

  /// The nearest of the eight orientations to a display matrix of nine numbers (row-major; only the upper
  /// left 2×2 matters here). A point (x, y), y down, is shown at (a·x + c·y, b·x + d·y), with
  /// a, b = matrix[0], matrix[1] and c, d = matrix[3], matrix[4] (ISO/IEC 14496-12, 6.2.2).
  init(displayMatrix matrix: UnsafePointer<Int32>) {
    var (a, b) = (Int64(matrix[0]), Int64(matrix[1]))
    let (c, d) = (Int64(matrix[3]), Int64(matrix[4]))
    let determinant = a * d - b * c
    guard determinant != 0 else {
      self = .upright
      return
    }
    isMirrored = determinant < 0
    if isMirrored { (a, b) = (-a, -b) }
    // Where the picture's right-hand side goes: right, down, left or up.
    if abs(a) >= abs(b) {
      degreesClockwise = a > 0 ? 0 : 180
    } else {
      degreesClockwise = b > 0 ? 90 : 270
    }
  }
}
