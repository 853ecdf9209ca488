/// The two steps of `PlaneResampler` in vectors: release builds.
enum VectorSteps {
  static func columns<Samples: PlaneResampler.Samples>(
    _ plane: PlaneResampler.Plane, _ samples: Samples, _ window: PlaneResampler.Window,
    _ table: ResampleTable.Entries, _ first: Int, _ last: Int, _ columns: UnsafeMutablePointer<Int16>
  ) {
    let lastStart = window.end &- 8
    var at = window.start
    while true {
      let block = Block(
        mixed(plane, samples, table, first, at), mixed(plane, samples, table, min(first &+ 1, last), at),
        mixed(plane, samples, table, min(first &+ 2, last), at),
        mixed(plane, samples, table, min(first &+ 3, last), at),
        mixed(plane, samples, table, min(first &+ 4, last), at),
        mixed(plane, samples, table, min(first &+ 5, last), at),
        mixed(plane, samples, table, min(first &+ 6, last), at),
        mixed(plane, samples, table, min(first &+ 7, last), at))
      block.transposed.store(to: UnsafeMutableRawPointer(columns + (at &- window.start) &* 8), rowBytes: 16)
      if at >= lastStart { break }
      at = min(at &+ 8, lastStart)
    }
  }

  /// Eight samples of one output row.
  @inline(__always)
  private static func mixed<Samples: PlaneResampler.Samples>(
    _ plane: PlaneResampler.Plane, _ samples: Samples, _ table: ResampleTable.Entries, _ row: Int, _ at: Int
  ) -> Numbers {
    let taps = Int(table.taps[row])
    guard taps <= PlaneResampler.longSum else { return long(plane, samples, table, row, at) }
    let weights = table.weights + row &* table.stride
    var line = plane.base + Int(table.starts[row]) &* plane.rowBytes
    var sum = Numbers(all: Int16(truncatingIfNeeded: taps / 2))
    for tap in 0..<taps {
      sum &+= Numbers.upperHalf(samples.load(line, at), Numbers(all: weights[tap]))
      line += plane.rowBytes
    }
    return sum &+ sum
  }

  /// The same of many rows.
  @inline(never)
  private static func long<Samples: PlaneResampler.Samples>(
    _ plane: PlaneResampler.Plane, _ samples: Samples, _ table: ResampleTable.Entries, _ row: Int, _ at: Int
  ) -> Numbers {
    let weights = table.weights + row &* table.stride
    var line = plane.base + Int(table.starts[row]) &* plane.rowBytes
    var sum = SIMD8<Int32>(repeating: 1 << 14)
    for tap in 0..<Int(table.taps[row]) {
      sum &+= Numbers.product(samples.load(line, at), Numbers(all: weights[tap]))
      line += plane.rowBytes
    }
    return Numbers(upperHalvesOf: sum &+ sum)
  }

  static func rows(
    _ columns: UnsafePointer<Int16>, step: Int, table: ResampleTable.Entries, count: Int,
    to output: PlaneResampler.Output
  ) {
    let columns = UnsafeRawPointer(columns)
    var at = 0
    while at < count {
      let last = count &- 1
      let block = Block(
        mixed(columns, step, table, at), mixed(columns, step, table, min(at &+ 1, last)),
        mixed(columns, step, table, min(at &+ 2, last)), mixed(columns, step, table, min(at &+ 3, last)),
        mixed(columns, step, table, min(at &+ 4, last)), mixed(columns, step, table, min(at &+ 5, last)),
        mixed(columns, step, table, min(at &+ 6, last)), mixed(columns, step, table, min(at &+ 7, last)))
      block.transposed.store(to: UnsafeMutableRawPointer(output.numbers + at), rowBytes: output.stride &* 2)
      at &+= 8
    }
  }

  /// Eight rows of one output column.
  @inline(__always)
  private static func mixed(
    _ columns: UnsafeRawPointer, _ step: Int, _ table: ResampleTable.Entries, _ column: Int
  ) -> Numbers {
    let taps = Int(table.taps[column])
    guard taps <= PlaneResampler.longSum else { return long(columns, step, table, column) }
    let weights = table.wide + column &* table.stride
    var at = columns + Int(table.starts[column]) &* step &* 16
    var sum = Numbers(all: Int16(truncatingIfNeeded: taps / 2))
    for tap in 0..<taps {
      sum &+= Numbers.upperHalf(at.loadUnaligned(as: Numbers.self), weights[tap])
      at += step &* 16
    }
    return sum
  }

