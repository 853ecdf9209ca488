/// Reads elements of a tensor as Float, whatever their type and alignment.
struct ElementReader {
  let base: UnsafeRawPointer
  let element: TensorElement

  subscript(index: Int) -> Float {
    switch element {
    case .float32: base.loadUnaligned(fromByteOffset: index * 4, as: Float.self)
    case .float16: HalfPrecision.widen(base.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
    case .float64: Float(base.loadUnaligned(fromByteOffset: index * 8, as: Double.self))
    }
  }

  /// A run of elements as binary32: in place, or converted into `scratch`.
  func floats(at index: Int, count: Int, _ scratch: UnsafeMutableBufferPointer<Float>) -> UnsafeRawPointer {
    switch element {
    case .float32: return base + index * 4
    case .float16:
      guard let target = scratch.baseAddress else { return base }
      HalfPrecision.widen(base + index * 2, count: count, to: target)
      return UnsafeRawPointer(target)
    case .float64:
      guard let target = scratch.baseAddress else { return base }
      let source = base + index * 8
      for offset in 0..<count {
        target[offset] = Float(source.loadUnaligned(fromByteOffset: offset &* 8, as: Double.self))
      }
      return UnsafeRawPointer(target)
    }
  }
}
