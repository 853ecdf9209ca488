/// Resamples eight rows of a plane at once, in both directions.
///
/// The vertical step reads rows of samples as they lie in memory and leaves columns of eight results, so that the
/// horizontal step has eight rows side by side in a vector; its results are turned back into rows.
///
/// All in signed 16-bit numbers, less the middle grey of 128, with 8 bits below the point in samples, 7 between the
/// steps and 5 in the results. Products are rounded down, which half a unit for each makes up for. Pillow rounds to 8
/// bits between its two steps.
struct PlaneResampler {
  /// Rows that are made together.
  static let rows = 8
  /// With more samples in a sum their products are added up whole: weights become so small that all products of a
  /// plain surface lose the same by rounding.
  static let longSum = 48
  /// Below so many samples in a row there is nothing for a vector to load.
  static let smallestRow = 8

  /// Eight rows of results, less 128, with `PixelWriter.fraction` bits below the point.
  struct Output {
    var numbers: UnsafeMutablePointer<Int16>
    /// Room for the results and seven more.
    var stride: Int
  }

  /// Rows of samples, one after the other at a distance that may be negative.
  struct Plane {
    var base: UnsafeRawPointer
    var rowBytes: Int
  }

  /// The samples of a row that are needed, at least eight where the row has them.
  struct Window {
    var start: Int
    var end: Int

    init(_ table: ResampleTable, step: Int, lastOffset: Int, rowSamples: Int) {
      let start = table.first &* step
      let end = min((table.end &- 1) &* step &+ lastOffset &+ 1, rowSamples)
      self.start = max(min(start, rowSamples &- PlaneResampler.smallestRow), 0)
      self.end = max(end, min(self.start &+ PlaneResampler.smallestRow, rowSamples))
    }

    /// Numbers that its columns take.
    var columnCount: Int { (end &- start) &* PlaneResampler.rows }
  }

  /// Whether vectors do the work. A debug build calls a function for each operation on one.
  var usesVectors: Bool = {
    #if DEBUG
      false
    #else
      true
    #endif
  }()

  /// Makes columns of eight of the rows `first..<(first + count)`, at least one.
  func makeColumns(
    _ plane: Plane, _ sample: CropLayout.Sample, window: Window, table: ResampleTable.Entries, first: Int,
    count: Int, to columns: UnsafeMutablePointer<Int16>
  ) {
    switch sample {
    case .byte: makeColumns(plane, Bytes(), window, table, first, count, columns)
    case .word(let depth, let shift):
      makeColumns(plane, Words(depth: depth, shift: shift), window, table, first, count, columns)
    }
  }

  private func makeColumns<Stored: Samples>(
    _ plane: Plane, _ samples: Stored, _ window: Window, _ table: ResampleTable.Entries, _ first: Int,
    _ count: Int, _ columns: UnsafeMutablePointer<Int16>
  ) {
    let last = first &+ count &- 1
    if usesVectors, window.end &- window.start >= Self.smallestRow {
      VectorSteps.columns(plane, samples, window, table, first, last, columns)
    } else {
      ScalarSteps.columns(plane, samples, window, table, first, last, columns)
    }
  }

  /// Makes rows of one component.
  ///
  /// - Parameters:
  ///   - columns: Where those of sample 0 would be.
  ///   - step: From a column of the component to the next.
  ///   - count: Results in a row.
  ///   - rowCount: Rows that are wanted; up to eight are written.
  func makeRows(
    _ columns: UnsafePointer<Int16>, step: Int, table: ResampleTable.Entries, count: Int, rowCount: Int,
    to output: Output
  ) {
    if usesVectors {
      VectorSteps.rows(columns, step: step, table: table, count: count, to: output)
    } else {
      ScalarSteps.rows(columns, step: step, table: table, count: count, rowCount: rowCount, to: output)
    }
  }

  /// From stored samples to signed numbers: black is −32768, white of 8 bits 32512.
  protocol Samples {
    func load(_ row: UnsafeRawPointer, _ index: Int) -> Numbers
    func scalar(_ row: UnsafeRawPointer, _ index: Int) -> Int
  }

  struct Bytes: Samples {
    @inline(__always)
    func load(_ row: UnsafeRawPointer, _ index: Int) -> Numbers {
      let bytes = row.loadUnaligned(fromByteOffset: index, as: SIMD8<UInt8>.self)
      return Numbers(bytes) &<< 8 ^ Numbers(all: .min)
    }

    @inline(__always)
    func scalar(_ row: UnsafeRawPointer, _ index: Int) -> Int {
      (Int(row.load(fromByteOffset: index, as: UInt8.self)) &- 128) &<< 8
    }
  }

  struct Words: Samples {
    /// So far to the right, then so far to the left, which removes what is above.
    private let (right, left): (UInt16, UInt16)

    init(depth: Int, shift: Int) {
      right = UInt16(truncatingIfNeeded: shift)
      left = UInt16(truncatingIfNeeded: 16 - depth)
    }

    @inline(__always)
    func load(_ row: UnsafeRawPointer, _ index: Int) -> Numbers {
      let words = row.loadUnaligned(fromByteOffset: index &* 2, as: SIMD8<UInt16>.self)
      return unsafeBitCast((words &>> right) &<< left, to: Numbers.self) ^ Numbers(all: .min)
    }

    @inline(__always)
    func scalar(_ row: UnsafeRawPointer, _ index: Int) -> Int {
      let word = row.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self)
      return Int((word &>> right) &<< left) &- 0x8000
    }
  }
}