  /// The same of many columns.
  @inline(never)
  private static func long(
    _ columns: UnsafeRawPointer, _ step: Int, _ table: ResampleTable.Entries, _ column: Int
  ) -> Numbers {
    let weights = table.wide + column &* table.stride
    var at = columns + Int(table.starts[column]) &* step &* 16
    var sum = SIMD8<Int32>(repeating: 1 << 15)
    for tap in 0..<Int(table.taps[column]) {
      sum &+= Numbers.product(at.loadUnaligned(as: Numbers.self), weights[tap])
      at += step &* 16
    }
    return Numbers(upperHalvesOf: sum)
  }

  /// Eight vectors of eight.
  private struct Block {
    var lines: (Numbers, Numbers, Numbers, Numbers, Numbers, Numbers, Numbers, Numbers)

    @inline(__always)
    init(
      _ a: Numbers, _ b: Numbers, _ c: Numbers, _ d: Numbers, _ e: Numbers, _ f: Numbers, _ g: Numbers,
      _ h: Numbers
    ) {
      lines = (a, b, c, d, e, f, g, h)
    }

    /// Rows become columns: numbers of neighbouring rows take turns, then pairs of them, then fours. Written with
    /// the lanes named, for one instruction each.
    @inline(__always)
    var transposed: Block {
      let (a, b) = Self.turns(lines.0, lines.1)
      let (c, d) = Self.turns(lines.2, lines.3)
      let (e, f) = Self.turns(lines.4, lines.5)
      let (g, h) = Self.turns(lines.6, lines.7)
      let (ac, ca) = Self.turns(a, c)
      let (bd, db) = Self.turns(b, d)
      let (eg, ge) = Self.turns(e, g)
      let (fh, hf) = Self.turns(f, h)
      let (row0, row1) = Self.turns(ac, eg)
      let (row2, row3) = Self.turns(ca, ge)
      let (row4, row5) = Self.turns(bd, fh)
      let (row6, row7) = Self.turns(db, hf)
      return Block(row0, row1, row2, row3, row4, row5, row6, row7)
    }

    @inline(__always)
    private static func turns(_ a: Numbers, _ b: Numbers) -> (SIMD4<UInt32>, SIMD4<UInt32>) {
      let low = Numbers(a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3])
      let high = Numbers(a[4], b[4], a[5], b[5], a[6], b[6], a[7], b[7])
      return (unsafeBitCast(low, to: SIMD4<UInt32>.self), unsafeBitCast(high, to: SIMD4<UInt32>.self))
    }

    @inline(__always)
    private static func turns(
      _ a: SIMD4<UInt32>, _ b: SIMD4<UInt32>
    ) -> (SIMD2<UInt64>, SIMD2<UInt64>) {
      let low = SIMD4<UInt32>(a[0], b[0], a[1], b[1])
      let high = SIMD4<UInt32>(a[2], b[2], a[3], b[3])
      return (unsafeBitCast(low, to: SIMD2<UInt64>.self), unsafeBitCast(high, to: SIMD2<UInt64>.self))
    }

    @inline(__always)
    private static func turns(_ a: SIMD2<UInt64>, _ b: SIMD2<UInt64>) -> (Numbers, Numbers) {
      let low = SIMD2<UInt64>(a[0], b[0])
      let high = SIMD2<UInt64>(a[1], b[1])
      return (unsafeBitCast(low, to: Numbers.self), unsafeBitCast(high, to: Numbers.self))
    }

    @inline(__always)
    func store(to memory: UnsafeMutableRawPointer, rowBytes: Int) {
      func store(_ line: Numbers, _ row: Int) {
        memory.storeBytes(of: line, toByteOffset: row &* rowBytes, as: Numbers.self)
      }
      store(lines.0, 0)
      store(lines.1, 1)
      store(lines.2, 2)
      store(lines.3, 3)
      store(lines.4, 4)
      store(lines.5, 5)
      store(lines.6, 6)
      store(lines.7, 7)
    }
  }
}
