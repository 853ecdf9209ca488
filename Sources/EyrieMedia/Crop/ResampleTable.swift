/// Which samples of a line, with which weights, make each sample of a shorter or longer line: Pillow's
/// `precompute_coeffs` (`Resample.c`), as 16-bit numbers.
///
/// Output i of a stretch low…high that becomes n samples lies at low + (i + ½)·(high − low) ÷ n. Samples within the
/// filter's support of it count, which grows with the reduction. None beyond the whole pixels that the stretch
/// touches do, as if these had been cut out first.
///
/// Colours that pixels share are first spread over them, bilinearly, as FFmpeg does before it makes RGB: sample j
/// of m lies at (j + ½)·n ÷ m among n pixels, also where the last one has fewer to share it. Both steps are linear,
/// so that one table holds what they amount to.
final class ResampleTable {
  /// Weights add up to this, exactly.
  static let unit = 1 << 14

  /// A region that came from 32-bit floats may miss the edge of a pixel by so much.
  private static let edgeTolerance = 1e-3

  /// The samples that anything is made of.
  private(set) var first = 0
  private(set) var end = 0

  private let startBytes = ScratchBuffer()
  private let tapBytes = ScratchBuffer()
  private let weightBytes = ScratchBuffer()
  private let wideBytes = ScratchBuffer()
  private let exactBytes = ScratchBuffer()

  /// For each output the first of its samples, how many there are, and their weights.
  struct Entries {
    var starts: UnsafePointer<Int32>
    var taps: UnsafePointer<Int32>
    var weights: UnsafePointer<Int16>
    /// The weights, eight times each.
    var wide: UnsafePointer<SIMD8<Int16>>
    var stride: Int
  }

  private(set) var entries: Entries?

  /// Computes the table. `false` if memory runs out.
  ///
  /// - Parameters:
  ///   - size: Pixels of a line.
  ///   - shift: Each sample is shared by 2 to the power of this many pixels.
  ///   - isWide: Whether `wide` is wanted.
  func prepare(
    _ axis: CropGeometry.Axis, size: Int, shift: Int, filter: CropTarget.Filter, isWide: Bool
  ) -> Bool {
    let scale = (axis.high - axis.low) / Double(axis.full)
    let filterScale = max(scale, 1)
    let support = filter.support * filterScale
    let lowest = min(max(Int((axis.low + Self.edgeTolerance).rounded(.down)), 0), size - 1)
    let highest = min(max(Int((axis.high - Self.edgeTolerance).rounded(.up)), lowest + 1), size)
    let capacity = min(Int(support.rounded(.up)) * 2 + 1, highest - lowest) + 3
    let samples = (size + (1 << shift) - 1) >> shift
    let perPixel = Double(samples) / Double(size)
    guard let starts = startBytes.reserve(axis.count, of: Int32.self),
      let taps = tapBytes.reserve(axis.count, of: Int32.self),
      let weights = weightBytes.reserve(axis.count * capacity, of: Int16.self),
      let wide = wideBytes.reserve(isWide ? axis.count * capacity : 1, of: SIMD8<Int16>.self),
      let exact = exactBytes.reserve(2 * capacity, of: Double.self)
    else { return false }
    (first, end) = (samples, 0)
    entries = Entries(starts: starts, taps: taps, weights: weights, wide: wide, stride: capacity)
    var output = 0
    while output < axis.count {
      let center = axis.low + (Double(axis.first &+ output) + 0.5) * scale
      var from = max(Int((center - support + 0.5).rounded(.down)), lowest)
      var to = min(Int((center + support + 0.5).rounded(.down)), highest)
      if to <= from {
        from = min(max(Int(center.rounded(.down)), lowest), highest - 1)
        to = from + 1
      }
      Self.weigh(from, to &- from, center, 1 / filterScale, filter, exact)
      var line = Line(start: from, count: to &- from, weights: exact)
      if shift > 0 { line.share(samples, perPixel: perPixel, scratch: exact + capacity) }
      let at = output &* capacity
      let (start, length) = line.round(to: weights + at)
      starts[output] = Int32(truncatingIfNeeded: start)
      taps[output] = Int32(truncatingIfNeeded: length)
      first = min(first, start)
      end = max(end, start &+ length)
      if isWide {
        var tap = 0
        while tap < length {
          wide[at &+ tap] = SIMD8(repeating: weights[at &+ tap])
          tap &+= 1
        }
      }
      output &+= 1
    }
    return true
  }

