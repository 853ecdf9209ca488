/// Reads the numbers of a tensor, whatever their type.
struct TensorReader {
  let count: Int
  private let view: TensorView

  /// `nil` for a tensor without numbers that can be read, or one whose bytes are not those of its shape.
  init?(_ view: TensorView) {
    switch view.elementType {
    case .f64, .f32, .f16, .bf16, .i64, .i32: break
    default: return nil
    }
    guard let count = elementCount(view.shape),
      elementCount(view.shape, times: view.elementType.byteSize) == view.bytes.count
    else { return nil }
    self.count = count
    self.view = view
  }

  /// - Parameter index: from 0 to ``count`` − 1.
  subscript(_ index: Int) -> Double {
    let bytes = view.bytes
    switch view.elementType {
    case .f64: return bytes.loadUnaligned(fromByteOffset: index * 8, as: Double.self)
    case .f32: return Double(bytes.loadUnaligned(fromByteOffset: index * 4, as: Float.self))
    case .f16: return Double(Self.half(bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)))
    case .bf16:
      return Double(
        Float(bitPattern: UInt32(bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)) << 16))
    case .i64: return Double(bytes.loadUnaligned(fromByteOffset: index * 8, as: Int64.self))
    default: return Double(bytes.loadUnaligned(fromByteOffset: index * 4, as: Int32.self))
    }
  }

  /// How many numbers are NaN or infinite.
  var nonFiniteCount: Int { (0..<count).count { !self[$0].isFinite } }

  /// IEEE 754 binary16, of which Swift has no type on every Mac.
  private static func half(_ bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10 & 0x1F)
    let fraction = UInt32(bits & 0x3FF)
    switch exponent {
    case 0:
      let magnitude = Float(fraction) * 0x1p-24
      return Float(bitPattern: magnitude.bitPattern | sign)
    case 0x1F: return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
    default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }
}
