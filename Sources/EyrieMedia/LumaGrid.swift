/// A sparse sample of a picture's brightness: short runs of pixels on a grid, each as one sum.
struct LumaGrid {
  /// How brightness lies in memory.
  struct Layout: Hashable {
    /// Bytes from one sample to the next.
    var step: Int
    /// Bytes before the first one.
    var offset: Int
    /// Significant bits of a sample, 8…16.
    var depth: Int
    /// Bits below them.
    var shift: Int
    /// Whether the high byte of samples of more than 8 bits comes first.
    var isBigEndian: Bool
  }

  /// Pixels of a run. Their mean tells coding noise from a change better than single pixels do.
  static let runLength = 16
  private static let columns = 64
  private static let rows = 36

  /// Sums of the runs, row by row, in 8-bit levels.
  private(set) var sums: [Int32] = []

  /// Takes the sample of a plane.
  ///
  /// - Parameter palette: What the samples stand for: 256 colours of four bytes, of which the second counts
  ///   (green). `nil` where they are brightness themselves.
  mutating func sample(
    _ plane: UnsafeRawPointer, rowBytes: Int, width: Int, height: Int, layout: Layout,
    palette: UnsafeRawPointer? = nil
  ) {
    let length = min(Self.runLength, width)
    let columns = max(1, min(Self.columns, width / Self.runLength))
    let rows = min(Self.rows, height)
    if sums.count != columns * rows { sums = [Int32](repeating: 0, count: columns * rows) }
    sums.withUnsafeMutableBufferPointer { sums in
      for row in 0..<rows {
        let line = plane + (2 * row + 1) * height / (2 * rows) * rowBytes + layout.offset
        for column in 0..<columns {
          let middle = (2 * column + 1) * width / (2 * columns)
          let first = min(max(middle - length / 2, 0), width - length)
          sums[row * columns + column] = Self.sum(line + first * layout.step, length, layout, palette)
        }
      }
    }
  }

  @inline(__always)
  private static func sum(
    _ run: UnsafeRawPointer, _ length: Int, _ layout: Layout, _ palette: UnsafeRawPointer?
  ) -> Int32 {
    if let palette {
      return (0..<length).reduce(0) { sum, index in
        let colour = Int(run.load(fromByteOffset: index &* layout.step, as: UInt8.self))
        return sum &+ Int32(palette.load(fromByteOffset: 4 &* colour &+ 1, as: UInt8.self))
      }
    }
    if layout.depth == 8, layout.shift == 0 {
      if layout.step == 1, length == runLength {
        let run = run.loadUnaligned(as: SIMD16<UInt8>.self)
        return Int32(SIMD16<UInt16>(truncatingIfNeeded: run).wrappedSum())
      }
      var sum: Int32 = 0
      for index in 0..<length {
        sum &+= Int32(run.load(fromByteOffset: index &* layout.step, as: UInt8.self))
      }
      return sum
    }
    let mask = UInt16(truncatingIfNeeded: (1 << layout.depth) - 1)
    if layout.step == 2, length == runLength, !layout.isBigEndian {
      let stored = run.loadUnaligned(as: SIMD16<UInt16>.self)
      let samples = SIMD16<UInt32>(truncatingIfNeeded: (stored &>> UInt16(layout.shift)) & mask)
      return Int32(samples.wrappedSum() >> UInt32(layout.depth - 8))
    }
    var sum: Int32 = 0
    for index in 0..<length {
      let stored = run.loadUnaligned(fromByteOffset: index &* layout.step, as: UInt16.self)
      let sample = layout.isBigEndian ? UInt16(bigEndian: stored) : UInt16(littleEndian: stored)
      sum &+= Int32(sample &>> UInt16(layout.shift) & mask)
    }
    return sum >> Int32(layout.depth - 8)
  }

  /// How far two samples of one layout are apart, in levels of 0…255.
  func distance(from other: LumaGrid) -> (largest: Double, mean: Double) {
    guard sums.count == other.sums.count, !sums.isEmpty else { return (.infinity, .infinity) }
    var largest: Int32 = 0
    var total: Int32 = 0
    sums.withUnsafeBufferPointer { a in
      other.sums.withUnsafeBufferPointer { b in
        for index in 0..<a.count {
          let difference = abs(a[index] &- b[index])
          largest = max(largest, difference)
          total &+= difference
        }
      }
    }
    let run = Double(Self.runLength)
    return (Double(largest) / run, Double(total) / run / Double(sums.count))
  }
}
