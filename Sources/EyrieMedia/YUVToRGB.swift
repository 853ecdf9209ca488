/// Turns rows of 8-bit YUV 4:2:2 or 4:4:4 into packed RGB or BGR, sixteen pixels at once instead of two: of 4:2:2
/// to the bit what swscale's own routine gives (`yuv2rgb_X_c` with the tables of `ff_yuv2rgb_c_init_tables`).
///
/// swscale's tables amount to this, where `>>` rounds down, all numbers are integers and c(V→R), c(U→B) are
/// the positive, c(U→G), c(V→G) the negative coefficients of the inverse matrix times 65536:
///
///     n(R) = Y + (c(V→R)·V >> 16) − (c(V→R) >> 9)          likewise n(B)
///     n(G) = Y + (c(U→G)·U >> 16) − (c(U→G) >> 9) + (c(V→G)·V >> 16) − (c(V→G) >> 9)
///     full range      R = clip(n(R))
///     limited range   R = clip((76309·n(R) − 1304898) >> 16),  76309 = 65536·255 ÷ 219
///
/// 16-bit lanes have no room for these products. (1) A c(V→R) between 1 and 2 times 65536 is split into 65536
/// and two bytes h, l: `c·V >> 16 = V + ((h·V + (l·V >> 8)) >> 8)`, which stays below 65536; a c(U→G) between
/// −1 and 0 times 65536 likewise into −65536, h and l. (2) Within what n can be, −240…500, the clipped value
/// for limited range is also `clip(m + (10773·m >> 16) − 56)` with m = n + 31, where the middle term is the
/// upper half of a product of 16-bit numbers, one instruction. The tests compare both with the formulas above
/// for all that can come.
struct YUVToRGB {
  private typealias Words = SIMD8<UInt16>
  private typealias Numbers = SIMD8<Int16>

  /// Pixels that are computed together; so many may be read past the end of a row, luma and chroma alike.
  static let blockWidth = 16

  /// Three planes, chroma at full height and half the width, or full width where `hasFullChroma`.
  struct Planes {
    var y: UnsafePointer<UInt8>
    var u: UnsafePointer<UInt8>
    var v: UnsafePointer<UInt8>
    var lumaRowBytes: Int
    var chromaRowBytes: Int
  }

  /// The fractional part of a chroma coefficient, as two bytes.
  private struct Fraction {
    let high: Words
    let low: Words

    /// - Parameter parts: 0..<65536.
    init(_ parts: Int) {
      high = Words(repeating: UInt16(truncatingIfNeeded: parts >> 8 & 0xFF))
      low = Words(repeating: UInt16(truncatingIfNeeded: parts & 0xFF))
    }

    /// `parts·chroma >> 16`, for chroma 0…255.
    @inline(__always)
    func of(_ chroma: Words) -> Words { (chroma &* high &+ (chroma &* low) &>> 8) &>> 8 }
  }

  /// V→R, U→B, U→G, V→G of the formulas above.
  let coefficients: (vr: Int, ub: Int, ug: Int, vg: Int)
  /// Whether luma uses all of 0…255.
  let isFullRange: Bool
  private let hasFullChroma: Bool
  private let isBGR: Bool
  private let redV: Fraction
  private let greenU: Fraction
  private let greenV: Fraction
  private let blueU: Fraction
  private let redConstant: Words
  private let greenConstant: Words
  private let blueConstant: Words

