import Foundation
import Testing

@testable import EyrieInference

/// The models of the shared corpus, each with the right description beside it.
@Suite(.enabled(if: Shared.hasCorpus, "\(Shared.skipped)"))
struct CorpusTests {
  /// What `NAME.json` says about `NAME.onnx`.
  struct Expectation: Decodable {
    var inputSize: [Int]?
    var layout: String?
    var classes: Int?

    enum CodingKeys: String, CodingKey {
      case inputSize = "input_hw"
      case layout = "output_layout"
      case classes
    }
  }

  static let detectors: [String] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: Shared.path("corpus/models"))) ?? []
    let refused: Set = ["truncated.onnx", "classifier_as_detector.onnx"]
    return names.filter { $0.hasSuffix(".onnx") && !refused.contains($0) && !$0.hasPrefix("crop_") }.sorted()
  }()

  static func path(_ name: String) -> String { Shared.path("corpus/models/\(name)") }

  @Test(arguments: detectors)
  func describesDetector(_ name: String) throws {
    let json = Data(
      referencing: try NSData(contentsOfFile: Self.path(name.replacing(".onnx", with: ".json"))))
    let expected = try JSONDecoder().decode(Expectation.self, from: json)
    let model = try ModelPackage.load(Self.path(name), expecting: .detect)
    #expect(model.input.height == expected.inputSize?.first)
    #expect(model.input.width == expected.inputSize?.last)
    #expect(model.output.labels.count == expected.classes)
    #expect(model.output.classCount == expected.classes)
    let layouts = [
      "features-first": DetectionLayout.featuresFirst, "anchors-first": .anchorsFirst, "nms-free": .endToEnd,
    ]
    #expect(model.output.layout == expected.layout.flatMap { layouts[$0] })
    #expect(model.nms.embedded == (expected.layout == "nms-free"))
    #expect(!model.output.objectness)
    let takesBytes = name.hasPrefix("u8in")
    #expect(model.input.elementType == (takesBytes ? .u8 : .f32))
    #expect(model.input.scale == (takesBytes ? 1 : 1.0 / 255))
    #expect(model.output.elementType == (name.hasPrefix("fp16out") ? .f16 : .f32))
    #expect(model.input.dynamicBatch == name.hasPrefix("batchdyn"))
    #expect(model.input.dynamicSpatial == name.hasPrefix("dynhw"))
  }

  @Test func keepsUnusualNames() throws {
    let model = try ModelPackage.load(Self.path("unicode3_1x7x8400.onnx"))
    #expect(model.output.labels.prefix(2) == ["голова", "安全帽"])
    #expect(model.output.labels.last == "l'œil \"sûr\"")
  }
}
