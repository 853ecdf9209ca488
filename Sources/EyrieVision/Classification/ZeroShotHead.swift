/// Names a picture by its embedding: of several texts, embedded by the same model, the nearest ones.
///
/// As CLIP does it (https://arxiv.org/abs/2103.00020, figure 3): softmax over the cosines of the angles between the
/// picture and each text, times a factor that was learned with the model.
public struct ZeroShotHead: Sendable {
  /// How many texts there are.
  public let labelCount: Int
  /// The length of an embedding.
  public let dimension: Int
  /// The most labels reported for one picture.
  public let topK: Int
  /// Labels of less confidence are left out.
  public let minConfidence: Float
  private let textEmbeddings: [Float]
  private let logitScale: Float

  /// Makes a head.
  /// - Parameters:
  ///   - labelCount: how many texts there are, from 1.
  ///   - dimension: the length of an embedding, from 1.
  ///   - textEmbeddings: row-major, one row of length 1 a text.
  ///   - logitScale: what cosines are multiplied with; 100 for CLIP.
  ///   - topK: the most labels reported; less than 1 counts as 1.
  ///   - minConfidence: from 0 to 1; labels of less confidence are left out.
  /// - Throws: `VisionError.setting` where the numbers do not fit one another.
  public init(
    labelCount: Int, dimension: Int, textEmbeddings: [Float], logitScale: Float, topK: Int,
    minConfidence: Float
  ) throws(VisionError) {
    let count = labelCount.multipliedReportingOverflow(by: dimension)
    guard labelCount > 0, dimension > 0, !count.overflow, count.partialValue == textEmbeddings.count else {
      throw .setting(
        name: "text embeddings", value: "\(textEmbeddings.count)",
        allowed: "\(dimension) numbers for each of \(labelCount) labels")
    }
    guard textEmbeddings.allSatisfy(\.isFinite) else {
      throw .setting(name: "text embeddings", value: "NaN or infinity", allowed: "finite numbers")
    }
    guard logitScale.isFinite, logitScale > 0 else {
      throw .setting(name: "logit scale", value: "\(logitScale)", allowed: "a number above 0")
    }
    self.labelCount = labelCount
    self.dimension = dimension
    self.textEmbeddings = textEmbeddings
    self.logitScale = logitScale
    self.topK = max(1, topK)
    self.minConfidence = minConfidence
  }

  /// Picks the labels whose texts are nearest to a picture.
  ///
  /// - Parameter embedding: of the picture, of any length above 0: only its direction counts.
  /// - Returns: best first, equal ones in the order of the labels; may be empty. Nil for an embedding of another
  ///   dimension, one with NaN or infinity, and one without a direction.
  public func decode(embedding: [Float]) -> [ClassScore]? {
    guard embedding.count == dimension, embedding.allSatisfy(\.isFinite),
      let length = EmbeddingHead.length(of: embedding)
    else { return nil }
    let direction = embedding.map { Float(Double($0) / length) }
    let logits = textEmbeddings.withUnsafeBytes { texts in
      direction.withUnsafeBytes { picture in
        (0..<labelCount).map { label in
          logitScale * Self.product(texts, from: label * dimension, picture, count: dimension)
        }
      }
    }
    guard logits.allSatisfy(\.isFinite) else { return nil }
    return Softmax.best(of: logits, topK: topK, minConfidence: minConfidence)
  }

  /// The scalar product of a row and a vector, sixteen numbers at once.
  private static func product(
    _ rows: UnsafeRawBufferPointer, from start: Int, _ vector: UnsafeRawBufferPointer, count: Int
  ) -> Float {
    var sums = SIMD16<Float>.zero
    var index = 0
    while index + 16 <= count {
      let row = rows.loadUnaligned(fromByteOffset: (start + index) * 4, as: SIMD16<Float>.self)
      let part = vector.loadUnaligned(fromByteOffset: index * 4, as: SIMD16<Float>.self)
      sums += row * part
      index += 16
    }
    var sum = sums.sum()
    while index < count {
      sum +=
        rows.loadUnaligned(fromByteOffset: (start + index) * 4, as: Float.self)
        * vector.loadUnaligned(fromByteOffset: index * 4, as: Float.self)
      index += 1
    }
    return sum
  }
}
