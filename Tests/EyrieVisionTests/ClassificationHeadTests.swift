import EyrieTestTools
import EyrieVision
import Testing

/// From a row of class scores to the best classes.
@Suite struct ClassificationHeadTests {
  /// The same by definition, from logits: no subtraction, everything sorted, in double precision.
  private static func reference(
    _ logits: [Double], topK: Int, minConfidence: Double
  ) -> [(classID: Int, confidence: Double)] {
    // exp(x) as the limit that its power series has.
    func exponential(_ x: Double) -> Double {
      if x < 0 { return 1 / exponential(-x) }
      var (term, sum, index) = (1.0, 1.0, 1.0)
      while term > sum * 1e-18 {
        term *= x / index
        sum += term
        index += 1
      }
      return sum
    }
    let exponentials = logits.map(exponential)
    let total = exponentials.reduce(0, +)
    let ranked = logits.indices.sorted { (-logits[$0], $0) < (-logits[$1], $1) }
    return ranked.prefix(topK).map { ($0, exponentials[$0] / total) }.filter { $0.1 >= minConfidence }
  }

  private func decode(_ head: ClassificationHead, _ values: [Float]) throws -> [ClassScore]? {
    try head.decode(values.rowBytes(.float32).span.bytes, element: .float32)
  }

  @Test func knownValues() throws {
    let head = ClassificationHead(scores: .logits, topK: 3, minConfidence: 0)
    // ln 1, ln 2, ln 5 of 8.
    let scores = try #require(try decode(head, [0, 0.693_147_18, 1.609_437_9]))
    #expect(scores.map(\.classID) == [2, 1, 0])
    for (score, expected) in zip(scores, [0.625, 0.25, 0.125] as [Float]) {
      #expect(abs(score.confidence - expected) < 1e-6)
    }
    #expect(try decode(head, [7]) == [ClassScore(classID: 0, confidence: 1)])
  }

  @Test(arguments: TensorElement.allCases)
  func logitsAgreeWithTheDefinition(_ element: TensorElement) throws {
    var random = SplitMix64(seed: 11)
    for round in 0..<60 {
      let count = [1, 2, 15, 16, 17, 1000][round % 6]
      let topK = [1, 5, 1000][round % 3]
      let least: Float = [0, 0.01, 0.2][round / 3 % 3]
      // Multiples of 1/16 are the same in every type, and often equal to one another.
      let logits = (0..<count).map { _ in Float(Int.random(in: -200...200, using: &random)) / 16 }
      let head = ClassificationHead(scores: .logits, topK: topK, minConfidence: least)
      let found = try #require(try head.decode(logits.rowBytes(element).span.bytes, element: element))
      let expected = Self.reference(logits.map(Double.init), topK: topK, minConfidence: Double(least))
      #expect(found.map(\.classID) == expected.map(\.classID))
      #expect(zip(found, expected).allSatisfy { abs(Double($0.confidence) - $1.confidence) < 1e-6 })
    }
  }

  @Test func largeLogitsDoNotOverflow() throws {
    let head = ClassificationHead(scores: .logits, topK: 2, minConfidence: 0)
    let large = try #require(try decode(head, [3e38, -3e38, 3e38]))
    #expect(large == [ClassScore(classID: 0, confidence: 0.5), ClassScore(classID: 2, confidence: 0.5)])
    let far = try #require(try decode(head, [-2000, 0, 2000]))
    #expect(far == [ClassScore(classID: 2, confidence: 1), ClassScore(classID: 1, confidence: 0)])
    // 2000 is further away than any exponential reaches: the order is that of the logits all the same.
    #expect(try decode(head, [-5000, -9000, 0, -4000])?.map(\.classID) == [2, 3])
  }

