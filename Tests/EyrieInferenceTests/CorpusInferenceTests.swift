import Foundation
import Testing

@testable import EyrieInference

/// The models of the shared corpus, run: the numbers beside each come out, before any suppression.
@Suite(.enabled(if: Shared.hasCorpus, "\(Shared.skipped)"))
struct CorpusInferenceTests {
  struct Answer: Decodable {
    struct Result: Decodable {
      struct Detection: Decodable {
        var box: [Float]
        var score: Float
        var cls: Int
      }
      struct Settings: Decodable {
        var conf: Float
      }
      var settings: Settings
      var detections: [Detection]
      var image: Float?

      enum CodingKeys: String, CodingKey {
        case settings
        case detections = "detections_model_px"
        case image = "image_value_0_1"
      }
    }
    var results: [Result]
  }

  private func answer(_ name: String) throws -> Answer {
    let path = CorpusTests.path(name.replacing(".onnx", with: ".json"))
    return try JSONDecoder().decode(Answer.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
  }

  @Test(arguments: CorpusTests.detectors.filter { !$0.hasPrefix("locator") })
  func givesTheRightNumbers(_ name: String) async throws {
    let model = try ModelPackage.load(CorpusTests.path(name), expecting: .detect)
    let session = try OpenVINOBackend.compile(model, options: .exact)
    #expect(session.inputByteSize == session.inputWidth * session.inputHeight * 3)
    let lease = try await session.acquire()
    for result in try answer(name).results {
      let image = result.image ?? 0
      let value = UInt8((image * 255).rounded())
      lease.fill(red: value, green: value, blue: value)
      try await lease.infer()
      let candidates = try lease.withOutput(model.output.index) { view in
        #expect(view.shape == session.model.output.shape)
        #expect(view.elementType == model.output.elementType)
        return try #require(view.candidates(model.output))
      }
      // Every detection that survives suppression is one of the raw candidates.
      // (In the model whose boxes move by 100 pixels with the picture, by as much as a byte cannot say.)
      let tolerance = (model.output.elementType == .f16 ? 0.5 : 0.01) + 100 * abs(image - Float(value) / 255)
      for wanted in result.detections {
        let isThere = candidates.contains { found in
          found.cls == wanted.cls && abs(found.score - wanted.score) < 0.001
            && zip(found.box, wanted.box).allSatisfy { abs($0 - $1) < tolerance }
        }
        #expect(isThere, "\(name): \(wanted)")
      }
    }
  }

  @Test func locatorSeesRedGreenAndBlue() async throws {
    let model = try ModelPackage.load(CorpusTests.path("locator_640.onnx"))
    let session = try OpenVINOBackend.compile(model, options: .exact)
    // Two runs side by side, each with its own picture.
    async let first = locate(session, left: 64, red: true)
    async let second = locate(session, left: 320, red: false)
    let (red, blue) = try await (first, second)
    #expect(red.map(\.cls) == [0])
    #expect(blue.map(\.cls) == [2])
    #expect(red.first?.box == [64, 128, 164, 228])
    #expect(blue.first?.box == [320, 128, 420, 228])
  }

  /// Finds a square of 100 pixels at (left, 128) on black.
  private func locate(_ session: InferenceSession, left: Int, red: Bool) async throws -> [Candidate] {
    let lease = try await session.acquire()
    lease.fill(red: 0, green: 0, blue: 0)
    lease.withInput { bytes in
      for y in 128..<228 {
        for x in left..<left + 100 { bytes[y * session.inputRowStride + x * 3 + (red ? 0 : 2)] = 255 }
      }
    }
    try await lease.infer()
    let output = session.model.output
    return try lease.withOutput(output.index) { $0.candidates(output) } ?? []
  }

  @Test func notADetector() {
    let error = #expect(throws: ModelError.self) {
      try ModelPackage.load(CorpusTests.path("classifier_as_detector.onnx"), expecting: .detect)
    }
    #expect(error?.code == .wrongTask)
    #expect(error?.reason.contains("[1,1000]") == true)
  }

  @Test func truncated() {
    let error = #expect(throws: ModelError.self) { try ModelPackage.load(CorpusTests.path("truncated.onnx")) }
    #expect(error?.code == .corrupt)
  }

  @Test(arguments: ["crop_rgb_1x3x224.onnx", "crop_rgb_Nx3x224.onnx"])
  func cropClassifier(_ name: String) async throws {
    let model = try ModelPackage.load(CorpusTests.path(name))
    #expect(model.task == .classify)
    #expect(model.output.labels == ["red", "green", "blue"])
    let session = try OpenVINOBackend.compile(model, options: .exact)
    let lease = try await session.acquire()
    lease.fill(red: 0, green: 200, blue: 10)
    try await lease.infer()
    let scores = try lease.floats()
    #expect(scores.firstIndex(of: scores.max() ?? 0) == 1)
  }
}

/// A real detector, if it is there.
@Suite(.enabled(if: Shared.hasYOLO, "\(Shared.skipped)"))
struct YOLOTests {
  @Test func int8Export() async throws {
    let model = try ModelPackage.load(
      Shared.path("models/yolov8n_int8_openvino_model"), expecting: .detect)
    #expect(model.name == "yolov8n")
    #expect(model.precision == .int8)
    #expect(model.output.labels.count == 80)
    #expect(model.output.labels[9] == "traffic light")
    #expect(model.source.license?.hasPrefix("AGPL-3.0") == true)
    #expect(model.output.layout == .featuresFirst)
    let session = try await OpenVINOBackend.open(model.path, expecting: .detect)
    let lease = try await session.acquire()
    lease.fill(red: 114, green: 114, blue: 114)
    try await lease.infer()
    try lease.withOutput { view in
      #expect(view.shape == [1, 84, 8400])
      let isFinite = view.bytes.bindMemory(to: Float.self).allSatisfy { $0.isFinite }
      #expect(isFinite)
    }
  }
}

/// A raw candidate: corners in pixels of the input, best score, its class.
struct Candidate: Sendable {
  var box: [Float]
  var score: Float
  var cls: Int
}

extension TensorView {
  /// Every candidate with a finite score above 0.25.
  func candidates(_ output: ModelOutput) -> [Candidate]? {
    let values: [Float]
    switch elementType {
    case .f32: values = Array(bytes.bindMemory(to: Float.self))
    case .f16: values = bytes.bindMemory(to: UInt16.self).map { Float(Float16(bitPattern: $0)) }
    default: return nil
    }
    let (rows, columns) = (shape[1], shape[2])
    func row(_ index: Int) -> [Float] {
      output.layout == .featuresFirst
        ? (0..<rows).map { values[$0 * columns + index] }
        : Array(values[index * columns..<(index + 1) * columns])
    }
    return (0..<(output.layout == .featuresFirst ? columns : rows)).compactMap { index in
      let row = row(index)
      if output.layout == .endToEnd {
        return row[4] > 0.25 ? Candidate(box: Array(row[..<4]), score: row[4], cls: Int(row[5])) : nil
      }
      let scores = row[4...]
      guard let best = scores.max(), best > 0.25, best.isFinite, let cls = scores.firstIndex(of: best) else {
        return nil
      }
      let box = [row[0] - row[2] / 2, row[1] - row[3] / 2, row[0] + row[2] / 2, row[1] + row[3] / 2]
      return Candidate(box: box, score: best, cls: cls - 4)
    }
  }
}
