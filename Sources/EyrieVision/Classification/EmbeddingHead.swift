/// Turns the output of an embedding model for one picture into a vector that can be compared with others.
public struct EmbeddingHead: Sendable {
  /// The length of an embedding.
  public let dimension: Int
  /// Whether embeddings are brought to length 1, so that their scalar product is the cosine of their angle.
  public let normalize: Bool

  /// Makes a head.
  /// - Parameters:
  ///   - dimension: the length of an embedding, from 1.
  ///   - normalize: whether to bring embeddings to (Euclidean) length 1. Harmless where the model does it, too.
  public init(dimension: Int, normalize: Bool) {
    self.dimension = dimension
    self.normalize = normalize
  }

  /// Reads a row.
  ///
  /// - Parameters:
  ///   - row: the embedding of one picture. Need not be aligned.
  ///   - element: type of its numbers.
  /// - Returns: nil where a number is NaN or infinite, or all are 0: such a vector has no direction.
  /// - Throws: `VisionError.tensorSize` where the row has another dimension.
  public func decode(_ row: RawSpan, element: TensorElement) throws(VisionError) -> [Float]? {
    guard let values = try Row.finite(row, element: element, count: dimension) else { return nil }
    guard let length = Self.length(of: values) else { return nil }
    return normalize ? values.map { Float(Double($0) / length) } : values
  }

  /// The Euclidean length of a vector of finite numbers; nil where it is 0. In double precision no square is too
  /// large or too small.
  static func length(of values: [Float]) -> Double? {
    let length = values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    return length > 0 && length.isFinite ? length : nil
  }
}
