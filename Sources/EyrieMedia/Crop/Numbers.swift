/// Eight signed 16-bit numbers, what a vector register of any CPU holds.
///
/// The operations here are spelled out lane by lane, which the compiler turns into one instruction each. The
/// standard library's generic conversions and `clamped` are loops to its inliner, of which it leaves some as calls
/// in functions as large as those that use these.
typealias Numbers = SIMD8<Int16>

extension SIMD8<Int16> {
  /// The upper halves of the 32-bit products, rounded down.
  @inline(__always)
  static func upperHalf(_ a: Numbers, _ b: Numbers) -> Numbers {
    Numbers(
      upperHalf(a[0], b[0]), upperHalf(a[1], b[1]), upperHalf(a[2], b[2]), upperHalf(a[3], b[3]),
      upperHalf(a[4], b[4]), upperHalf(a[5], b[5]), upperHalf(a[6], b[6]), upperHalf(a[7], b[7]))
  }

  @inline(__always)
  private static func upperHalf(_ a: Int16, _ b: Int16) -> Int16 {
    Int16(truncatingIfNeeded: (Int32(a) &* Int32(b)) &>> 16)
  }

  /// The 32-bit products.
  @inline(__always)
  static func product(_ a: Numbers, _ b: Numbers) -> SIMD8<Int32> {
    SIMD8<Int32>(
      Int32(a[0]) &* Int32(b[0]), Int32(a[1]) &* Int32(b[1]), Int32(a[2]) &* Int32(b[2]),
      Int32(a[3]) &* Int32(b[3]), Int32(a[4]) &* Int32(b[4]), Int32(a[5]) &* Int32(b[5]),
      Int32(a[6]) &* Int32(b[6]), Int32(a[7]) &* Int32(b[7]))
  }

  /// The upper halves of sums of products, rounded down.
  @inline(__always)
  init(upperHalvesOf sums: SIMD8<Int32>) {
    self.init(
      Self.upperHalf(sums[0]), Self.upperHalf(sums[1]), Self.upperHalf(sums[2]), Self.upperHalf(sums[3]),
      Self.upperHalf(sums[4]), Self.upperHalf(sums[5]), Self.upperHalf(sums[6]), Self.upperHalf(sums[7]))
  }

  @inline(__always)
  private static func upperHalf(_ sum: Int32) -> Int16 { Int16(truncatingIfNeeded: sum &>> 16) }

  /// Cut to what a byte can hold; for numbers above −32513.
  @inline(__always)
  var byte: Numbers {
    // All ones where it is more, and where it is less.
    let more = (Numbers(all: 255) &- self) &>> 15
    let less = self &>> 15
    return (self | more) & ~less & Numbers(all: 255)
  }

  /// Bytes as numbers.
  @inline(__always)
  init(_ bytes: SIMD8<UInt8>) {
    self.init(
      Int16(bytes[0]), Int16(bytes[1]), Int16(bytes[2]), Int16(bytes[3]), Int16(bytes[4]), Int16(bytes[5]),
      Int16(bytes[6]), Int16(bytes[7]))
  }

  /// All of them the same.
  @inline(__always)
  init(all number: Int16) {
    self.init(number, number, number, number, number, number, number, number)
  }
}
