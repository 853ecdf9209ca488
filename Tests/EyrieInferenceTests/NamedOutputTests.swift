import EyrieTestSupport
import Foundation
import Testing

@testable import EyrieInference

/// What surrounds Core ML, with a fake in place of it: the same protocol, the same tensors.
@Suite(.timeLimit(.minutes(10)))
struct NamedOutputTests {
  /// A model that gives what the test says, whatever the picture.
  struct Fake: NamedOutputModel {
    let body: @Sendable (_ firstPixel: [UInt8]) throws -> [String: DenseTensor]

    func predict(_ picture: UnsafeRawBufferPointer) async throws(InferenceError) -> [String: DenseTensor] {
      do {
        return try body(Array(picture.prefix(3)))
      } catch {
        throw error as? InferenceError ?? InferenceError("\(error)")
      }
    }
  }

  static func detector(_ width: Int = 200, _ height: Int = 100) -> ModelDescription {
    ModelDescription(
      name: "fake", task: .detect, format: .coreml, path: "fake.mlpackage",
      input: ModelInput(name: "image", width: width, height: height),
      output: ModelOutput(
        kind: .yoloEndToEnd, names: ["coordinates", "confidence"], labels: ["a", "b", "c"], classCount: 3,
        shape: [1, -1, 6], layout: .endToEnd), nms: SuppressionSettings(embedded: true, confidence: 0.25))
  }

  static func session(
    _ model: ModelDescription, _ body: @escaping @Sendable ([UInt8]) throws -> [String: DenseTensor]
  ) -> InferenceSession {
    InferenceSession(
      model: model, deviceName: "fake", executedPrecision: .f16,
      requests: [NamedOutputRequest(Fake(body: body), description: model)])
  }

  static func boxes(_ coordinates: [Float], _ confidence: [Float]) -> [String: DenseTensor] {
    [
      "coordinates": DenseTensor(shape: [coordinates.count / 4, 4], coordinates),
      "confidence": DenseTensor(shape: [confidence.count / 3, 3], confidence),
    ]
  }

  private func rows(_ session: InferenceSession) async throws -> (shape: [Int], values: [Float]) {
    let lease = try await session.acquire()
    try await lease.infer()
    return (try lease.withOutput { $0.shape }, try lease.floats())
  }

  @Test func boxesBecomeRowsInPixels() async throws {
    let session = Self.session(Self.detector()) { _ in
      Self.boxes([0.5, 0.5, 0.5, 0.2, 0.1, 0.2, 0.2, 0.4], [0.1, 0.8, 0.1, 0.6, 0.6, 0.3])
    }
    let found = try await rows(session)
    #expect(found.shape == [1, 2, 6])
    let expected: [Float] = [50, 40, 150, 60, 0.8, 1, 0, 0, 40, 40, 0.6, 0]
    #expect(zip(found.values, expected).allSatisfy { abs($0 - $1) < 1e-4 }, "\(found.values)")
  }

  @Test func thereMayBeNoBoxAndAnyNumber() async throws {
    let session = Self.session(Self.detector()) { pixel in
      let count = Int(pixel[0])
      return Self.boxes(
        [Float](repeating: 0.5, count: count * 4), [Float](repeating: 0.5, count: count * 3))
    }
    for count in [0, 3, 1, 0, 200] {
      let lease = try await session.acquire()
      lease.fill(red: UInt8(count), green: 0, blue: 0)
      try await lease.infer()
      try lease.withOutput { view in
        #expect(view.shape == [1, count, 6])
        #expect(view.bytes.count == count * 24)
      }
    }
  }

  @Test func aScoreThatIsNoNumberIsNotHidden() async throws {
    let session = Self.session(Self.detector()) { _ in
      Self.boxes([0.5, 0.5, 0.1, 0.1], [0.9, .nan, 0.1])
    }
    #expect(try await rows(session).values[4].isNaN)
  }

  @Test func outputsThatDoNotBelongTogetherAreNamed() async throws {
    let wrong: [[String: DenseTensor]] = [
      ["coordinates": DenseTensor(shape: [1, 4], [0, 0, 0, 0])],
      Self.boxes([0, 0, 0, 0], [0, 0, 0, 0, 0, 0]),
      [
        "coordinates": DenseTensor(shape: [1, 3], [0, 0, 0]), "confidence": DenseTensor(shape: [1, 1], [0]),
      ],
      ["coordinates": DenseTensor(shape: [0, 4], []), "confidence": DenseTensor(shape: [0, 0], [])],
    ]
    for tensors in wrong {
      let session = Self.session(Self.detector()) { _ in tensors }
      let error = await #expect(throws: InferenceError.self) { try await rows(session) }
      #expect(error?.description.contains("confidence") == true, "\(error?.description ?? "")")
      #expect(error?.description.contains("\n") == false)
    }
  }