  /// Values of the filter at pixels `from..<(from + count)`, not normalised.
  private static func weigh(
    _ from: Int, _ count: Int, _ center: Double, _ inverseScale: Double, _ filter: CropTarget.Filter,
    _ weights: UnsafeMutablePointer<Double>
  ) {
    var index = 0
    var distance = (Double(from) - center + 0.5) * inverseScale
    switch filter {
    case .bilinear:
      while index < count {
        weights[index] = max(1 - abs(distance), 0)
        distance += inverseScale
        index &+= 1
      }
    case .bicubic:
      while index < count {
        weights[index] = cubic(abs(distance))
        distance += inverseScale
        index &+= 1
      }
    }
  }

  /// Keys' kernel (IEEE Trans. ASSP 29, 1981), a = −0.5.
  @inline(__always)
  private static func cubic(_ x: Double) -> Double {
    if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
    if x < 2 { return ((-0.5 * x + 2.5) * x - 4) * x + 2 }
    return 0
  }

  /// The weights of one output.
  private struct Line {
    var start: Int
    var count: Int
    var weights: UnsafeMutablePointer<Double>

    /// From weights of pixels to those of the samples that they share.
    mutating func share(_ samples: Int, perPixel: Double, scratch: UnsafeMutablePointer<Double>) {
      let last = samples - 1
      let before = (Double(start) + 0.5) * perPixel - 0.5
      let base = max(Int(before.rounded(.down)), 0)
      let after = Int(((Double(start &+ count) - 0.5) * perPixel - 0.5).rounded(.down)) + 1
      let length = min(after, last) &- base &+ 1
      scratch.update(repeating: 0, count: length)
      var index = 0
      while index < count {
        let position = (Double(start &+ index) + 0.5) * perPixel - 0.5
        let lower = position.rounded(.down)
        let part = position - lower
        let sample = Int(lower)
        scratch[max(sample, 0) &- base] += weights[index] * (1 - part)
        scratch[min(sample &+ 1, last) &- base] += weights[index] * part
        index &+= 1
      }
      (start, count, weights) = (base, length, scratch)
    }

    /// Integers whose sum is `unit`, without zeros at either end.
    ///
    /// - Returns: the first sample that counts, and the number of weights.
    func round(to integers: UnsafeMutablePointer<Int16>) -> (start: Int, count: Int) {
      var total = 0.0
      var index = 0
      while index < count {
        total += weights[index]
        index &+= 1
      }
      guard total > 0 else {
        integers[0] = Int16(unit)
        return (start, 1)
      }
      let factor = Double(unit) / total
      var (sum, before, skipped, used) = (0.0, 0, 0, 0)
      index = 0
      while index < count {
        sum += weights[index]
        let rounded = Int((sum * factor).rounded())
        let weight = rounded &- before
        before = rounded
        if weight == 0, used == 0 {
          skipped &+= 1
        } else {
          integers[used] = Int16(truncatingIfNeeded: weight)
          used &+= 1
        }
        index &+= 1
      }
      while used > 1, integers[used &- 1] == 0 { used &-= 1 }
      return (start &+ skipped, used)
    }
  }
}

extension ScratchBuffer {
  /// Room for so many values, with undefined content; `nil` if memory runs out.
  func reserve<Value: BitwiseCopyable>(_ count: Int, of type: Value.Type) -> UnsafeMutablePointer<Value>? {
    let bytes = count.multipliedReportingOverflow(by: MemoryLayout<Value>.stride)
    guard !bytes.overflow, let memory = reserve(bytes.partialValue) else { return nil }
    return UnsafeMutableRawPointer(memory).bindMemory(to: type, capacity: count)
  }
}