  /// - Parameter matrix: V→R, U→B, −U→G, −V→G as `sws_getCoefficients` has them: for limited range, times
  ///   65536. All its matrices satisfy (1).
  init(matrix: (Int, Int, Int, Int), isFullRange: Bool, hasFullChroma: Bool = false, isBGR: Bool = false) {
    self.isFullRange = isFullRange
    self.hasFullChroma = hasFullChroma
    self.isBGR = isBGR
    // The same roundings as swscale's.
    func scaled(_ coefficient: Int) -> Int {
      isFullRange
        ? (coefficient * 224 / 255 * 65536 + 0x8000) / 65536
        : (coefficient * 65536 + 0x8000) / LimitedRange.lumaScale
    }
    // U and V change places, in the matrix as in the planes: then red and blue do.
    let matrix = isBGR ? (matrix.1, matrix.0, matrix.3, matrix.2) : matrix
    let (vr, ub, ug, vg) = (scaled(matrix.0), scaled(matrix.1), scaled(-matrix.2), scaled(-matrix.3))
    coefficients = (vr, ub, ug, vg)
    let bias = isFullRange ? 0 : LimitedRange.bias
    func constant(_ value: Int) -> Words { Words(repeating: UInt16(truncatingIfNeeded: value + bias)) }
    redV = Fraction(vr - 65536)
    blueU = Fraction(ub - 65536)
    greenU = Fraction(ug + 65536)
    greenV = Fraction(vg + 65536)
    redConstant = constant(-(vr >> 9))
    blueConstant = constant(-(ub >> 9))
    greenConstant = constant(-(ug >> 9) - (vg >> 9))
  }

  /// Converts a picture.
  ///
  /// - Parameters:
  ///   - width: In pixels; even, unless `hasFullChroma`.
  ///   - target: Nothing outside the `3·width` bytes of each row is written.
  func convert(
    _ planes: Planes, width: Int, height: Int, to target: UnsafeMutablePointer<UInt8>, rowBytes: Int
  ) {
    var planes = planes
    if isBGR { swap(&planes.u, &planes.v) }
    switch (isFullRange, hasFullChroma) {
    case (true, false): convert(planes, width, height, target, rowBytes, FullRange.self, HalfChroma.self)
    case (false, false): convert(planes, width, height, target, rowBytes, LimitedRange.self, HalfChroma.self)
    case (true, true): convert(planes, width, height, target, rowBytes, FullRange.self, FullChroma.self)
    case (false, true): convert(planes, width, height, target, rowBytes, LimitedRange.self, FullChroma.self)
    }
  }

  private func convert<Range: LumaRange, Chroma: ChromaWidth>(
    _ planes: Planes, _ width: Int, _ height: Int, _ target: UnsafeMutablePointer<UInt8>, _ rowBytes: Int,
    _ range: Range.Type, _ chroma: Chroma.Type
  ) {
    let last = (width - 1) / Self.blockWidth
    let chromaStep = Chroma.isFull ? 16 : 8
    for row in 0..<height {
      let y = UnsafeRawPointer(planes.y + row &* planes.lumaRowBytes)
      let u = UnsafeRawPointer(planes.u + row &* planes.chromaRowBytes)
      let v = UnsafeRawPointer(planes.v + row &* planes.chromaRowBytes)
      let to = UnsafeMutableRawPointer(target + row &* rowBytes)
      for block in 0..<last {
        let at = chromaStep &* block
        convertBlock(y + 16 &* block, u + at, v + at, to + 48 &* block, range, chroma)
      }
      // The last block writes 50 bytes, whatever is left of the row.
      var rest = SIMD64<UInt8>()
      withUnsafeMutableBytes(of: &rest) { rest in
        guard let base = rest.baseAddress else { return }
        let at = chromaStep &* last
        convertBlock(y + 16 &* last, u + at, v + at, base, range, chroma)
        (to + 48 &* last).copyMemory(from: base, byteCount: 3 &* (width &- 16 &* last))
      }
    }
  }

