/// Copies packed 3-byte pixels while mirroring and turning them.
enum PixelTurn {
  /// Writes `source` (as stored) upright to `target`.
  ///
  /// - Parameters:
  ///   - width: Width of the upright picture in pixels.
  ///   - height: Height of the upright picture in pixels.
  static func copy(
    from source: UnsafePointer<UInt8>, sourceRowBytes: Int, to target: UnsafeMutablePointer<UInt8>,
    targetRowBytes: Int, width: Int, height: Int, orientation: Orientation
  ) {
    if orientation == .upright {
      for row in 0..<height {
        (target + row * targetRowBytes).update(from: source + row * sourceRowBytes, count: width * 3)
      }
      return
    }
    let (start, columnStep, rowStep) = walk(
      sourceRowBytes: sourceRowBytes, width: width, height: height, orientation: orientation)
    for row in 0..<height {
      var from = source + (start + row * rowStep)
      var to = target + row * targetRowBytes
      for _ in 0..<width {
        to[0] = from[0]
        to[1] = from[1]
        to[2] = from[2]
        from += columnStep
        to += 3
      }
    }
  }

  /// Where in the stored picture the upright one begins, and how many bytes its columns and rows are
  /// apart there.
  private static func walk(
    sourceRowBytes: Int, width: Int, height: Int, orientation: Orientation
  ) -> (start: Int, columnStep: Int, rowStep: Int) {
    let storedWidth = orientation.swapsSides ? height : width
    let storedHeight = orientation.swapsSides ? width : height
    // One step right and one step down in the stored picture, after mirroring, from its top left corner.
    let right = orientation.isMirrored ? -3 : 3
    let left = orientation.isMirrored ? (storedWidth - 1) * 3 : 0
    let lastColumn = left + (storedWidth - 1) * right
    let lastRow = (storedHeight - 1) * sourceRowBytes
    switch orientation.degreesClockwise {
    case 90: return (left + lastRow, -sourceRowBytes, right)
    case 180: return (lastColumn + lastRow, -right, -sourceRowBytes)
    case 270: return (lastColumn, sourceRowBytes, -right)
    default: return (left, right, sourceRowBytes)
    }
  }
}
