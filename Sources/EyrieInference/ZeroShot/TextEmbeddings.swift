import Foundation

/// The embeddings of the texts that stand for a model's ``ZeroShotLabels``, from its package.
///
/// The file is in the safetensors format, `__metadata__.schema` `eyrie.text_embeddings/1`, with one tensor
/// `text_embeddings`, f32 `[labels, dimension]`, of which each row has length 1.
public struct TextEmbeddings: Sendable {
  static let schema = "eyrie.text_embeddings/1"
  static let tensorName = "text_embeddings"
  /// How far the length of a row may be from 1. What is left by rounding is far below it; what is further off
  /// was never normalised, or is something else.
  private static let lengthTolerance = 1e-3

  /// The length of an embedding, the same as that of the model's own.
  public let dimension: Int
  /// Row-major, one row a label, each of length 1.
  public let values: [Float]

  /// How many texts there are.
  public var count: Int { values.count / dimension }

  /// Reads the text embeddings of a package. Blocks.
  /// - Returns: `nil` when the model has no zero-shot labels.
  /// - Throws: ``ModelError`` when the file is absent, damaged, or made for another model or for other labels.
  public static func load(for model: ModelDescription) throws(ModelError) -> TextEmbeddings? {
    guard let stated = model.output.zeroShot else { return nil }
    guard let directory = model.packageDirectory, let dimension = model.output.dimension, dimension > 0 else {
      throw ModelError(
        .invalidMetadata, model.path, "output.zero_shot belongs to an embedding model in a package")
    }
    let path = (directory as NSString).appendingPathComponent(stated.embeddings)
    guard fileSize(path) != nil else {
      throw ModelError(.unreadable, path, "no such file, although output.zero_shot.embeddings names it")
    }
    let file = try SafetensorsFile(path: path)
    guard file.metadata["schema"] == schema else {
      throw ModelError(
        .corrupt, path,
        "its schema is \"\(file.metadata["schema"] ?? "")\", and this version reads \"\(schema)\"")
    }
    let tensor = try file.tensor(tensorName, .f32, axes: 2)
    guard tensor.shape == [stated.labels.count, dimension] else {
      throw ModelError(
        .corrupt, path,
        "\(tensorName) is \(shapeText(tensor.shape)), and \(stated.labels.count) labels in \(dimension) dimensions "
          + "are needed")
    }
    return TextEmbeddings(
      dimension: dimension, values: try normalised(file.floats(of: tensor), dimension, path: path))
  }

  /// Brings rows that have length 1 but for rounding to that length.
  private static func normalised(
    _ rows: [Float], _ dimension: Int, path: String
  ) throws(ModelError) -> [Float] {
    var result = rows
    for start in stride(from: 0, to: rows.count, by: dimension) {
      let row = rows[start..<start + dimension]
      let length = row.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      // NaN and infinity fail this, too.
      guard abs(length - 1) <= lengthTolerance else {
        throw ModelError(
          .corrupt, path,
          "row \(start / dimension) of \(tensorName) has length \(length), and 1 is needed: convert the model again"
        )
      }
      for index in row.indices { result[index] = Float(Double(rows[index]) / length) }
    }
    return result
  }
}
