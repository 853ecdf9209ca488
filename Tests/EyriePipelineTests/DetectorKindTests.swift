import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieTestSupport
import Foundation
import Testing

@testable import EyriePipeline

/// Every kind of detection head that must work, and some that must be refused, as models made on the spot: a
/// constant output, run by the real backend on a black picture.
@Suite("Kinds of detectors", .timeLimit(.minutes(2)))
struct DetectorKindTests {
  /// How the values of an anchor or a row are arranged.
  enum Form: Sendable {
    case featuresFirst, anchorsFirst
    case endToEnd
  }

  /// A model that finds class `first` at (16, 8) of 32×40 with 0.9 and, where it has one, class `second` at
  /// (4, 40) of 8×16 with 0.6.
  struct Kind: Sendable, CustomTestStringConvertible {
    var name: String
    var form = Form.featuresFirst
    var anchors = 84
    var classes = 2
    var objectness = false
    var fractions = false
    var input = [1, 3, 64, 64]
    var inputType = ONNXBuilder.DataType.f32
    var outputType = ONNXBuilder.DataType.f32
    /// Another shape for the same numbers.
    var shape: [Int]?
    var labels: String? = "{0: 'first', 1: 'second'}"
    var task: String? = "detect"

    var testDescription: String { name }

    /// One row per anchor.
    var rows: [[Float]] {
      let boxes: [([Float], Int, Float)] = [
        ([32, 28, 32, 40], 0, 0.9), ([33, 28, 32, 40], 0, 0.8), ([8, 48, 8, 16], 1, 0.6),
        ([60, 60, 4, 4], 0, 0.2),
      ]
      var rows: [[Float]] = []
      for (box, classID, score) in boxes where classID < classes {
        var box = fractions ? box.map { $0 / 64 } : box
        if form == .endToEnd {
          box = [box[0] - box[2] / 2, box[1] - box[3] / 2, box[0] + box[2] / 2, box[1] + box[3] / 2]
          // What an end-to-end head suppresses, it does not give.
          if score != 0.8 { rows.append(box + [score, Float(classID)]) }
          continue
        }
        var scores = [Float](repeating: 0, count: classes)
        scores[classID] = objectness ? score / 0.95 : score
        rows.append(box + (objectness ? [0.95] : []) + scores)
      }
      // Anchors without an object, but sure of their class.
      let nothing = [Float](repeating: 0, count: rows[0].count)
      let background: [Float] = [20, 20, 9, 9, 0.01] + [Float](repeating: 0.99, count: classes)
      rows += Array(repeating: objectness ? background : nothing, count: max(0, anchors - rows.count))
      return Array(rows.prefix(anchors))
    }

    func model() -> Data {
      let rows = rows
      let features = rows.first?.count ?? 6
      let values =
        form == .featuresFirst
        ? (0..<features).flatMap { feature in rows.map { $0[feature] } } : rows.flatMap { $0 }
      let usual = form == .featuresFirst ? [1, features, rows.count] : [1, rows.count, features]
      return DetectorKindTests.model(
        input: input, inputType: inputType, outputs: [(shape ?? usual, values)], outputType: outputType,
        metadata: [("task", task), ("names", labels)])
    }
  }

  /// A model whose outputs are constants.
  static func model(
    input: [Int] = [1, 3, 64, 64], inputType: ONNXBuilder.DataType = .f32,
    outputs: [(shape: [Int], values: [Float])], outputType: ONNXBuilder.DataType = .f32,
    metadata: [(key: String, value: String?)]
  ) -> Data {
    var model = ONNXBuilder()
    model.metadata = metadata.compactMap { entry in entry.value.map { (entry.key, $0) } }
    model.input("images", inputType, input)
    model.node("Cast", ["images"], "float", integers: ["to": 1])
    model.node("ReduceMean", ["float"], "mean", integers: ["keepdims": 0])
    model.constant("none", shape: [], [0])
    model.node("Mul", ["mean", "none"], "zero")
    for (index, output) in outputs.enumerated() {
      model.constant("values\(index)", shape: output.shape, output.values)
      model.node("Add", ["values\(index)", "zero"], "sum\(index)")
      model.node("Cast", ["sum\(index)"], "output\(index)", integers: ["to": Int(outputType.rawValue)])
      model.output("output\(index)", outputType, output.shape)
    }
    return model.data()
  }

