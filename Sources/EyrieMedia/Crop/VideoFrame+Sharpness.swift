import CFFmpeg

extension VideoFrame {
  /// How sharp a region is: the root mean square of the differences of luma two pixels apart, along rows and down
  /// columns (Brenner's gradient), in levels of 0…255.
  ///
  /// The pixels are those that are stored, up to 32 rows of 8 runs of 16 of them, spread evenly over the region: the
  /// mean does not depend on its size, only on how much changes from pixel to pixel. It grows with contrast, so it
  /// compares views of one object, not objects. Any thread; a few µs.
  ///
  /// - Parameter region: In pixels of the displayed picture; what lies outside of it does not count.
  /// - Returns: `nil` where no plane holds luma as bytes or 16-bit numbers (RGB, palettes, hardware surfaces), and
  ///   where less than 3×3 pixels of the region lie in the picture.
  public func sharpness(of region: CropRegion) -> Float? {
    let target = CropTarget(width: 1, height: 1)
    guard let layout = CropLayout.of(AVPixelFormat(picture.pointee.format)), !layout.isRGB,
      let luma = layout.groups.first, luma.components.first?.index == 0,
      let geometry = CropGeometry(region, of: geometry, target: target),
      let base = picture.pointee.data.0, luma.plane == 0
    else { return nil }
    let rowBytes = Int(picture.pointee.linesize.0)
    let columns = Self.whole(geometry.horizontal, size: codedWidth)
    let rows = Self.whole(geometry.vertical, size: codedHeight)
    guard columns.count >= 3, rows.count >= 3,
      abs(rowBytes) >= luma.rowSamples(width: codedWidth) * luma.sample.byteCount
    else { return nil }
    let plane = UnsafeRawPointer(base) + rows.lowerBound * rowBytes
    let grid = SharpnessGrid(
      offset: luma.components.first?.offset ?? 0, step: luma.step, rowBytes: rowBytes,
      firstColumn: columns.lowerBound, width: columns.count, height: rows.count)
    switch luma.sample {
    case .byte: return grid.measure(plane, PlaneResampler.Bytes())
    case .word(let depth, let shift):
      return grid.measure(plane, PlaneResampler.Words(depth: depth, shift: shift))
    }
  }

  /// The whole pixels of a stretch, those that it touches.
  private static func whole(_ axis: CropGeometry.Axis, size: Int) -> Range<Int> {
    let low = min(max(Int(axis.low.rounded(.down)), 0), size)
    return low..<min(max(Int(axis.high.rounded(.up)), low), size)
  }
}

/// Where luma is looked at.
private struct SharpnessGrid {
  var offset: Int
  var step: Int
  var rowBytes: Int
  var firstColumn: Int
  var width: Int
  var height: Int

  private static let runLength = 16
  private static let largestRowCount = 32
  private static let largestRunCount = 8

  /// - Parameter plane: The first row of the region.
  func measure<Samples: PlaneResampler.Samples>(_ plane: UnsafeRawPointer, _ samples: Samples) -> Float {
    // A pixel's right and lower neighbours but one lie in the region too.
    let (columns, lines) = (width - 2, height - 2)
    let length = min(Self.runLength, columns)
    let runs = min(Self.largestRunCount, columns / length)
    let rows = min(Self.largestRowCount, lines)
    // Squares of differences with 4 bits below the point.
    var sum = 0
    var row = 0
    while row < rows {
      let line = plane + (2 &* row &+ 1) &* lines / (2 &* rows) &* rowBytes
      let below = line + 2 &* rowBytes
      var run = 0
      while run < runs {
        let middle = (2 &* run &+ 1) &* columns / (2 &* runs)
        let first = firstColumn &+ min(max(middle &- length / 2, 0), columns &- length)
        var at = first &* step &+ offset
        let end = at &+ length &* step
        while at < end {
          let sample = samples.scalar(line, at)
          let across = (samples.scalar(line, at &+ 2 &* step) &- sample) &>> 4
          let down = (samples.scalar(below, at) &- sample) &>> 4
          sum &+= across &* across &+ down &* down
          at &+= step
        }
        run &+= 1
      }
      row &+= 1
    }
    let mean = Double(sum) / Double(2 * rows * runs * length)
    return Float(mean.squareRoot() / 16)
  }
}
