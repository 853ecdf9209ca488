/// Packs rows of resampled components into 8-bit RGB, rounded to nearest: red, green and blue as they are, or Y, U
/// and V by the matrix that is in force.
///
/// The components come as 16-bit numbers with 4 bits below the point. With Y cut to 0…255 and U, V less 128 there
/// are 3 bits to spare, and products with coefficients of 13 bits below the point keep 4 in their upper halves. The
/// error is below 0.2 levels, while `YUVToRGB` repeats the roundings of swscale's tables, which lie half a level
/// below FFmpeg's accurate conversion on average.
struct PixelWriter {
  typealias Numbers = SIMD8<Int16>

  /// Pixels that are written together; so many may be read past the end of a row.
  static let blockWidth = 8

  /// What Y, V, U, U and V count for in all three, red, blue, green and green, and where Y begins.
  private struct Matrix {
    var y: Int16
    var vr: Int16
    var ub: Int16
    var ug: Int16
    var vg: Int16
    var black: Int16
  }

  private let matrix: Matrix?

  /// - Parameter toRGB: The matrix and the range; `nil` for red, green and blue.
  init(_ toRGB: YUVToRGB?) {
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
    matrix = Matrix(
      y: scaled(65536), vr: scaled(vr), ub: scaled(ub), ug: scaled(ug), vg: scaled(vg),
      black: toRGB.isFullRange ? 0 : 16 << 7)
  }

  /// Writes a row of packed pixels, 3·width bytes.
  func write(
    _ first: UnsafePointer<Int16>, _ second: UnsafePointer<Int16>, _ third: UnsafePointer<Int16>, width: Int,
    to target: UnsafeMutablePointer<UInt8>
  ) {
    let to = UnsafeMutableRawPointer(target)
    let last = (width &- 1) / Self.blockWidth &* Self.blockWidth
    var at = 0
    while at < last {
      Self.store(pixels(load(first, at), load(second, at), load(third, at)), to: to + 3 &* at)
      at &+= Self.blockWidth
    }
    // The last block writes 26 bytes, whatever is left of the row.
    var rest = SIMD32<UInt8>()
    withUnsafeMutableBytes(of: &rest) { rest in
      guard let base = rest.baseAddress else { return }
      Self.store(pixels(load(first, at), load(second, at), load(third, at)), to: base)
      (to + 3 &* at).copyMemory(from: base, byteCount: 3 &* (width &- at))
    }
  }

  @inline(__always)
  private func load(_ row: UnsafePointer<Int16>, _ index: Int) -> Numbers {
    UnsafeRawPointer(row + index).loadUnaligned(as: Numbers.self)
  }

  @inline(__always)
  private func pixels(_ a: Numbers, _ b: Numbers, _ c: Numbers) -> (Numbers, Numbers, Numbers) {
    guard let matrix else { return (Self.rounded(a), Self.rounded(b), Self.rounded(c)) }
    let luma = a.clamped(lowerBound: .zero, upperBound: Numbers(repeating: 4080)) &<< 3
    let y = Self.product(luma &- Numbers(repeating: matrix.black), matrix.y)
    let (u, v) = (Self.centered(b), Self.centered(c))
    return (
      Self.rounded(y &+ Self.product(v, matrix.vr)),
      Self.rounded(y &+ Self.product(u, matrix.ug) &+ Self.product(v, matrix.vg)),
      Self.rounded(y &+ Self.product(u, matrix.ub))
    )
  }

  @inline(__always)
  private static func centered(_ chroma: Numbers) -> Numbers {
    (chroma &- Numbers(repeating: 2048)).clamped(
      lowerBound: Numbers(repeating: -2048), upperBound: Numbers(repeating: 2047)) &<< 3
  }

  @inline(__always)
  private static func product(_ numbers: Numbers, _ coefficient: Int16) -> Numbers {
    let product = SIMD8<Int32>(truncatingIfNeeded: numbers) &* SIMD8<Int32>(repeating: Int32(coefficient))
    return Numbers(truncatingIfNeeded: product &>> 16)
  }

  /// Half of what two or three products lose by rounding down is added with the half that rounds.
  @inline(__always)
  private static func rounded(_ numbers: Numbers) -> Numbers {
    ((numbers &+ 9) &>> 4).clamped(lowerBound: .zero, upperBound: Numbers(repeating: 255))
  }

  /// Writes 24 bytes, and then 2 more.
  @inline(__always)
  private static func store(_ pixels: (Numbers, Numbers, Numbers), to: UnsafeMutableRawPointer) {
    var words = SIMD16<Int16>()
    words.evenHalf = pixels.0 | pixels.1 &<< 8
    words.oddHalf = pixels.2
    // Two pixels with a byte of zeros each; the first such byte is closed.
    let pairs = unsafeBitCast(words, to: SIMD4<UInt64>.self)
    let closed = pairs & 0xFF_FFFF | (pairs &>> 8) & 0xFFFF_FF00_0000
    to.storeBytes(of: closed[0], as: UInt64.self)
    to.storeBytes(of: closed[1], toByteOffset: 6, as: UInt64.self)
    to.storeBytes(of: closed[2], toByteOffset: 12, as: UInt64.self)
    to.storeBytes(of: closed[3], toByteOffset: 18, as: UInt64.self)
  }

  /// As `write`, a pixel at a time, for debug builds.
  func writePixelwise(
    _ first: UnsafePointer<Int16>, _ second: UnsafePointer<Int16>, _ third: UnsafePointer<Int16>, width: Int,
    to target: UnsafeMutablePointer<UInt8>
  ) {
    var to = target
    var column = 0
    while column < width {
      var (red, green, blue) = (Int(first[column]), Int(second[column]), Int(third[column]))
      if let matrix {
        let luma = (red < 0 ? 0 : red > 4080 ? 4080 : red) &<< 3
        let y = ((luma &- Int(matrix.black)) &* Int(matrix.y)) &>> 16
        let u = Self.centered(green)
        let v = Self.centered(blue)
        red = y &+ (v &* Int(matrix.vr)) &>> 16
        green = y &+ (u &* Int(matrix.ug)) &>> 16 &+ (v &* Int(matrix.vg)) &>> 16
        blue = y &+ (u &* Int(matrix.ub)) &>> 16
      }
      to[0] = Self.rounded(red)
      to[1] = Self.rounded(green)
      to[2] = Self.rounded(blue)
      to += 3
      column &+= 1
    }
  }

  @inline(__always)
  private static func centered(_ chroma: Int) -> Int {
    let number = chroma &- 2048
    return (number < -2048 ? -2048 : number > 2047 ? 2047 : number) &<< 3
  }

  @inline(__always)
  private static func rounded(_ number: Int) -> UInt8 {
    let value = (number &+ 9) &>> 4
    return UInt8(truncatingIfNeeded: value < 0 ? 0 : value > 255 ? 255 : value)
  }
}