  static let kinds: [Kind] = [
    Kind(name: "features first"),
    Kind(name: "anchors first, two classes: six values", form: .anchorsFirst),
    Kind(name: "one class", classes: 1, labels: "['first']"),
    Kind(name: "one class, anchors first", form: .anchorsFirst, classes: 1, labels: "['first']"),
    Kind(name: "more values than anchors", classes: 200, labels: nil),
    Kind(name: "f16", outputType: .f16),
    Kind(name: "f64", outputType: .f64),
    Kind(name: "f64, anchors first", form: .anchorsFirst, outputType: .f64),
    Kind(name: "bytes", inputType: .u8),
    Kind(name: "NHWC", input: [1, 64, 64, 3]),
    Kind(name: "NHWC bytes", input: [1, 64, 64, 3], inputType: .u8),
    Kind(name: "dynamic batch", input: [-1, 3, 64, 64]),
    Kind(name: "objectness, anchors first", form: .anchorsFirst, anchors: 252, objectness: true),
    Kind(name: "objectness, features first", anchors: 252, objectness: true),
    Kind(name: "objectness, f16", anchors: 252, objectness: true, outputType: .f16),
    Kind(
      name: "objectness, one class: six values", form: .anchorsFirst, anchors: 252, classes: 1,
      objectness: true, labels: "['first']"),
    Kind(
      name: "objectness without metadata", form: .anchorsFirst, anchors: 252, objectness: true, labels: nil,
      task: nil),
    Kind(name: "objectness, one anchor a cell", form: .anchorsFirst, objectness: true),
    Kind(name: "end to end", form: .endToEnd, anchors: 300),
    Kind(name: "end to end, few rows", form: .endToEnd, anchors: 3),
    Kind(name: "end to end, f16", form: .endToEnd, anchors: 100, outputType: .f16),
    Kind(name: "end to end without metadata", form: .endToEnd, anchors: 100, labels: nil, task: nil),
    Kind(name: "four axes", shape: [1, 1, 6, 84]),
    Kind(name: "four axes, the last too many", shape: [1, 6, 84, 1]),
    Kind(name: "four axes without metadata", shape: [1, 1, 6, 84], labels: nil, task: nil),
    Kind(name: "two axes", shape: [6, 84]),
    Kind(name: "two axes, end to end", form: .endToEnd, anchors: 30, shape: [30, 6]),
    Kind(name: "fractions", fractions: true),
    Kind(name: "fractions, end to end", form: .endToEnd, anchors: 300, fractions: true),
    Kind(
      name: "fractions of RT-DETR", form: .anchorsFirst, anchors: 300, classes: 80, fractions: true,
      labels: "{0: 'first', 1: 'second', 79: 'last'}"),
  ]

  @Test("give the right boxes", arguments: kinds)
  func boxes(kind: Kind) async throws {
    let found = try await detections(of: kind.model())
    var expected: [(classID: Int, label: String, confidence: Double, box: [Double])] = [
      (0, kind.labels == nil ? "class_0" : "first", 0.9, [16, 8, 32, 40])
    ]
    if kind.classes > 1 {
      expected.append((1, kind.labels == nil ? "class_1" : "second", 0.6, [4, 40, 8, 16]))
    }
    #expect(found.count == expected.count)
    for (detection, wanted) in zip(found, expected) {
      #expect(detection.classID == wanted.classID)
      #expect(detection.label == wanted.label)
      #expect(abs(detection.confidence - wanted.confidence) < 2e-3)
      let box = [detection.box.x, detection.box.y, detection.box.width, detection.box.height]
      #expect(zip(box, wanted.box).allSatisfy { abs($0 - $1) < 0.1 }, "\(box)")
    }
  }

  private func detections(of model: Data, package: String? = nil) async throws -> [EyrieEvents.Detection] {
    let scratch = try Scratch()
    let picture = scratch.path("black.ppm")
    try await Clip.blackPicture(picture, width: 64, height: 64)
    var options = RunOptions(input: picture, model: try scratch.write(Array(model), to: "model.onnx"))
    if let package { _ = try scratch.write(Array(package.utf8), to: "conversion_metadata.json") }
    options.precision = .f32
    options.jsonl = scratch.path("events.jsonl")
    _ = try await DetectionRun(options).run(stop: StopSignal(), reporter: .silent)
    return try #require(try EventLog(path: scratch.path("events.jsonl")).detections.first).detections
  }

  @Test("take a package's word for an objectness that the shape does not tell")
  func statedObjectness() async throws {
    let model = Kind(name: "", classes: 3, objectness: true, labels: "['a', 'b', 'c']").model()
    let failure = await #expect(throws: EyrieFailure.self) { _ = try await detections(of: model) }
    #expect(failure?.description.contains("output.objectness") == true)
    let found = try await detections(
      of: model,
      package: """
        {"schema": "eyrie.model/1", "task": "detect", "format": "onnx",
         "output": {"labels": ["a", "b", "c"], "objectness": true}}
        """)
    #expect(found.map(\.label) == ["a", "b"])
    #expect(zip(found, [0.9, 0.6]).allSatisfy { abs($0.confidence - $1) < 1e-3 })
  }

