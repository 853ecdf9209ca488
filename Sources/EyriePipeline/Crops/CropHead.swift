import EyrieEvents
import EyrieInference
import EyrieVision

/// Reads what a classifier or an embedding model gives for each crop of a batch.
struct CropHead: Sendable {
  private enum Kind: Sendable {
    case scores(ClassificationHead)
    case zeroShot(EmbeddingHead, ZeroShotHead)
    case embedding(EmbeddingHead)
  }

  /// The output has not as many rows as there were pictures.
  private struct WrongCount: Error, CustomStringConvertible {
    let shape: [Int]
    let count: Int

    var description: String { "the output has the shape \(shape) for \(count) pictures" }
  }

  private let kind: Kind
  private let labels: ClassLabels
  private let outputIndex: Int

  /// - Throws: `EyrieFailure` of kind usage when the model is not one for the purpose.
  init(_ model: ModelDescription, texts: TextEmbeddings?, plan: CropModelPlan) throws(EyrieFailure) {
    outputIndex = model.output.index
    switch plan.purpose {
    case .embed:
      guard model.task == .embed, let dimension = model.output.dimension else {
        throw EyrieFailure(
          .usage,
          "\(plan.model): this is no embedding model (task \(model.task.rawValue)), which '\(plan.name)' needs"
        )
      }
      labels = ClassLabels([])
      kind = .embedding(EmbeddingHead(dimension: dimension, normalize: true))
    case .classify(let topK, let minConfidence):
      if model.task == .classify {
        labels = ClassLabels(model.output.labels)
        kind = .scores(
          ClassificationHead(
            scores: model.output.kind == .logits ? .logits : .probabilities, topK: topK,
            minConfidence: Float(minConfidence)))
        return
      }
      guard let zeroShot = model.output.zeroShot, let texts, let dimension = model.output.dimension else {
        let hint =
          model.task == .embed
          ? "; an embedding model classifies with text embeddings: eyrie-convert clip … --labels labels.txt"
          : ""
        throw EyrieFailure(
          .usage,
          "\(plan.model): this is no classifier (task \(model.task.rawValue)), which '\(plan.name)' needs\(hint)"
        )
      }
      labels = ClassLabels(zeroShot.labels)
      do throws(VisionError) {
        kind = .zeroShot(
          EmbeddingHead(dimension: dimension, normalize: true),
          try ZeroShotHead(
            labelCount: zeroShot.labels.count, dimension: dimension, textEmbeddings: texts.values,
            logitScale: Float(zeroShot.logitScale), topK: topK, minConfidence: Float(minConfidence)))
      } catch {
        throw EyrieFailure(.usage, "\(plan.model): \(error)")
      }
    }
  }

  /// - Parameter count: how many pictures the last inference ran on.
  /// - Returns: for each of them, nil where a number is not finite.
  /// - Throws: what the output cannot be read for.
  func results(of request: RequestLease, count: Int) throws -> [CropResult?] {
    try request.withOutput(outputIndex) { view in
      let element = try TensorElement(view.elementType)
      return try (0..<count).map { index in
        // The output for a single picture need not have an axis for the batch.
        guard let row = count == 1 ? view : view.row(index) else {
          throw WrongCount(shape: view.shape, count: count)
        }
        return try result(row.bytes.bytes, element)
      }
    }
  }

  private func result(_ row: RawSpan, _ element: TensorElement) throws(VisionError) -> CropResult? {
    switch kind {
    case .scores(let head): named(try head.decode(row, element: element))
    case .embedding(let head): try head.decode(row, element: element).map { .embedding($0) }
    case .zeroShot(let head, let zeroShot):
      named(try head.decode(row, element: element).flatMap { zeroShot.decode(embedding: $0) })
    }
  }

  private func named(_ scores: [ClassScore]?) -> CropResult? {
    scores.map { scores in
      .labels(scores.map { Classification(label: labels[$0.classID], confidence: Double($0.confidence)) })
    }
  }
}
