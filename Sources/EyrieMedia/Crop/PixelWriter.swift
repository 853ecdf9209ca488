/// Packs rows of resampled components into 8-bit RGB, rounded to nearest: red, green and blue as they are, or Y, U
/// and V by the matrix that is in force.
///
/// The components come as 16-bit numbers less 128, with 5 bits below the point, and two to spare. Products with
/// coefficients of 13 bits below the point keep 4 in their upper halves, for an error below 0.2 levels. `YUVToRGB` is
/// not used since it repeats the roundings of swscale's tables, which lie up to two levels below FFmpeg's accurate
/// conversion.
final class PixelWriter {
  /// Bits below the point of the components.
  static let fraction = 5
  /// Pixels that are written together; so many may be read past the end of a row.
  static let blockWidth = 8
  /// What red, green and blue lack, and half a level.
  private static let grey: Int16 = (128 << 4) + 8
  /// Half a level, and half of what two or three products lose by rounding down.
  private static let half: Int16 = 8 + 1

  /// What the components count for, in red, green and blue.
  private struct Matrix {
    var y: Int16
    var vr: Int16
    var ub: Int16
    var ug: Int16
    var vg: Int16
    /// Added to each in the end, for the greys that were taken away, and for rounding.
    var constant: Int16
  }

  private let matrix: Matrix?
  /// Those of `matrix` in vectors: y, vr, ub, ug, vg, constant. In memory, and read again for each block: of numbers
  /// that stay the same in a loop the compiler prepares 32-bit ones before it, and then misses that one instruction
  /// multiplies 16-bit ones.
  private let vectors = ScratchBuffer()

  /// `nil` if memory runs out.
  ///
  /// - Parameter toRGB: The matrix and the range; `nil` for red, green and blue.
  init?(_ toRGB: YUVToRGB?) {
    guard let toRGB else {
      matrix = nil
      return
    }
    let scale = toRGB.isFullRange ? 1 : 255.0 / 219
    // The coefficients there are times 65536, and relative to that of Y.
    func scaled(_ coefficient: Int) -> Int16 {
      Int16(clamping: Int((Double(coefficient) / 8 * scale).rounded()))
    }
    let (vr, ub, ug, vg) = toRGB.coefficients
    let grey = scale * (toRGB.isFullRange ? 128 : 128 - 16)
    let matrix = Matrix(
      y: scaled(65536), vr: scaled(vr), ub: scaled(ub), ug: scaled(ug), vg: scaled(vg),
      constant: Int16(clamping: Int((grey * 16).rounded())) &+ Self.half)
    guard let vectors = vectors.reserve(6, of: Numbers.self) else { return nil }
    let numbers = [matrix.y, matrix.vr, matrix.ub, matrix.ug, matrix.vg, matrix.constant]
    for (index, number) in numbers.enumerated() { vectors[index] = Numbers(all: number) }
    self.matrix = matrix
  }

  /// Three rows of components. They are used up: what is between components and pixels takes their place.
  struct Rows {
    var first: UnsafeMutablePointer<Int16>
    var second: UnsafeMutablePointer<Int16>
    var third: UnsafeMutablePointer<Int16>
  }

  /// Writes a row of packed pixels, 3·width bytes.
  func write(_ rows: Rows, width: Int, to target: UnsafeMutablePointer<UInt8>) {
    if let bytes = vectors.bytes {
      let factors = UnsafeRawPointer(bytes).assumingMemoryBound(to: Numbers.self)
      Self.convertYUV(rows, width, factors)
    } else {
      Self.convertRGB(rows, width)
    }
    Self.pack(rows, width, to: UnsafeMutableRawPointer(target))
  }

  // Conversion and packing by way of memory: together the compiler does them lane by lane.

  /// From Y, U, V to words of red and green, and of blue.
  private static func convertYUV(_ rows: Rows, _ width: Int, _ factors: UnsafePointer<Numbers>) {
    var at = 0
    while at < width {
      let y = product(load(rows.first, at), factors[0]) &+ factors[5]
      let u = load(rows.second, at)
      let v = load(rows.third, at)
      let red = y &+ product(v, factors[1])
      let green = y &+ product(u, factors[3]) &+ product(v, factors[4])
      store((red &>> 4).byte | (green &>> 4).byte &<< 8, rows.first, at)
      store(((y &+ product(u, factors[2])) &>> 4).byte, rows.second, at)
      at &+= blockWidth
    }
  }

