/// IEEE 754 binary16 to binary32 by integer arithmetic.
///
/// `Float(Float16)` is a function call per number on a baseline x86-64 target (`__extendhfsf2`); this
/// form becomes plain vector instructions on every target.
enum HalfPrecision {
  /// Converts `count` numbers. Neither pointer needs to be aligned; the two must not overlap.
  static func widen(_ source: UnsafeRawPointer, count: Int, to target: UnsafeMutablePointer<Float>) {
    let output = UnsafeMutableRawPointer(target)
    var index = 0
    while index + 8 <= count {
      let half = source.loadUnaligned(fromByteOffset: index * 2, as: SIMD8<UInt16>.self)
      output.storeBytes(of: widen(half), toByteOffset: index * 4, as: SIMD8<Float>.self)
      index += 8
    }
    while index < count {
      target[index] = widen(source.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
      index += 1
    }
  }

  /// Converts one number.
  static func widen(_ half: UInt16) -> Float {
    let bits = UInt32(half)
    let magnitude = Float(bitPattern: (bits & 0x7fff) << 13) * scale
    let special: UInt32 = magnitude >= firstSpecial ? exponentOfSpecial : 0
    return Float(bitPattern: magnitude.bitPattern | special | (bits & 0x8000) << 16)
  }

  @inline(__always)
  private static func widen(_ half: SIMD8<UInt16>) -> SIMD8<Float> {
    let bits = SIMD8<UInt32>(truncatingIfNeeded: half)
    let magnitude = unsafeBitCast((bits & 0x7fff) &<< 13, to: SIMD8<Float>.self) * scale
    // A mask is all ones or all zeros, so it can be cut down to the bits to set.
    let special = unsafeBitCast(magnitude .>= firstSpecial, to: SIMD8<UInt32>.self) & exponentOfSpecial
    return unsafeBitCast(
      unsafeBitCast(magnitude, to: SIMD8<UInt32>.self) | special | (bits & 0x8000) &<< 16,
      to: SIMD8<Float>.self)
  }

  /// 2^112: the exponent biases of the two formats are 15 and 127. Multiplying instead of adding to the
  /// exponent also normalises binary16's subnormal numbers.
  private static var scale: Float { Float(bitPattern: 0x7780_0000) }

  /// Above the greatest binary16 number, 65504: scaled, only infinity and NaN reach it.
  private static var firstSpecial: Float { 65536 }

  /// The exponent of infinity and NaN in binary32.
  private static var exponentOfSpecial: UInt32 { 0x7f80_0000 }
}