  @Test("say when boxes were taken for fractions")
  func note() async throws {
    let scratch = try Scratch()
    let picture = scratch.path("black.ppm")
    try await Clip.blackPicture(picture, width: 64, height: 64)
    let model = try scratch.write(Array(Kind(name: "fractions", fractions: true).model()), to: "model.onnx")
    let lines = Lines()
    let run = try DetectionRun(RunOptions(input: picture, model: model))
    _ = try await run.run(stop: StopSignal(), reporter: RunReporter(log: { lines.add($0) }))
    #expect(lines.all.count { $0.contains("fractions") } == 1)
  }

  struct Refused: Sendable, CustomTestStringConvertible {
    var name: String
    var shapes: [[Int]]
    var labels: Int?
    var type = ONNXBuilder.DataType.f32
    var task: String? = "detect"
    /// What the message must name.
    var hint: String

    var testDescription: String { name }
  }

  static let refused: [Refused] = [
    Refused(
      name: "feature maps of YOLOv5", shapes: [[1, 3, 8, 8, 7], [1, 3, 4, 4, 7], [1, 3, 2, 2, 7]], labels: 2,
      hint: "export.py"),
    Refused(
      name: "feature maps, four axes", shapes: [[1, 21, 8, 8], [1, 21, 4, 4], [1, 21, 2, 2]],
      hint: "export.py"),
    Refused(name: "whole numbers", shapes: [[1, 6, 84]], labels: 2, type: .i64, hint: "i64"),
    Refused(name: "a label too few", shapes: [[1, 7, 84]], labels: 2, hint: "with 2 classes"),
    Refused(name: "a label too many", shapes: [[1, 6, 84]], labels: 3, hint: "with 3 classes"),
    Refused(
      name: "segmentation", shapes: [[1, 38, 84], [1, 32, 16, 16]], labels: 2, task: nil, hint: "segmentation"
    ),
    Refused(
      name: "segmentation without metadata", shapes: [[1, 116, 84], [1, 32, 16, 16]], task: nil, hint: "mask"),
    Refused(
      name: "segmentation, says so", shapes: [[1, 38, 84]], labels: 2, task: "segment", hint: "segment"),
    Refused(name: "pose", shapes: [[1, 56, 84]], labels: 1, task: nil, hint: "pose"),
    Refused(name: "pose without metadata", shapes: [[1, 56, 84]], task: nil, hint: "key points"),
    Refused(name: "oriented boxes", shapes: [[1, 20, 84]], labels: 15, task: nil, hint: "oriented"),
    Refused(name: "YOLOX without metadata", shapes: [[1, 85, 84]], task: nil, hint: "YOLOX"),
    Refused(name: "rows or anchors", shapes: [[1, 3000, 6]], labels: 2, hint: "output.layout"),
    Refused(name: "SSD", shapes: [[1, 1, 100, 7]], labels: 3, hint: "[1,1,100,7]"),
    Refused(
      name: "boxes and scores apart", shapes: [[1, 100, 4], [1, 100, 91]], labels: 90, hint: "[1,100,4]"),
    Refused(name: "a classifier", shapes: [[1, 1000]], labels: 996, hint: "[1,1000]"),
    Refused(name: "one number", shapes: [[]], hint: "no detector"),
    Refused(name: "two heads alike", shapes: [[1, 6, 84], [1, 6, 84]], labels: 2, hint: "output.names"),
  ]

  @Test("are refused in one line where they cannot be read", arguments: refused)
  func refusals(kind: Refused) async throws {
    let names = kind.labels.map { "[" + (0..<$0).map { "'n\($0)'" }.joined(separator: ", ") + "]" }
    let outputs = kind.shapes.map { shape in
      (shape: shape, values: [Float](repeating: 0.5, count: shape.reduce(1, *)))
    }
    let model = Self.model(
      outputs: outputs, outputType: kind.type, metadata: [("task", kind.task), ("names", names)])
    let failure = await #expect(throws: EyrieFailure.self) { _ = try await detections(of: model) }
    #expect(failure?.kind == .usage)
    #expect(failure?.description.contains("model.onnx") == true)
    #expect(failure?.description.contains(kind.hint) == true, "\(failure?.description ?? "")")
    #expect(failure?.description.contains("\n") == false)
  }
}
