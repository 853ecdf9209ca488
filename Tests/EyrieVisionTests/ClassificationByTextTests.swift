import EyrieTestTools
import EyrieVision
import Testing

/// Embeddings, and what texts say of them.
@Suite struct ClassificationByTextTests {
  private func vector(_ count: Int, _ random: inout SplitMix64) -> [Float] {
    (0..<count).map { _ in Float.random(in: -1...1, using: &random) }
  }

  private func length(_ values: [Float]) -> Double {
    values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
  }

  @Test func knownEmbedding() throws {
    let row: [Float] = [3, 0, -4]
    let head = EmbeddingHead(dimension: 3, normalize: true)
    #expect(try head.decode(row.rowBytes(.float32).span.bytes, element: .float32) == [0.6, 0, -0.8])
    let asItIs = EmbeddingHead(dimension: 3, normalize: false)
    #expect(try asItIs.decode(row.rowBytes(.float32).span.bytes, element: .float32) == row)
  }

  @Test(arguments: TensorElement.allCases, [1, 7, 16, 512])
  func embeddingsHaveLengthOne(_ element: TensorElement, _ dimension: Int) throws {
    var random = SplitMix64(seed: 5)
    let head = EmbeddingHead(dimension: dimension, normalize: true)
    for _ in 0..<20 {
      // What a half has, so that all types hold the same.
      let row = (0..<dimension).map { _ in Float(Int.random(in: -64...64, using: &random)) / 32 }
      let norm = length(row)
      let found = try head.decode(row.rowBytes(element).span.bytes, element: element)
      guard norm > 0 else {
        #expect(found == nil)
        continue
      }
      let embedding = try #require(found)
      #expect(abs(length(embedding) - 1) < 1e-6)
      #expect(zip(embedding, row).allSatisfy { abs(Double($0) - Double($1) / norm) < 1e-7 })
    }
  }

  @Test func lengthsNearTheLimitsOfTheTypeAreMeasured() throws {
    let head = EmbeddingHead(dimension: 2, normalize: true)
    for scale: Float in [1e38, 1e-30, .leastNonzeroMagnitude] {
      let row = [scale, 0]
      #expect(try head.decode(row.rowBytes(.float32).span.bytes, element: .float32) == [1, 0])
    }
  }