  /// Sixteen pixels: eight even ones, and eight odd ones. Writes 48 bytes, and then 2 more.
  @inline(__always)
  private func convertBlock<Range: LumaRange, Chroma: ChromaWidth>(
    _ y: UnsafeRawPointer, _ u: UnsafeRawPointer, _ v: UnsafeRawPointer, _ to: UnsafeMutableRawPointer,
    _: Range.Type, _: Chroma.Type
  ) {
    let (evenU, oddU) = Chroma.load(u)
    let (evenV, oddV) = Chroma.load(v)
    let (evenRed, evenGreen, evenBlue) = offsets(evenU, evenV)
    let (oddRed, oddGreen, oddBlue) =
      Chroma.isFull ? offsets(oddU, oddV) : (evenRed, evenGreen, evenBlue)
    let luma = y.loadUnaligned(as: Words.self)
    let even = luma & 0xFF
    let odd = luma &>> 8
    // The three 16-bit words of two neighbouring pixels: RG BR GB.
    let first = Range.clipped(even &+ evenRed) | Range.clipped(even &+ evenGreen) &<< 8
    let second = Range.clipped(even &+ evenBlue) | Range.clipped(odd &+ oddRed) &<< 8
    let third = Range.clipped(odd &+ oddGreen) | Range.clipped(odd &+ oddBlue) &<< 8
    // Interleaved with a word of zeros, which the next two pixels overwrite.
    var lower = SIMD16<UInt16>()
    lower.evenHalf = first
    lower.oddHalf = second
    var upper = SIMD16<UInt16>()
    upper.evenHalf = third
    var words = SIMD16<UInt32>()
    words.evenHalf = unsafeBitCast(lower, to: SIMD8<UInt32>.self)
    words.oddHalf = unsafeBitCast(upper, to: SIMD8<UInt32>.self)
    let pairs = unsafeBitCast(words, to: SIMD8<UInt64>.self)
    for pair in 0..<8 { to.storeBytes(of: pairs[pair], toByteOffset: 6 &* pair, as: UInt64.self) }
  }

  /// What chroma adds to luma, for red, green and blue.
  @inline(__always)
  private func offsets(_ u: Words, _ v: Words) -> (Words, Words, Words) {
    (
      redV.of(v) &+ v &+ redConstant, greenU.of(u) &+ greenV.of(v) &- u &- v &+ greenConstant,
      blueU.of(u) &+ u &+ blueConstant
    )
  }

  /// How chroma lies beside luma.
  private protocol ChromaWidth {
    static var isFull: Bool { get }
    /// The samples of eight even and of eight odd pixels.
    static func load(_ samples: UnsafeRawPointer) -> (even: SIMD8<UInt16>, odd: SIMD8<UInt16>)
  }

  /// Two neighbours share a sample.
  private enum HalfChroma: ChromaWidth {
    static var isFull: Bool { false }

    @inline(__always)
    static func load(_ samples: UnsafeRawPointer) -> (even: SIMD8<UInt16>, odd: SIMD8<UInt16>) {
      let shared = Words(truncatingIfNeeded: samples.loadUnaligned(as: SIMD8<UInt8>.self))
      return (shared, shared)
    }
  }

  /// Each pixel has its own.
  private enum FullChroma: ChromaWidth {
    static var isFull: Bool { true }

    @inline(__always)
    static func load(_ samples: UnsafeRawPointer) -> (even: SIMD8<UInt16>, odd: SIMD8<UInt16>) {
      let pairs = samples.loadUnaligned(as: Words.self)
      return (pairs & 0xFF, pairs &>> 8)
    }
  }

  /// From n (full range) or m (limited range) to a component.
  private protocol LumaRange {
    static func clipped(_ words: SIMD8<UInt16>) -> SIMD8<UInt16>
  }

  private enum FullRange: LumaRange {
    @inline(__always)
    static func clipped(_ words: Words) -> Words {
      Words(
        truncatingIfNeeded: Numbers(truncatingIfNeeded: words)
          .clamped(lowerBound: .zero, upperBound: Numbers(repeating: 255)))
    }
  }

  private enum LimitedRange: LumaRange {
    /// 65536·255 ÷ 219, rounded down.
    static let lumaScale = 76309
    /// m − n.
    static let bias = 31

    @inline(__always)
    static func clipped(_ words: Words) -> Words {
      let number = Numbers(truncatingIfNeeded: words)
      let product = SIMD8<Int32>(truncatingIfNeeded: number) &* 10773
      let value = number &+ Numbers(truncatingIfNeeded: product &>> 16) &- 56
      return Words(
        truncatingIfNeeded: value.clamped(lowerBound: .zero, upperBound: Numbers(repeating: 255)))
    }
  }
}
