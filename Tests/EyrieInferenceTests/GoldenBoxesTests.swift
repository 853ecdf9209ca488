import EyrieTestSupport
import Foundation
import Testing

@testable import EyrieInference

/// Golden files of detectors that suppress by themselves, replayed through the session that Core ML uses, with a
/// fake in place of Core ML.
@Suite(.timeLimit(.minutes(10)))
struct GoldenBoxesTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// Three boxes: an `a`, a `c`, and a `b` next to the threshold.
  static let coordinates: [Float] = [
    0.5, 0.5, 0.4, 0.4, 0.2, 0.3, 0.1, 0.2, 0.8, 0.8, 0.2, 0.2,
  ]
  static let confidence: [Float] = [0.9, 0.05, 0, 0, 0.1, 0.6, 0.1, 0.26, 0]

  private func replay(
    reference: (coordinates: [Float], confidence: [Float]) = (coordinates, confidence),
    _ body: @escaping @Sendable ([UInt8]) throws -> [String: DenseTensor]
  ) async throws -> GoldenReport {
    var file = SafetensorsBuilder()
    file.metadata = [
      "schema": "eyrie.golden/1", "task": "detect", "width": "200", "height": "100",
      "tolerance": #"{"f16": {"iou": 0.95, "scores": 0.02}}"#,
    ]
    file.tensors = [
      "input": .init("U8", [1, 1, 2, 3], [10, 20, 30, 40, 50, 60]),
      "coordinates": .f32([reference.coordinates.count / 4, 4], reference.coordinates),
      "confidence": .f32([reference.confidence.count / 3, 3], reference.confidence),
    ]
    try directory.write(try file.data(), "golden.safetensors")
    var model = NamedOutputTests.detector()
    model.packageDirectory = directory.root
    model.validation = ModelValidation(golden: "golden.safetensors")
    let golden = try #require(try Golden.load(for: model))
    return try await golden.replay(on: NamedOutputTests.session(model, body))
  }

  private func replay(_ coordinates: [Float], _ confidence: [Float]) async throws -> GoldenReport {
    try await replay { pixel in
      #expect(pixel == [10, 20, 30])
      return NamedOutputTests.boxes(coordinates, confidence)
    }
  }

  private func failed(_ report: GoldenReport) -> [String] {
    report.comparisons.filter { !$0.passed }.map(\.what)
  }

  @Test func theSameBoxesPassInAnyOrder() async throws {
    let same = try await replay(Self.coordinates, Self.confidence)
    #expect(same.passed, "\(same.failure ?? "")")
    #expect(same.comparisons.map(\.what) == ["boxes missing", "boxes too many", "overlap (IoU)", "scores"])
    let turned = try await replay(
      Array(Self.coordinates[4...] + Self.coordinates[..<4]),
      Array(Self.confidence[3...] + Self.confidence[..<3]))
    #expect(turned.passed)
  }

  @Test func aBoxNextToTheThresholdMayBeMissingOrExtra() async throws {
    #expect(try await replay(Array(Self.coordinates[..<8]), Array(Self.confidence[..<6])).passed)
    let more = try await replay(Self.coordinates + [0.1, 0.9, 0.1, 0.1], Self.confidence + [0.265, 0, 0])
    #expect(more.passed)
  }

  @Test func aBoxThatIsMissingOrExtraFails() async throws {
    let missing = try await replay(Array(Self.coordinates[4...]), Array(Self.confidence[3...]))
    #expect(failed(missing) == ["boxes missing"])
    let extra = try await replay(Self.coordinates + [0.1, 0.9, 0.1, 0.1], Self.confidence + [0.4, 0, 0])
    #expect(failed(extra) == ["boxes too many"])
    let nothing = try await replay([], [])
    #expect(failed(nothing) == ["boxes missing"])
  }

  @Test func anotherClassIsAnotherBox() async throws {
    var confidence = Self.confidence
    confidence.swapAt(0, 1)
    #expect(
      Set(failed(try await replay(Self.coordinates, confidence))) == ["boxes missing", "boxes too many"])
  }

  @Test func boxesAndScoresMayNotMove() async throws {
    var coordinates = Self.coordinates
    coordinates[0] += 0.03
    #expect(failed(try await replay(coordinates, Self.confidence)) == ["overlap (IoU)"])
    coordinates[0] = 0.9
    #expect(
      Set(failed(try await replay(coordinates, Self.confidence))) == ["boxes missing", "boxes too many"])
    var confidence = Self.confidence
    confidence[0] = 0.87
    #expect(failed(try await replay(Self.coordinates, confidence)) == ["scores"])
  }

  @Test func whatIsNoNumberFails() async throws {
    var confidence = Self.confidence
    confidence[0] = .nan
    #expect(failed(try await replay(Self.coordinates, confidence)).contains("NaN or infinity"))
    var coordinates = Self.coordinates
    coordinates[2] = .infinity
    #expect(failed(try await replay(coordinates, Self.confidence)).contains("NaN or infinity"))
  }

  @Test func aPictureWithoutObjectsHasNoBoxes() async throws {
    #expect(try await replay(reference: ([], [])) { _ in NamedOutputTests.boxes([], []) }.passed)
    let extra = try await replay(reference: ([], [])) { _ in
      NamedOutputTests.boxes([0.5, 0.5, 0.5, 0.5], [0, 0.5, 0])
    }
    #expect(failed(extra) == ["boxes too many"])
  }

  @Test func aRunThatFailsIsNamed() async throws {
    let error = await #expect(throws: ModelError.self) {
      try await replay { _ in throw InferenceError("out of memory") }
    }
    #expect(error?.reason.contains("out of memory") == true)
  }
}
