/// Counts the weights of a model by their number format.
struct WeightCount {
  private var full = 0.0
  private var half = 0.0
  private var byte = 0.0

  /// - Parameter elementCount: how many numbers. May be anything in a damaged file.
  mutating func add(_ elementCount: Double, type: ElementType) {
    switch type {
    case .f32, .f64: full += elementCount
    case .f16, .bf16: half += elementCount
    case .i8, .u8: byte += elementCount
    default: break
    }
  }

  /// What to call the model; `nil` without weights. Quantised models keep some layers in floating point,
  /// and half-precision ones a few constants in full.
  var precision: ModelPrecision? {
    let total = full + half + byte
    guard total > 0 else { return nil }
    if byte / total > 0.5 { return .int8 }
    if half / total > 0.9 { return .float16 }
    return half / total > 0.1 ? .mixed : .float32
  }
}