  @Test func otherOutputsKeepTheirOrder() async throws {
    var model = Self.detector()
    model.task = .classify
    model.output = ModelOutput(
      kind: .probabilities, names: ["probabilities", "top_k_scores", "top_k_indices"], labels: ["a", "b"],
      classCount: 2, topK: 1, topKOutputs: TopKOutputs(scores: "top_k_scores", indices: "top_k_indices"),
      shape: [1, 2])
    let session = Self.session(model) { _ in
      let index: [Int32] = [1]
      return try index.withUnsafeBytes { bytes in
        [
          "top_k_indices": try DenseTensor(.i32, shape: [1, 1], strides: [1, 1], copying: bytes),
          "probabilities": DenseTensor(shape: [1, 2], [0.25, 0.75]),
          "top_k_scores": DenseTensor(shape: [1, 1], [0.75]),
        ]
      }
    }
    let lease = try await session.acquire()
    #expect(throws: InferenceError.self) { try lease.withOutput(0) { _ in } }
    try await lease.infer()
    #expect(try lease.floats(0) == [0.25, 0.75])
    #expect(try lease.floats(1) == [0.75])
    try lease.withOutput(2) { view in
      #expect(view.elementType == .i32)
      #expect(view.bytes.loadUnaligned(as: Int32.self) == 1)
    }
    #expect(throws: InferenceError.self) { try lease.withOutput(3) { _ in } }
  }

  // MARK: - Memory

  @Test func tensorsThatDoNotLieDenselyAreCopied() throws {
    let numbers = (0..<24).map { Float($0) }
    func copy(_ shape: [Int], _ strides: [Int]) throws -> [Float] {
      try numbers.withUnsafeBytes { bytes in
        let tensor = try DenseTensor(.f32, shape: shape, strides: strides, copying: bytes)
        #expect(tensor.view.shape == shape)
        return Array(tensor.view.bytes.bindMemory(to: Float.self))
      }
    }
    #expect(try copy([2, 3, 4], [12, 4, 1]) == numbers)
    #expect(try copy([24], [1]) == numbers)
    // Rows padded to 8 elements, as accelerators like them.
    #expect(try copy([3, 2], [8, 1]) == [0, 1, 8, 9, 16, 17])
    #expect(try copy([2, 1, 3], [8, 8, 1]) == [0, 1, 2, 8, 9, 10])
    #expect(try copy([4, 3], [1, 8]) == [0, 8, 16, 1, 9, 17, 2, 10, 18, 3, 11, 19])
    #expect(try copy([1, 1, 1], [99, 99, 99]) == [0])
    #expect(try copy([], []) == [0])
    #expect(try copy([0, 4], [4, 1]) == [])
  }

  @Test func tensorsOutsideTheirMemoryAreRefused() throws {
    let numbers = [Float](repeating: 0, count: 24)
    for (shape, strides) in [
      ([25], [1]), ([3, 2], [12, 1]), ([2], [-1]), ([2], [Int.max]), ([Int.max, 2], [1, 1]), ([2, 2], [1]),
      ([-1], [1]), ([3], [Int.max / 2]), ([0, 0], [1]),
    ] {
      #expect(throws: InferenceError.self, "\(shape) \(strides)") {
        try numbers.withUnsafeBytes { bytes in
          _ = try DenseTensor(.f32, shape: shape, strides: strides, copying: bytes)
        }
      }
    }
    #expect(throws: InferenceError.self) {
      try numbers.withUnsafeBytes { _ = try DenseTensor(.other, shape: [1], strides: [1], copying: $0) }
    }
  }

  @Test func picturesBecomeBGRA() {
    let rgb: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    var target = [UInt8](repeating: 99, count: 24)
    let done = rgb.withUnsafeBytes { source in
      target.withUnsafeMutableBytes { target in
        PixelPacking.bgra(source, width: 2, height: 2, into: target, bytesPerRow: 12)
      }
    }
    #expect(done)
    #expect(
      target == [3, 2, 1, 255, 6, 5, 4, 255, 99, 99, 99, 99, 9, 8, 7, 255, 12, 11, 10, 255, 99, 99, 99, 99])
    let refused = rgb.withUnsafeBytes { source in
      target.withUnsafeMutableBytes { target in
        [
          PixelPacking.bgra(source, width: 2, height: 3, into: target, bytesPerRow: 8),
          PixelPacking.bgra(source, width: 2, height: 2, into: target, bytesPerRow: 7),
          PixelPacking.bgra(source, width: 2, height: 2, into: target, bytesPerRow: 16),
        ]
      }
    }
    #expect(refused == [false, false, false])
  }
}
