import EyrieTestSupport
import Foundation
import Testing

@testable import EyrieInference

/// Finding and describing a model, from whatever path and with whatever metadata.
struct ModelPackageTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private static let labels = "{0: 'a', 1: 'b', 2: 'c'}"

  private func onnx(_ model: ONNXBuilder, _ name: String = "model.onnx") throws -> String {
    try directory.write(model.data(), name)
  }

  private func failure(_ path: String, expecting task: ModelTask? = nil) throws -> ModelError {
    let error = #expect(throws: ModelError.self) { try ModelPackage.load(path, expecting: task) }
    let found = try #require(error)
    #expect(!found.description.contains("\n"))
    return found
  }

  // MARK: Bare models

  @Test func bareONNXWithMetadata() throws {
    let path = try onnx(
      TestModels.detector(output: [1, 7, 84], metadata: [("names", Self.labels), ("task", "detect")]))
    let model = try ModelPackage.load(path, expecting: .detect)
    #expect(model.name == "model")
    #expect(model.format == .onnx)
    #expect(model.output.labels == ["a", "b", "c"])
    #expect(model.output.layout == .featuresFirst)
    #expect(model.output.kind == .yoloGrid)
    #expect(model.input.stride == 32)
    #expect(model.input.padValue == 114)
    #expect(model.input.resize == .letterbox)
    #expect(model.files == [ModelFile(path: "model.onnx", sha256: nil)])
    #expect(!model.nms.embedded)
  }

  @Test func bareONNXWithoutMetadata() throws {
    let model = try ModelPackage.load(try onnx(TestModels.detector(output: [1, 84, 7])))
    #expect(model.task == .detect)
    #expect(model.output.layout == .anchorsFirst)
    #expect(model.output.labels == ["class_0", "class_1", "class_2"])
    let notes = model.notes.joined(separator: "\n")
    for inferred in ["task detect", "read as 84 anchors", "class_0", "rgb", "0…1"] {
      #expect(notes.contains(inferred), "\(inferred) in \(notes)")
    }
  }

  @Test func dynamicSizeIsTakenFromTheMetadata() throws {
    let model = try ModelPackage.load(
      try onnx(
        TestModels.detector(input: [-1, 3, -1, -1], output: [1, 7, 84], metadata: [("imgsz", "[64, 96]")])))
    #expect(model.input.width == 96)
    #expect(model.input.height == 64)
    #expect(model.input.dynamicSpatial)
    #expect(model.input.dynamicBatch)
    #expect(model.output.shape == [1, 7, 84])
    let unnamed = try ModelPackage.load(
      try onnx(TestModels.detector(input: [1, 3, -1, 640], output: [1, 84, 8400])))
    #expect(unnamed.input.height == 640)
    #expect(unnamed.notes.contains { $0.contains("the usual 640") })
  }

  @Test func fixedSizeWinsOverTheMetadata() throws {
    let model = try ModelPackage.load(
      try onnx(TestModels.detector(output: [1, 7, 84], metadata: [("imgsz", "[640, 640]")])))
    #expect(model.input.width == 64)
    #expect(model.notes.contains { $0.contains("fixed at 64") })
  }

  @Test func endToEndOfTwoClasses() throws {
    let names = [(key: "names", value: "{0: 'a', 1: 'b'}")]
    let rows = try ModelPackage.load(try onnx(TestModels.detector(output: [1, 300, 6], metadata: names)))
    #expect(rows.output.kind == .yoloEndToEnd)
    #expect(rows.nms.embedded)
    let grid = try ModelPackage.load(try onnx(TestModels.detector(output: [1, 84, 6], metadata: names)))
    #expect(grid.output.layout == .anchorsFirst)
    #expect(grid.output.kind == .yoloGrid)
  }

  @Test func objectnessIsSaid() throws {
    let model = try ModelPackage.load(
      try onnx(TestModels.detector(output: [1, 252, 8], metadata: [("names", Self.labels)])))
    #expect(model.output.objectness)
    #expect(model.output.classCount == 3)
    #expect(model.notes.contains { $0.contains("objectness") })
  }

  @Test func classifierIsNoDetector() throws {
    let path = try onnx(TestModels.channelMeans())
    let error = try failure(path, expecting: .detect)
    #expect(error.code == .wrongTask)
    #expect(error.reason.contains("[1,3]"))
    let unnamed = try failure(try onnx(TestModels.channelMeans(metadata: [])), expecting: .detect)
    #expect(unnamed.code == .unsupportedModel)
    #expect(unnamed.reason.contains("[1,3]"))
    let model = try ModelPackage.load(try onnx(TestModels.channelMeans(metadata: [])))
    #expect(model.task == .classify)
    #expect(model.output.kind == .logits)
  }

  @Test(arguments: ["segment", "pose", "obb"])
  func otherTasksAreRefused(_ task: String) throws {
    let path = try onnx(TestModels.detector(output: [1, 56, 84], metadata: [("task", task)]))
    let error = try failure(path)
    #expect(error.code == .wrongTask)
    #expect(error.reason.contains(task))
  }

  @Test func labelsThatDoNotFit() throws {
    let path = try onnx(TestModels.detector(output: [1, 39, 84], metadata: [("names", Self.labels)]))
    let error = try failure(path, expecting: .detect)
    #expect(error.code == .unsupportedModel)
    #expect(error.reason.contains("[1,39,84]"))
    #expect(error.reason.contains("3 classes"))
  }

  @Test func inputsThatAreNoPicture() throws {
    for shape in [[1, 3], [1, 4, 64, 64], [1, 1, 64, 64], [3, 64, 64], [1, 3, 64, 64, 1]] {
      let error = try failure(try onnx(TestModels.detector(input: shape, output: [1, 7, 84])))
      #expect(error.code == .unsupportedModel, "\(shape)")
      #expect(error.reason.contains(shapeText(shape)), "\(error)")
    }
    let error = try failure(try onnx(TestModels.detector(type: .i64, output: [1, 7, 84])))
    #expect(error.reason.contains("i64"))
    var two = TestModels.detector(output: [1, 7, 84])
    two.input("sizes", .f32, [1, 2])
    two.node("Identity", ["sizes"], "sizes_out")
    two.output("sizes_out", .f32, [1, 2])
    #expect(try failure(try onnx(two)).reason.contains("2 inputs"))
  }

  @Test func severalOutputs() throws {
    var both = TestModels.detector(output: [1, 7, 84], metadata: [("names", Self.labels)])
    both.constant("other_shape", [1, 84, 7])
    both.node("Expand", ["mean", "other_shape"], "other")
    both.output("other", .f32, [1, 84, 7])
    let path = try onnx(both)
    let error = try failure(path)
    #expect(error.code == .unsupportedModel)
    #expect(error.reason.contains("output0 [1,7,84]"))
    // The package may name one.
    try directory.write(
      """
      {"schema": "eyrie.model/1", "task": "detect", "format": "onnx", "output": {"names": ["other"], "labels": ["a", "b", "c"]}}
      """, "conversion_metadata.json")
    let model = try ModelPackage.load(directory.root)
    #expect(model.output.index == 1)
    #expect(model.output.layout == .anchorsFirst)

    var extra = TestModels.detector(output: [1, 7, 84], metadata: [("names", Self.labels)])
    extra.node("Identity", ["mean"], "scalar")
    extra.output("scalar", .f32, [])
    let single = try ModelPackage.load(try onnx(extra, "other/model.onnx"))
    #expect(single.output.index == 0)
    #expect(single.notes.contains { $0.contains("holds the detections") })
  }

  @Test func masksWithoutLabels() throws {
    var model = TestModels.detector(output: [1, 39, 84])
    model.constant("mask_shape", [1, 32, 16, 16])
    model.node("Expand", ["mean", "mask_shape"], "masks")
    model.output("masks", .f32, [1, 32, 16, 16])
    #expect(try failure(try onnx(model), expecting: .detect).reason.contains("masks"))
  }

  @Test func integerOutputIsRefused() throws {
    let error = try failure(try onnx(TestModels.detector(output: [1, 7, 84], outputType: .i64)))
    #expect(error.reason.contains("i64"))
  }

  @Test func outputTooLargeToBeMeant() throws {
    let error = try failure(try onnx(TestModels.detector(output: [1, 7, 900_000_000])))
    #expect(error.code == .corrupt)
    #expect(error.reason.contains("too large"))
  }

  // MARK: OpenVINO IR

  @Test func irWithModelInfo() throws {
    var ir = TestModels.irDetector(features: 7, anchors: 84)
    ir.modelInfo = [
      ("labels", "head hard_hat vest"), ("reverse_input_channels", "YES"), ("scale_values", "255"),
      ("iou_threshold", "0.7"),
    ]
    let model = try ModelPackage.load(try ir.write(to: directory))
    #expect(model.format == .openvino)
    #expect(model.precision == .float32)
    #expect(model.output.labels == ["head", "hard_hat", "vest"])
    #expect(model.input.scale == 1.0 / 255)
    #expect(model.input.channelOrder == .rgb)
    #expect(model.nms.iou == nil)
    #expect(model.files.map(\.path) == ["model.xml", "model.bin"])
  }

  @Test func exportedDirectory() throws {
    _ = try TestModels.irDetector(features: 7, anchors: 84).write(to: directory, name: "best")
    try directory.write(
      "task: detect\nstride: 32\nimgsz: [64, 64]\nnames: {0: tête, 1: 'no', 2: x}\nlicense: AGPL-3.0\nauthor: Ultralytics\n",
      "metadata.yaml")
    for path in [
      directory.root, directory.root + "/", directory.path("best.xml"), directory.path("metadata.yaml"),
    ] {
      let model = try ModelPackage.load(path, expecting: .detect)
      #expect(model.name == "best")
      #expect(model.output.labels == ["tête", "no", "x"])
      #expect(model.source.license == "AGPL-3.0")
    }
  }

  @Test func metadataOfAnotherModelIsNotUsed() throws {
    _ = try TestModels.irDetector(features: 7, anchors: 84).write(to: directory, name: "a")
    _ = try TestModels.irDetector(features: 9, anchors: 84).write(to: directory, name: "b")
    try directory.write("names: {0: x, 1: y, 2: z}\n", "metadata.yaml")
    let model = try ModelPackage.load(directory.path("b.xml"))
    #expect(model.output.classCount == 5)
    #expect(model.notes.contains { $0.contains("metadata.yaml") })
  }

  // MARK: Paths

  @Test func wrongPaths() throws {
    #expect(try failure("").code == .unreadable)
    #expect(try failure(directory.path("nothing.onnx")).reason == "no such file or directory")
    #expect(try failure(directory.root).code == .noSingleModel)
    for (name, hint) in [
      ("model.pt", "yolo export"), ("model.bin", ".xml"), ("model.mlmodel", "Core ML"),
      ("model.engine", ".engine"),
      ("model", "no file extension"),
    ] {
      let error = try failure(try directory.write("x", name))
      #expect(error.code == .unsupportedFormat, "\(error)")
      #expect(error.reason.contains(hint), "\(error)")
    }
    #expect(try failure(directory.root).reason.contains("PyTorch checkpoint"))
    try directory.write("x", "net.mlpackage/Manifest.json")
    #expect(try failure(directory.path("net.mlpackage")).reason.contains("Apple"))
  }

  @Test func severalModelsInADirectory() throws {
    _ = try TestModels.irDetector(features: 7, anchors: 84).write(to: directory, name: "a")
    _ = try onnx(TestModels.detector(output: [1, 7, 84]), "b.onnx")
    let error = try failure(directory.root)
    #expect(error.code == .noSingleModel)
    #expect(error.reason.contains("a.xml, b.onnx"))
  }

  // MARK: JSON for people

  @Test func descriptionSurvivesJSON() throws {
    let model = try ModelPackage.load(try onnx(TestModels.detector(output: [1, 7, 84])))
    let json = try JSONEncoder().encode(model)
    #expect(try JSONDecoder().decode(ModelDescription.self, from: json) == model)
    let text = String(decoding: json, as: UTF8.self)
    for key in ["channel_order", "pad_value", "embedded_preprocessing", "class_count", "yolo_grid"] {
      #expect(text.contains(key))
    }
  }
}