  @Test func probabilitiesAreTakenAsTheyAre() throws {
    let head = ClassificationHead(scores: .probabilities, topK: 3, minConfidence: 0.2)
    // Of a sigmoid: they need not add up to 1.
    let found = try decode(head, [0.9, 0.2, 0.95, 0.199, 0.9])
    #expect(
      found == [
        ClassScore(classID: 2, confidence: 0.95), ClassScore(classID: 0, confidence: 0.9),
        ClassScore(classID: 4, confidence: 0.9),
      ])
    #expect(try decode(head, [0.1, 0.19]) == [])
    // What rounding did.
    let rounded = ClassificationHead(scores: .probabilities, topK: 2, minConfidence: 0)
    #expect(
      try decode(rounded, [-0.001, 1.004])
        == [ClassScore(classID: 1, confidence: 1), ClassScore(classID: 0, confidence: 0)])
  }

  @Test(arguments: TensorElement.allCases, [ClassificationHead.Scores.logits, .probabilities])
  func oneNumberThatIsNoneSpoilsTheRow(_ element: TensorElement, _ scores: ClassificationHead.Scores) throws {
    let head = ClassificationHead(scores: scores, topK: 1, minConfidence: 0)
    for bad in [Float.nan, .infinity, -.infinity] {
      for place in [0, 15, 16, 19] {
        var values = [Float](repeating: 0.25, count: 20)
        values[place] = bad
        #expect(try head.decode(values.rowBytes(element).span.bytes, element: element) == nil)
      }
    }
  }

  @Test func rowsOfAnotherSizeAreRefused() throws {
    let head = ClassificationHead(scores: .logits, topK: 1, minConfidence: 0)
    for (count, element) in [(0, TensorElement.float32), (6, .float32), (1, .float16), (12, .float64)] {
      let bytes = [UInt8](repeating: 0, count: count)
      #expect(throws: VisionError.self) { try head.decode(bytes.span.bytes, element: element) }
    }
  }

  @Test func settingsWithoutASenseDoNotTrap() throws {
    for topK in [0, -1, Int.min] {
      let head = ClassificationHead(scores: .logits, topK: topK, minConfidence: 0)
      #expect(try decode(head, [1, 2])?.map(\.classID) == [1])
    }
    #expect(
      try decode(ClassificationHead(scores: .logits, topK: .max, minConfidence: 0), [1, 2])?.count == 2)
    #expect(try decode(ClassificationHead(scores: .logits, topK: 1, minConfidence: .nan), [1, 2]) == [])
  }

  // MARK: - The model's own list

  @Test(arguments: TensorElement.allCases, [ClassificationHead.IndexElement.int32, .int64])
  func aModelsOwnListIsRead(_ element: TensorElement, _ type: ClassificationHead.IndexElement) throws {
    let head = ClassificationHead(scores: .probabilities, topK: 3, minConfidence: 0.1)
    func decode(_ scores: [Float], _ indices: [Int], classes: Int = 10) throws -> [ClassScore]? {
      try head.decode(
        scores: scores.rowBytes(element).span.bytes, element: element,
        indices: indices.bytes(type).span.bytes, indexElement: type, classCount: classes)
    }
    #expect(
      try decode([0.5, 0.25, 0.0625], [7, 0, 3])
        == [ClassScore(classID: 7, confidence: 0.5), ClassScore(classID: 0, confidence: 0.25)])
    // Not sorted, and with a tie.
    #expect(try decode([0.25, 0.5, 0.25], [9, 4, 2])?.map(\.classID) == [4, 2, 9])
    // Indices that name no class, and one named twice.
    #expect(try decode([0.5, 0.25, 0.25, 0.25], [10, -1, Int(Int32.max), 9])?.map(\.classID) == [9])
    #expect(try decode([0.5, 0.25], [4, 4])?.map(\.confidence) == [0.5])
    #expect(try decode([0.5], [0], classes: 0) == [])
    #expect(try decode([0.5], [0], classes: -1) == [])
    #expect(try decode([0.5, .nan], [1, 2]) == nil)
    #expect(throws: VisionError.self) { try decode([0.5, 0.25], [1]) }
    #expect(throws: VisionError.self) { try decode([], []) }
  }

  @Test func indicesOf64BitsAreNotCutDown() throws {
    let head = ClassificationHead(scores: .probabilities, topK: 3, minConfidence: 0)
    let found = try head.decode(
      scores: ([0.5, 0.25, 0.125] as [Float]).rowBytes(.float32).span.bytes, element: .float32,
      indices: [1 << 32, Int.min, 2].bytes(.int64).span.bytes, indexElement: .int64, classCount: 3)
    #expect(found == [ClassScore(classID: 2, confidence: 0.125)])
  }
}

extension [Float] {
  /// The numbers as a model leaves them. Those of a half must be ones that it has.
  func rowBytes(_ element: TensorElement) -> [UInt8] {
    flatMap { value -> [UInt8] in
      switch element {
      case .float32: Swift.withUnsafeBytes(of: value) { [UInt8]($0) }
      case .float64: Swift.withUnsafeBytes(of: Double(value)) { [UInt8]($0) }
      case .float16: Swift.withUnsafeBytes(of: Float16(value).bitPattern) { [UInt8]($0) }
      }
    }
  }
}

extension [Int] {
  fileprivate func bytes(_ element: ClassificationHead.IndexElement) -> [UInt8] {
    flatMap { value -> [UInt8] in
      switch element {
      case .int32: Swift.withUnsafeBytes(of: Int32(truncatingIfNeeded: value)) { [UInt8]($0) }
      case .int64: Swift.withUnsafeBytes(of: Int64(value)) { [UInt8]($0) }
      }
    }
  }
}
