/// IEEE 754 binary16 by integer arithmetic: Swift's `Float16` does not exist on Intel Macs.
enum HalfFloat {
  /// The greatest number that it can say.
  static let greatest: Float = 65504

  /// The nearest number, ties to even. Larger magnitudes than `greatest` become infinite.
  static func bits(of value: Float) -> UInt16 {
    let sign = UInt16(truncatingIfNeeded: value.bitPattern >> 16) & 0x8000
    let magnitude = value.bitPattern & 0x7fff_ffff
    // From 2^-14 on it is normal: the exponent's bias shrinks by 112, and 13 bits of the fraction go.
    if magnitude >= 0x3880_0000 {
      guard magnitude < 0x4780_0000 else { return sign | (magnitude > 0x7f80_0000 ? 0x7e00 : 0x7c00) }
      let odd = magnitude >> 13 & 1
      return sign | UInt16(truncatingIfNeeded: (magnitude - 0x3800_0000 + 0xfff + odd) >> 13)
    }
    // Below, it counts in steps of 2^-24. Adding 0.5 rounds to them, since a Float next to 0.5 has the same steps.
    let rounded = Float(bitPattern: magnitude) + 0.5
    return sign | UInt16(truncatingIfNeeded: rounded.bitPattern - Float(0.5).bitPattern)
  }

  /// The same number as a Float.
  static func value(of bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let magnitude = UInt32(bits & 0x7fff)
    // 2^112 makes up for the difference of the biases, and normalises what is subnormal.
    let scaled = Float(bitPattern: magnitude << 13) * Float(bitPattern: 0x7780_0000)
    let special: UInt32 = magnitude >= 0x7c00 ? 0x7f80_0000 : 0
    return Float(bitPattern: scaled.bitPattern | special | sign)
  }
}
