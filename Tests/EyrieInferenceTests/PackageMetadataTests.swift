import Foundation
import Testing

@testable import EyrieInference

/// `conversion_metadata.json`: what is read, and what is said about mistakes in it.
struct PackageMetadataTests {
  let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    _ = try TestModels.irDetector(features: 7, anchors: 84).write(to: directory, name: "model")
  }

  private static let whole = """
    {
      "schema": "eyrie.model/1", "name": "helmets", "task": "detect", "format": "openvino", "precision": "int8",
      "files": [{"path": "model.bin", "sha256": "00"}, {"path": "model.xml", "sha256": "ff", "more": 1},
        {"path": "golden.json", "sha256": "aa"}],
      "source": {"name": "helmets.pt", "sha256": "ab", "framework": "pytorch", "version": "2.1", "license": "MIT"},
      "input": {
        "name": "images", "width": 64, "height": 64, "channel_order": "bgr", "layout": "NCHW",
        "element_type": "float32", "resize": "stretch", "interpolation": "bicubic", "pad_value": 0, "mean": [0.1, 0.2, 0.3], "std": 2,
        "scale": 0.5, "embedded_preprocessing": false, "dynamic_spatial": false, "stride": 16, "later": {}
      },
      "output": {
        "kind": "yolo_grid", "names": ["output0"], "labels": ["a", "ß", "c"], "dimension": null,
        "normalized": null, "top_k": null
      },
      "nms": {"embedded": false, "confidence": 0.3, "iou": 0.6, "class_agnostic": true, "max_detections": 50},
      "coreml": {"compute_units": "cpu_and_ne", "minimum_deployment_target": "iOS15", "ane_optimized": true,
        "ane_report": {"operations": [{"name": "conv", "fits": true}]}},
      "validation": {"golden": "golden.json", "passed": true, "inputs": [1, "x", {"deep": [null]}],
        "reference": "torch 2.13", "max_abs_error": 1e-5, "agreement": {"top_1": 1.0}},
      "benchmark": {"fps": 3.5}, "created_at": "2026-01-01T00:00:00Z", "tools": {"openvino": "2026.4.1"}
    }
    """

  private func load(_ json: String) throws -> ModelDescription {
    try directory.write(json, "conversion_metadata.json")
    return try ModelPackage.load(directory.root)
  }

  @Test func filesAreComparedWithTheirDigests() throws {
    let digest = try SHA256.hexadecimal(ofFile: directory.path("model.bin"))
    func package(_ sha256: String, path: String = "model.bin") -> String {
      """
      {"schema": "eyrie.model/1", "task": "detect", "format": "openvino",
       "files": [{"path": "model.xml"}, {"path": "\(path)", "sha256": "\(sha256)"}]}
      """
    }
    #expect(try load(package(digest)).files.last?.sha256 == digest)
    #expect(try load(package(digest.uppercased())).name == "model")
    #expect(try load(package("")).name == "model")
    #expect(try load(package("ff")).notes.contains { $0.contains("sha256 of model.bin") })
    let other = String(digest.reversed())
    let error = #expect(throws: ModelError.self) { try load(package(other)) }
    #expect(error?.code == .corrupt)
    #expect(error?.path == directory.path("model.bin"))
    #expect(error?.reason.contains(digest.prefix(12)) == true)
    #expect(throws: ModelError.self) { try load(package(digest, path: "absent.bin")) }
    // One byte more.
    var bytes = try Data(contentsOf: URL(fileURLWithPath: directory.path("model.bin")))
    bytes.append(0)
    try directory.write(bytes, "model.bin")
    #expect(throws: ModelError.self) { try load(package(digest)) }
    // A bare file in the directory of its package is that package.
    #expect(throws: ModelError.self) { try ModelPackage.load(directory.path("model.xml")) }
  }

  @Test func everyField() throws {
    try directory.write("{}", "golden.json")
    let (graph, weights, golden) = (
      try SHA256.hexadecimal(ofFile: directory.path("model.xml")),
      try SHA256.hexadecimal(ofFile: directory.path("model.bin")),
      try SHA256.hexadecimal(ofFile: directory.path("golden.json"))
    )
    let model = try load(
      Self.whole.replacing("\"ff\"", with: "\"\(graph)\"").replacing("\"00\"", with: "\"\(weights)\"")
        .replacing("\"aa\"", with: "\"\(golden)\""))
    #expect(model.name == "helmets")
    #expect(model.task == .detect)
    #expect(model.precision == .int8)
    #expect(
      model.files == [
        ModelFile(path: "model.xml", sha256: graph), ModelFile(path: "model.bin", sha256: weights),
        ModelFile(path: "golden.json", sha256: golden),
      ])
    #expect(model.source.license == "MIT")
    #expect(model.source.framework == "pytorch")
    #expect(model.input.channelOrder == .bgr)
    #expect(model.input.resize == .stretch)
    #expect(model.input.padValue == 0)
    #expect(model.input.mean == [0.1, 0.2, 0.3])
    #expect(model.input.std == [2, 2, 2])
    #expect(model.input.scale == 0.5)
    #expect(model.input.stride == 16)
    #expect(model.output.labels == ["a", "ß", "c"])
    #expect(model.nms.confidence == 0.3)
    #expect(model.nms.iou == 0.6)
    #expect(model.nms.classAgnostic == true)
    #expect(model.nms.maxDetections == 50)
    #expect(model.notes.isEmpty, "\(model.notes)")
    #expect(model.input.interpolation == .bicubic)
    #expect(model.packageDirectory == directory.root)
    #expect(model.validation?.reference == "torch 2.13")
    #expect(
      model.validation?.inputs == .array([.integer(1), .string("x"), .object(["deep": .array([.null])])]))
    #expect(model.validation?.maxAbsError == .number(1e-5))
    #expect(model.validation?.agreement == .object(["top_1": .integer(1)]))
    #expect(model.validation?.passed == true)
    #expect(model.validation?.golden == "golden.json")
    #expect(model.coreml?.computeUnits == .cpuAndNeuralEngine)
    #expect(model.coreml?.minimumDeploymentTarget == "iOS15")
    #expect(model.coreml?.aneOptimized == true)
    #expect(model.coreml?.aneReport != nil)
    #expect(model.benchmark == .object(["fps": .number(3.5)]))
    #expect(model.createdAt == "2026-01-01T00:00:00Z")
    #expect(model.tools == .object(["openvino": .string("2026.4.1")]))
    let json = try JSONEncoder().encode(model)
    #expect(try JSONDecoder().decode(ModelDescription.self, from: json) == model)
  }

  @Test func whatOnlyPeopleReadMayBeAnything() throws {
    let model = try load(
      #"{"schema": "eyrie.model/1", "task": "detect", "format": "openvino", "created_at": 7, "tools": [null], "#
        + #""benchmark": "fast", "validation": {"reference": 1, "max_abs_error": {"boxes": 0.1}}, "coreml": {}}"#
    )
    #expect(model.createdAt == nil)
    #expect(model.tools == .array([.null]))
    #expect(model.benchmark == .string("fast"))
    #expect(model.validation?.maxAbsError == .object(["boxes": .number(0.1)]))
  }

  @Test func aPackageThatFailedItsOwnCheckIsDescribedAndNotRun() throws {
    let model = try load(
      #"{"schema": "eyrie.model/1", "task": "detect", "format": "openvino", "validation": {"passed": false, "max_abs_error": 0.5}}"#
    )
    #expect(model.validation?.passed == false)
    let error = #expect(throws: ModelError.self) { try OpenVINOBackend.compile(model) }
    #expect(error?.code == .failedValidation)
    #expect(error?.reason.contains("validation.passed is false") == true)
    #expect(error?.reason.contains("0.5") == true)
  }

  @Test func aGoldenFileThatIsNotComparedIsNoted() throws {
    let least = #"{"schema": "eyrie.model/1", "task": "detect", "format": "openvino""#
    #expect(try load(least + "}").notes.contains { $0.contains("no golden file") })
    let noted = try load(least + #", "validation": {"golden": "golden.safetensors"}}"#)
    #expect(noted.notes.contains { $0.contains("golden.safetensors has no sha256") })
  }

  @Test func theModelFileLeadsToItsPackage() throws {
    try directory.write(Self.whole, "conversion_metadata.json")
    for path in [directory.path("model.xml"), directory.path("conversion_metadata.json")] {
      #expect(try ModelPackage.load(path).name == "helmets")
    }
  }

  @Test func theLeastThatIsNeeded() throws {
    let model = try load(#"{"schema": "eyrie.model/1", "task": "detect", "format": "openvino"}"#)
    #expect(model.output.classCount == 3)
    #expect(model.notes.contains { $0.contains("class_0") })
  }

  struct Mistake: Sendable, CustomTestStringConvertible {
    var old: String
    var new: String
    var says: String
    var testDescription: String { new }
  }

  static let mistakes = [
    Mistake(old: "eyrie.model/1", new: "eyrie.model/9", says: "schema is \"eyrie.model/9\""),
    Mistake(old: "\"schema\":", new: "\"scheme\":", says: "schema is missing"),
    Mistake(old: "\"task\": \"detect\",", new: "", says: "task is missing"),
    Mistake(old: "\"detect\"", new: "\"segment\"", says: "task is \"segment\", not one of detect"),
    Mistake(old: "\"openvino\"", new: "\"tensorrt\"", says: "format is \"tensorrt\""),
    Mistake(old: "\"bgr\"", new: "\"yuv\"", says: "input.channel_order is \"yuv\", not one of rgb, bgr"),
    Mistake(old: "\"width\": 64", new: "\"width\": \"64\"", says: "input.width is no number"),
    Mistake(old: "\"width\": 64", new: "\"width\": 32", says: "input.width is 32, which contradicts"),
    Mistake(old: "\"width\": 64", new: "\"width\": 64.5", says: "input.width is 64.5, not a whole number"),
    Mistake(old: "\"width\": 64", new: "\"width\": 0", says: "input.width is 0"),
    Mistake(old: "\"width\": 64", new: "\"width\": 1e99", says: "input.width is 1e+99"),
    Mistake(old: "NCHW", new: "NHWC", says: "input.layout is nhwc, which contradicts"),
    Mistake(old: "\"scale\": 0.5", new: "\"scale\": 255", says: "input.scale is 255"),
    Mistake(old: "\"std\": 2", new: "\"std\": [1, 0, 1]", says: "input.std has a zero"),
    Mistake(old: "[0.1, 0.2, 0.3]", new: "[0.1, 0.2]", says: "input.mean has 2 values"),
    Mistake(old: "\"pad_value\": 0", new: "\"pad_value\": 999", says: "input.pad_value is 999"),
    Mistake(old: "\"stride\": 16", new: "\"stride\": -1", says: "input.stride is -1"),
    Mistake(old: "[\"a\", \"ß\", \"c\"]", new: "[\"a\", \"b\"]", says: "[1,7,84]"),
    Mistake(old: "[\"a\", \"ß\", \"c\"]", new: "7", says: "output.labels is neither"),
    Mistake(old: "\"yolo_grid\"", new: "\"logits\"", says: "output.kind is \"logits\""),
    Mistake(old: "\"yolo_grid\"", new: "\"yolo_end_to_end\"", says: "[1,7,84]"),
    Mistake(old: "\"confidence\": 0.3", new: "\"confidence\": 7", says: "nms.confidence is 7"),
    Mistake(old: "\"max_detections\": 50", new: "\"max_detections\": 0", says: "nms.max_detections is 0"),
    Mistake(old: "\"model.xml\"", new: "\"../model.xml\"", says: "files.path"),
    Mistake(old: "\"model.xml\"", new: "\"/etc/passwd\"", says: "files.path"),
    Mistake(old: "\"model.xml\"", new: "\"other.xml\"", says: "other.xml: no such file"),
    Mistake(old: "\"model.xml\"", new: "\"model.onnx\"", says: "names no openvino model"),
    Mistake(old: "\"bicubic\"", new: "\"lanczos\"", says: "input.interpolation is \"lanczos\""),
    Mistake(old: "\"golden.json\", \"passed\"", new: "\"../x\", \"passed\"", says: "validation.golden"),
    Mistake(old: "\"golden.json\", \"passed\"", new: "7, \"passed\"", says: "validation.golden is no text"),
    Mistake(
      old: "\"passed\": true", new: "\"passed\": \"yes\"", says: "validation.passed is no true or false"),
    Mistake(old: "cpu_and_ne", new: "tpu", says: "coreml.compute_units is \"tpu\""),
    Mistake(old: "{\n  \"schema\"", new: "{{\n \"schema\"", says: "is no JSON that can be read"),
  ]

  @Test(arguments: mistakes)
  func mistakesAreNamed(_ mistake: Mistake) throws {
    #expect(Self.whole.contains(mistake.old))
    let error = #expect(throws: ModelError.self) {
      try load(Self.whole.replacing(mistake.old, with: mistake.new, maxReplacements: 1))
    }
    let text = try #require(error).description
    #expect(text.contains(mistake.says), "\(text)")
    #expect(!text.contains("\n"))
  }

  @Test func damageEndsInAnError() throws {
    for length in stride(from: 0, to: Self.whole.utf8.count - 1, by: 37) {
      #expect(throws: ModelError.self) {
        try load(String(decoding: Self.whole.utf8.prefix(length), as: UTF8.self))
      }
    }
  }

  @Test func labelsAsAnObject() throws {
    let model = try load(
      Self.whole.replacing("[\"a\", \"ß\", \"c\"]", with: #"{"0": "x", "2": "z", "1": "y"}"#))
    #expect(model.output.labels == ["x", "y", "z"])
  }
}
