import EyrieInference
import EyrieVision

extension TensorElement {
  /// How the elements of an output are read.
  init(_ type: ElementType) throws(UnreadableOutput) {
    switch type {
    case .f32: self = .float32
    case .f16: self = .float16
    case .f64: self = .float64
    default: throw UnreadableOutput(elementType: type)
    }
  }
}

/// The output is of a type that nothing here reads.
struct UnreadableOutput: Error, CustomStringConvertible {
  let elementType: ElementType

  var description: String {
    "the output has elements of type \(elementType.rawValue); f32, f16 or f64 is needed"
  }
}
