/// Multiplies class scores by the objectness of their anchors, sixteen at once.
///
/// An objectness below 0, which only a head without its sigmoid gives, counts as 0: times a class score
/// below 0 it would make a good score. One that is not finite makes a score that is not finite.
enum Objectness {
  /// Reads the objectness of `count` anchors.
  static func read(_ values: UnsafeRawPointer, _ count: Int, _ target: UnsafeMutableBufferPointer<Float>) {
    for index in 0..<count {
      target[index] = clamped(values.loadUnaligned(fromByteOffset: index * 4, as: Float.self))
    }
  }

  static func clamped(_ value: Float) -> Float {
    value < 0 && value.isFinite ? 0 : value
  }

  /// Multiplies scores by one objectness each. `scores` may be `target` itself.
  static func multiply(
    _ scores: UnsafeRawPointer, count: Int, by objectness: UnsafeMutableBufferPointer<Float>,
    into target: UnsafeMutableBufferPointer<Float>
  ) -> UnsafeRawPointer {
    guard let factors = objectness.baseAddress, let output = target.baseAddress else { return scores }
    let factorBytes = UnsafeRawPointer(factors)
    let outputBytes = UnsafeMutableRawPointer(output)
    var index = 0
    while index + 16 <= count {
      let row = scores.loadUnaligned(fromByteOffset: index * 4, as: SIMD16<Float>.self)
      let factor = factorBytes.loadUnaligned(fromByteOffset: index * 4, as: SIMD16<Float>.self)
      outputBytes.storeBytes(of: row * factor, toByteOffset: index * 4, as: SIMD16<Float>.self)
      index += 16
    }
    while index < count {
      output[index] = scores.loadUnaligned(fromByteOffset: index * 4, as: Float.self) * factors[index]
      index += 1
    }
    return UnsafeRawPointer(output)
  }

  /// Multiplies scores by the same objectness. `scores` may be `target` itself.
  static func multiply(
    _ scores: UnsafeRawPointer, count: Int, by objectness: Float,
    into target: UnsafeMutableBufferPointer<Float>
  ) -> UnsafeRawPointer {
    guard let output = target.baseAddress else { return scores }
    let outputBytes = UnsafeMutableRawPointer(output)
    var index = 0
    while index + 16 <= count {
      let row = scores.loadUnaligned(fromByteOffset: index * 4, as: SIMD16<Float>.self)
      outputBytes.storeBytes(of: row * objectness, toByteOffset: index * 4, as: SIMD16<Float>.self)
      index += 16
    }
    while index < count {
      output[index] = scores.loadUnaligned(fromByteOffset: index * 4, as: Float.self) * objectness
      index += 1
    }
    return UnsafeRawPointer(output)
  }
}
