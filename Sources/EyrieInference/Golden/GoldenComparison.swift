/// Compares a model's outputs with a golden file's.
struct GoldenComparison {
  typealias Comparison = GoldenReport.Comparison
  /// Lends an output by its index.
  typealias Outputs = (Int, (TensorView) throws -> [Comparison]) throws -> [Comparison]

  let model: ModelDescription
  let tolerance: Golden.Tolerance

  func compare(_ expected: Golden.Expected, _ output: Outputs) throws -> [Comparison] {
    try output(model.output.index) { view in
      guard let reader = TensorReader(view) else {
        return [
          Comparison(
            name(model.output.index), "numbers",
            impossible: "\(view.elementType.rawValue) \(shapeText(view.shape)) cannot be read")
        ]
      }
      let notFinite = notFinite(reader, model.output.index)
      switch (expected, tolerance) {
      case (.anchors(let anchors), .anchors(let boxes, let above, let scores)):
        return notFinite
          + compare(reader, view.shape, with: anchors, boxes: boxes, above: above, scores: scores)
      case (.boxes(let boxes), .boxes(let iou, let scores)):
        return notFinite + BoxComparison(model: model, iou: iou, scores: scores).compare(reader, with: boxes)
      case (.classes(let classes), .values(let allowed)):
        return notFinite + values(reader, classes.probabilities, "probabilities", allowed)
          + top1(reader, classes.probabilities, allowed)
      case (.embedding(let values), .values(let allowed)):
        return notFinite + self.values(reader, values, "embedding", allowed)
      default: return [Comparison("golden file", "the model", impossible: "they do not belong together")]
      }
    } + topK(expected, output)
  }

  private func name(_ index: Int) -> String {
    model.output.names.indices.contains(index) ? model.output.names[index] : "output \(index)"
  }

  /// Something to say only where there are such numbers.
  private func notFinite(_ reader: TensorReader, _ index: Int) -> [Comparison] {
    let count = reader.nonFiniteCount
    if count == 0 { return [] }
    return [
      Comparison(
        "NaN or infinity", "\(reader.count) numbers", atMost: 0, found: Double(count),
        note: "in \(name(index))")
    ]
  }

  // MARK: - Detection grids

  private func compare(
    _ reader: TensorReader, _ shape: [Int], with anchors: Golden.Anchors, boxes allowedBoxes: Double,
    above: Double, scores allowedScores: Double
  ) -> [Comparison] {
    var axes = shape.count == 2 ? shape : Array(shape.dropFirst())
    while axes.count > 2, let unit = axes.firstIndex(of: 1) { axes.remove(at: unit) }
    let besides = model.output.objectness ? 5 : 4
    let featuresFirst = model.output.layout != .anchorsFirst
    let features = besides + anchors.classCount
    guard axes.count == 2, axes[featuresFirst ? 0 : 1] == features, axes[0] * axes[1] == reader.count,
      let last = anchors.indices.max(), last < axes[featuresFirst ? 1 : 0]
    else {
      let needed = "\(anchors.classCount) classes, anchor \(anchors.indices.max() ?? 0)"
      return [Comparison("shape", needed, impossible: "\(shapeText(shape)) does not have them")]
    }
    let count = axes[featuresFirst ? 1 : 0]
    func number(_ anchor: Int, _ feature: Int) -> Double {
      reader[featuresFirst ? feature * count + anchor : anchor * features + feature]
    }
    var (boxError, scoreError, boxCount) = (0.0, 0.0, 0)
    for (row, anchor) in anchors.indices.enumerated() {
      let objectness = model.output.objectness ? number(anchor, 4) : 1
      var best = -Double.infinity
      for classID in 0..<anchors.classCount {
        let reference = Double(anchors.scores[row * anchors.classCount + classID])
        best = max(best, reference)
        scoreError.widen(objectness * number(anchor, besides + classID) - reference)
      }
      guard best > above else { continue }
      boxCount += 1
      for part in 0..<4 { boxError.widen(number(anchor, part) - Double(anchors.boxes[row * 4 + part])) }
    }
    let suffix = above >= 0 ? " above \(GoldenReport.text(above))" : ""
    return [
      Comparison("boxes", "\(boxCount) anchors\(suffix)", atMost: allowedBoxes, found: boxError, unit: "px"),
      Comparison(
        "scores", "\(anchors.indices.count) anchors × \(anchors.classCount)", atMost: allowedScores,
        found: scoreError),
    ]
  }

  // MARK: - Rows of values

  private func values(
    _ reader: TensorReader, _ reference: [Float], _ what: String, _ allowed: Double
  ) -> [Comparison] {
    guard reader.count == reference.count else {
      return [Comparison(what, "\(reference.count) values", impossible: "there are \(reader.count)")]
    }
    var error = 0.0
    for (index, value) in reference.enumerated() { error.widen(reader[index] - Double(value)) }
    return [Comparison(what, "\(reference.count) values", atMost: allowed, found: error)]
  }

  /// The best class must be the same, unless the reference's best two are as close as values may be off.
  private func top1(_ reader: TensorReader, _ reference: [Float], _ allowed: Double) -> [Comparison] {
    let ranked = reference.indices.sorted { (reference[$1], $0) < (reference[$0], $1) }
    guard reader.count == reference.count, let best = ranked.first else { return [] }
    let found = (0..<reader.count).max { reader[$0] < reader[$1] } ?? 0
    let isTie = ranked.count > 1 && Double(reference[best]) - Double(reference[ranked[1]]) <= allowed
    let differs = found != best && !isTie
    return [
      Comparison(
        "top-1 class", label(best), atMost: 0, found: differs ? 1 : 0,
        note: differs ? "is \(label(found))" : nil)
    ]
  }

  private func label(_ index: Int) -> String {
    model.output.labels.indices.contains(index) ? "\(index) \(model.output.labels[index])" : "\(index)"
  }

  private func topK(_ expected: Golden.Expected, _ output: Outputs) throws -> [Comparison] {
    guard case .classes(let classes) = expected, case .values(let allowed) = tolerance,
      let topScores = classes.topScores, let topIndices = classes.topIndices
    else { return [] }
    guard let names = model.output.topKOutputs, let scores = model.output.names.firstIndex(of: names.scores),
      let indices = model.output.names.firstIndex(of: names.indices)
    else { return [Comparison("top-k", "the \(topScores.count) best", impossible: "the model lists none")] }
    return try output(scores) { view in
      guard let reader = TensorReader(view) else {
        return [Comparison(names.scores, "numbers", impossible: "cannot be read")]
      }
      return notFinite(reader, scores) + values(reader, topScores, names.scores, allowed)
    }
      + output(indices) { view in
        guard let reader = TensorReader(view), reader.count == topIndices.count else {
          return [Comparison(names.indices, "\(topIndices.count) classes", impossible: "cannot be read")]
        }
        // Two classes whose scores are as close as both may be off can change places.
        let wrong = topIndices.indices.count { place in
          guard let found = Int(exactly: reader[place]), classes.probabilities.indices.contains(found) else {
            return true
          }
          return found != Int(topIndices[place])
            && !(abs(Double(classes.probabilities[found]) - Double(topScores[place])) <= 2 * allowed)
        }
        return [Comparison(names.indices, "\(topIndices.count) classes", atMost: 0, found: Double(wrong))]
      }
  }
}

extension Double {
  /// Takes in another difference. One that is not finite stays.
  mutating func widen(_ difference: Double) {
    let magnitude = abs(difference)
    if self.isFinite, !(magnitude <= self) { self = magnitude }
  }
}
