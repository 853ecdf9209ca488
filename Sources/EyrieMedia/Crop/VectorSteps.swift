/// The two steps of `PlaneResampler` in vectors: release builds.
enum VectorSteps {
  typealias Numbers = SIMD8<Int16>

  /// The upper half of the 32-bit product, rounded down: one instruction.
  @inline(__always)
  private static func upperHalf(_ a: Numbers, _ b: Numbers) -> Numbers {
    let product = SIMD8<Int32>(truncatingIfNeeded: a) &* SIMD8<Int32>(truncatingIfNeeded: b)
    return Numbers(truncatingIfNeeded: product &>> 16)
  }

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
    let weights = table.weights + row &* table.stride
    var line = plane.base + Int(table.starts[row]) &* plane.rowBytes
    var sum = Numbers(repeating: Int16(truncatingIfNeeded: taps / 2))
    for tap in 0..<taps {
      sum &+= upperHalf(samples.load(line, at), Numbers(repeating: weights[tap]))
      line += plane.rowBytes
    }
    return sum &+ sum
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
    let weights = table.wide + column &* table.stride
    var at = columns + Int(table.starts[column]) &* step &* 16
    var sum = Numbers(repeating: Int16(truncatingIfNeeded: taps / 2))
    for tap in 0..<taps {
      sum &+= upperHalf(at.loadUnaligned(as: Numbers.self), weights[tap])
      at += step &* 16
    }
    return sum
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

    /// The numbers of both, taking turns.
    @inline(__always)
    private static func interleaved(_ a: Numbers, _ b: Numbers) -> (Numbers, Numbers) {
      var both = SIMD16<Int16>()
      both.evenHalf = a
      both.oddHalf = b
      return (both.lowHalf, both.highHalf)
    }

    /// Like a deck of cards, its upper half and its lower half taking turns. Three times make rows columns.
    @inline(__always)
    private var shuffled: Block {
      let (a, b) = Self.interleaved(lines.0, lines.4)
      let (c, d) = Self.interleaved(lines.1, lines.5)
      let (e, f) = Self.interleaved(lines.2, lines.6)
      let (g, h) = Self.interleaved(lines.3, lines.7)
      return Block(a, b, c, d, e, f, g, h)
    }

    @inline(__always)
    var transposed: Block { shuffled.shuffled.shuffled }

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