  /// From red, green and blue to the same.
  private static func convertRGB(_ rows: Rows, _ width: Int) {
    let grey = Numbers(all: Self.grey)
    var at = 0
    while at < width {
      let red = (load(rows.first, at) &>> 1 &+ grey) &>> 4
      let green = (load(rows.second, at) &>> 1 &+ grey) &>> 4
      let blue = (load(rows.third, at) &>> 1 &+ grey) &>> 4
      store(red.byte | green.byte &<< 8, rows.first, at)
      store(blue.byte, rows.second, at)
      at &+= blockWidth
    }
  }

  @inline(__always)
  private static func load(_ row: UnsafeMutablePointer<Int16>, _ index: Int) -> Numbers {
    UnsafeRawPointer(row + index).loadUnaligned(as: Numbers.self)
  }

  @inline(__always)
  private static func store(_ numbers: Numbers, _ row: UnsafeMutablePointer<Int16>, _ index: Int) {
    UnsafeMutableRawPointer(row + index).storeBytes(of: numbers, as: Numbers.self)
  }

  @inline(__always)
  private static func product(_ numbers: Numbers, _ factors: Numbers) -> Numbers {
    Numbers.upperHalf(numbers &<< 2, factors)
  }

  private static func pack(_ rows: Rows, _ width: Int, to: UnsafeMutableRawPointer) {
    let last = (width &- 1) / blockWidth &* blockWidth
    var at = 0
    while at < last {
      packBlock(rows, at, to + 3 &* at)
      at &+= blockWidth
    }
    // The last block writes 26 bytes, whatever is left of the row.
    var rest = SIMD32<UInt8>()
    withUnsafeMutableBytes(of: &rest) { rest in
      guard let base = rest.baseAddress else { return }
      packBlock(rows, last, base)
      (to + 3 &* last).copyMemory(from: base, byteCount: 3 &* (width &- last))
    }
  }

  /// Writes 24 bytes, and then 2 more.
  @inline(__always)
  private static func packBlock(_ rows: Rows, _ at: Int, _ to: UnsafeMutableRawPointer) {
    let first = load(rows.first, at)
    let blue = load(rows.second, at)
    let low = Numbers(first[0], blue[0], first[1], blue[1], first[2], blue[2], first[3], blue[3])
    let high = Numbers(first[4], blue[4], first[5], blue[5], first[6], blue[6], first[7], blue[7])
    packPairs(low, to)
    packPairs(high, to + 12)
  }

  /// Four pixels, each followed by a byte of zeros.
  @inline(__always)
  private static func packPairs(_ words: Numbers, _ to: UnsafeMutableRawPointer) {
    let pairs = unsafeBitCast(words, to: SIMD2<UInt64>.self)
    let closed = pairs & 0xFF_FFFF | (pairs &>> 8) & 0xFFFF_FF00_0000
    to.storeBytes(of: closed[0], as: UInt64.self)
    to.storeBytes(of: closed[1], toByteOffset: 6, as: UInt64.self)
  }

  /// As `write`, a pixel at a time, for debug builds.
  func writePixelwise(_ rows: Rows, width: Int, to target: UnsafeMutablePointer<UInt8>) {
    var to = target
    var column = 0
    let (first, second, third) = (rows.first, rows.second, rows.third)
    while column < width {
      var (red, green, blue) = (Int(first[column]), Int(second[column]), Int(third[column]))
      if let matrix {
        let y = ((red &<< 2) &* Int(matrix.y)) &>> 16 &+ Int(matrix.constant)
        let u = green &<< 2
        let v = blue &<< 2
        red = y &+ (v &* Int(matrix.vr)) &>> 16
        green = y &+ (u &* Int(matrix.ug)) &>> 16 &+ (v &* Int(matrix.vg)) &>> 16
        blue = y &+ (u &* Int(matrix.ub)) &>> 16
      } else {
        red = red &>> 1 &+ Int(Self.grey)
        green = green &>> 1 &+ Int(Self.grey)
        blue = blue &>> 1 &+ Int(Self.grey)
      }
      to[0] = Self.byte(red)
      to[1] = Self.byte(green)
      to[2] = Self.byte(blue)
      to += 3
      column &+= 1
    }
  }

  @inline(__always)
  private static func byte(_ number: Int) -> UInt8 {
    let value = number &>> 4
    return UInt8(truncatingIfNeeded: value < 0 ? 0 : value > 255 ? 255 : value)
  }
}
