/// The two steps of `PlaneResampler` one number at a time, with the same results as `VectorSteps`: for rows too
/// short for vectors, and for debug builds, where a vector operation is a call of some 500 ns. Written with `while`
/// since a `for` over a range is several calls there.
enum ScalarSteps {
  static func columns<Samples: PlaneResampler.Samples>(
    _ plane: PlaneResampler.Plane, _ samples: Samples, _ window: PlaneResampler.Window,
    _ table: ResampleTable.Entries, _ first: Int, _ last: Int, _ columns: UnsafeMutablePointer<Int16>
  ) {
    var row = first
    while row <= last {
      let taps = Int(table.taps[row])
      let weights = table.weights + row &* table.stride
      let lines = plane.base + Int(table.starts[row]) &* plane.rowBytes
      var to = columns + (row &- first)
      var at = window.start
      while at < window.end {
        var line = lines
        var tap = 0
        if taps > PlaneResampler.longSum {
          var sum = 1 << 14
          while tap < taps {
            sum &+= samples.scalar(line, at) &* Int(weights[tap])
            line += plane.rowBytes
            tap &+= 1
          }
          to.pointee = Int16(truncatingIfNeeded: sum &>> 15)
        } else {
          var sum = taps / 2
          while tap < taps {
            sum &+= (samples.scalar(line, at) &* Int(weights[tap])) &>> 16
            line += plane.rowBytes
            tap &+= 1
          }
          to.pointee = Int16(truncatingIfNeeded: sum &+ sum)
        }
        to += 8
        at &+= 1
      }
      row &+= 1
    }
  }

  static func rows(
    _ columns: UnsafePointer<Int16>, step: Int, table: ResampleTable.Entries, count: Int, rowCount: Int,
    to output: PlaneResampler.Output
  ) {
    var column = 0
    while column < count {
      let taps = Int(table.taps[column])
      let weights = table.weights + column &* table.stride
      let start = columns + Int(table.starts[column]) &* step &* 8
      var row = 0
      while row < rowCount {
        var at = start + row
        let isLong = taps > PlaneResampler.longSum
        var sum = isLong ? 1 << 15 : taps / 2
        var tap = 0
        if isLong {
          while tap < taps {
            sum &+= Int(at.pointee) &* Int(weights[tap])
            at += step &* 8
            tap &+= 1
          }
          sum = sum &>> 16
        } else {
          while tap < taps {
            sum &+= (Int(at.pointee) &* Int(weights[tap])) &>> 16
            at += step &* 8
            tap &+= 1
          }
        }
        output.numbers[row &* output.stride &+ column] = Int16(truncatingIfNeeded: sum)
        row &+= 1
      }
      column &+= 1
    }
  }
}