  @Test(arguments: TensorElement.allCases, [true, false])
  func whatHasNoDirectionIsNoEmbedding(_ element: TensorElement, _ normalize: Bool) throws {
    let head = EmbeddingHead(dimension: 3, normalize: normalize)
    for bad: [Float] in [[0, 0, 0], [1, .nan, 0], [1, 0, .infinity], [-.infinity, 0, 0]] {
      #expect(try head.decode(bad.rowBytes(element).span.bytes, element: element) == nil)
    }
    for count in [0, 2, 4] {
      let row = [Float](repeating: 1, count: count)
      let error = #expect(throws: VisionError.self) {
        try head.decode(row.rowBytes(element).span.bytes, element: element)
      }
      #expect(error == .tensorSize(expected: 3 * element.size, found: count * element.size))
    }
  }

  @Test(arguments: [0, -1, Int.max, Int.min])
  func dimensionsWithoutASenseDoNotTrap(_ dimension: Int) throws {
    let head = EmbeddingHead(dimension: dimension, normalize: true)
    let row: [Float] = [1, 2]
    #expect(throws: VisionError.self) {
      try head.decode(row.rowBytes(.float32).span.bytes, element: .float32)
    }
    #expect(throws: VisionError.self) {
      try ZeroShotHead(
        labelCount: 2, dimension: dimension, textEmbeddings: row, logitScale: 1, topK: 1, minConfidence: 0)
    }
  }

  // MARK: - By texts

  @Test func knownLabels() throws {
    // Cosines 0.6 and 0.8, times ln 2 ÷ 0.2: a ratio of 1 to 2.
    let head = try ZeroShotHead(
      labelCount: 2, dimension: 2, textEmbeddings: [1, 0, 0, 1], logitScale: 3.465_735_9, topK: 5,
      minConfidence: 0)
    for scale: Float in [1, 1e-20, 1e20] {
      let scores = try #require(head.decode(embedding: [3 * scale, 4 * scale]))
      #expect(scores.map(\.classID) == [1, 0])
      #expect(abs(scores[0].confidence - 2 / 3) < 1e-6)
      #expect(abs(scores[1].confidence - 1 / 3) < 1e-6)
    }
  }

  @Test(arguments: [1, 15, 16, 17, 512], [1, 3, 50])
  func labelsAgreeWithTheDefinition(_ dimension: Int, _ labels: Int) throws {
    var random = SplitMix64(seed: UInt64(dimension * 100 + labels))
    var texts: [Float] = []
    for _ in 0..<labels {
      let text = vector(dimension, &random)
      texts += text.map { Float(Double($0) / length(text)) }
    }
    let head = try ZeroShotHead(
      labelCount: labels, dimension: dimension, textEmbeddings: texts, logitScale: 10, topK: 4,
      minConfidence: 0.001)
    for _ in 0..<10 {
      let picture = vector(dimension, &random)
      let logits = (0..<labels).map { label in
        (0..<dimension).reduce(0.0) {
          $0 + Double(texts[label * dimension + $1]) * Double(picture[$1])
        } / length(picture) * 10
      }
      // 1 ÷ Σ exp(other − own): softmax written another way.
      let shares = logits.map { own in 1 / logits.reduce(0.0) { $0 + Self.exponential($1 - own) } }
      let expected = shares.indices.sorted { shares[$0] > shares[$1] }.prefix(4).filter {
        shares[$0] >= 0.001
      }
      let found = try #require(head.decode(embedding: picture))
      #expect(found.count == expected.count)
      for (score, label) in zip(found, expected) {
        #expect(abs(Double(score.confidence) - shares[label]) < 1e-5)
        // Equal but for rounding may stand in either order.
        #expect(abs(shares[score.classID] - shares[label]) < 1e-5)
      }
    }
  }

  private static func exponential(_ x: Double) -> Double {
    if x < 0 { return 1 / exponential(-x) }
    var (term, sum, index) = (1.0, 1.0, 1.0)
    while term > sum * 1e-18 {
      term *= x / index
      sum += term
      index += 1
    }
    return sum
  }

  @Test func equalTextsStandInTheirOrderAndLittleConfidenceIsLeftOut() throws {
    let head = try ZeroShotHead(
      labelCount: 3, dimension: 2, textEmbeddings: [0, 1, 1, 0, 1, 0], logitScale: 100, topK: 3,
      minConfidence: 0.01)
    #expect(
      head.decode(embedding: [2, 0])
        == [ClassScore(classID: 1, confidence: 0.5), ClassScore(classID: 2, confidence: 0.5)])
  }

  @Test func whatHasNoDirectionHasNoLabel() throws {
    let head = try ZeroShotHead(
      labelCount: 1, dimension: 2, textEmbeddings: [1, 0], logitScale: 100, topK: 1, minConfidence: 0)
    for bad: [Float] in [[], [1], [1, 2, 3], [0, 0], [.nan, 0], [0, .infinity]] {
      #expect(head.decode(embedding: bad) == nil)
    }
    #expect(head.decode(embedding: [-1, 0]) == [ClassScore(classID: 0, confidence: 1)])
  }

  @Test func numbersThatDoNotFitAreRefused() throws {
    for (labels, texts, scale) in [
      (2, [1, 0, 0], 1), (1, [1, 0, 0, 1], 1), (0, [], 1), (-1, [1, 0], 1), (1, [.nan, 0], 1),
      (1, [.infinity, 0], 1), (1, [1, 0], 0), (1, [1, 0], -1), (1, [1, 0], .nan), (1, [1, 0], .infinity),
    ] as [(Int, [Float], Float)] {
      #expect(throws: VisionError.self) {
        try ZeroShotHead(
          labelCount: labels, dimension: 2, textEmbeddings: texts, logitScale: scale, topK: 1,
          minConfidence: 0)
      }
    }
  }
}
