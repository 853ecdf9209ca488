/// What the geometry and the detection decoder refuse. Each description is one line that names the
/// value, the reason and the remedy.
public enum VisionError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A picture or a model input whose width or height is not usable.
  case pictureSize(name: String, width: Int, height: Int)
  /// A setting outside its range.
  case setting(name: String, value: String, allowed: String)
  /// A tensor shape that the declared layout does not have.
  case tensorShape(shape: [Int], layout: YOLOHead.Layout, reason: String)
  /// A tensor whose byte count is not that of its declared shape.
  case tensorSize(expected: Int, found: Int)

  /// One line: what failed, why, what to do.
  public var description: String {
    switch self {
    case .pictureSize(let name, let width, let height):
      "\(name) size \(width)x\(height) is not usable: width and height must be 1 to \(PictureTransform.largestSide)"
    case .setting(let name, let value, let allowed):
      "\(name) \(value) is out of range: give \(allowed)"
    case .tensorShape(let shape, let layout, let reason):
      "output shape \(shape) does not fit a \(layout.rawValue) detection head: \(reason)"
    case .tensorSize(let expected, let found):
      "output tensor has \(found) bytes where its shape needs \(expected): check the element type and the batch size"
    }
  }
}
