import EyrieTestSupport
import Foundation
import Testing

@testable import EyrieInference

/// Metadata that exporters write, and what becomes of it when it is damaged.
struct MetadataTests {
  @Test func pythonDictionary() throws {
    let value = try #require(
      MetadataValue(
        pythonLiteral: #"{0: 'голова', 1: "l'\u0153il \"s\xfbr\"", 2: 'it\'s', 3: 'a\\b, {c}: [d]',}"#))
    #expect(
      ExportMetadata.labels(from: value) == ["голова", "l'œil \"sûr\"", "it's", "a\\b, {c}: [d]"])
  }

  @Test func otherLiterals() {
    #expect(MetadataValue(pythonLiteral: "[640, 384]") == .list([.int(640), .int(384)]))
    #expect(MetadataValue(pythonLiteral: " (1.5, True, None) ") == .list([.double(1.5), .bool(true), .none]))
    #expect(MetadataValue(pythonLiteral: #"{"0": "\ud83d\ude97"}"#)?["0"] == .string("🚗"))
    #expect(MetadataValue(pythonLiteral: "{}") == .dict([]))
  }

  @Test(arguments: [
    "", "{", "{0: 'a'", "{0 'a'}", "{0: 'a'} x", "'abc", "'\\", "'\\x4'", "'\\ud83d'", "__import__('os')",
    "detect",
    "8.3.26", "[1,,2]", "1e999", "{0: open('x')}",
  ])
  func noLiteral(_ text: String) {
    #expect(MetadataValue(pythonLiteral: text) == nil)
  }

  @Test func nestingIsBounded() {
    let deep = String(repeating: "[", count: 100_000)
    #expect(MetadataValue(pythonLiteral: deep) == nil)
  }

  @Test func labelsOfAnIndexedDictionary() {
    func labels(_ text: String) -> [String]? {
      MetadataValue(pythonLiteral: text).flatMap(ExportMetadata.labels)
    }
    #expect(labels("{2: 'c', 0: 'a'}") == ["a", "class_1", "c"])
    #expect(labels("{'1': 'b', '0': 'a'}") == ["a", "b"])
    #expect(labels("['a', 'b']") == ["a", "b"])
    #expect(labels("{}") == nil)
    #expect(labels("{-1: 'a'}") == nil)
    #expect(labels("{99999999999: 'a'}") == nil)
    #expect(labels("{0: ['a']}") == nil)
  }

  @Test func nonsenseIsIgnoredWithAReason() {
    let metadata = ExportMetadata(
      origin: "metadata.yaml",
      ultralytics: [
        "names": .string("person"), "imgsz": .list([.int(0), .int(640)]), "stride": .string("many"),
      ])
    #expect(metadata.labels == nil)
    #expect(metadata.width == nil)
    #expect(metadata.stride == nil)
    #expect(metadata.problems.count == 3)
  }

  @Test func onnxProperties() throws {
    var model = TestModels.channelMeans()
    model.metadata = [
      ("task", "detect"), ("imgsz", "[384, 640]"), ("stride", "32"), ("version", "8.10"),
      ("names", "{0: 'a'}"),
      ("license", "AGPL-3.0"), ("args", "{'nms': True}"),
    ]
    let metadata = try model.data().withUnsafeBytes { try ONNXFile(bytes: $0) }.exportMetadata
    #expect(metadata.task == "detect")
    #expect(metadata.height == 384)
    #expect(metadata.width == 640)
    #expect(metadata.version == "8.10")
    #expect(metadata.labels == ["a"])
    #expect(metadata.license == "AGPL-3.0")
    #expect(metadata.isEndToEnd == true)
  }

  @Test func onnxOfEveryLengthEndsInAnError() {
    let data = TestModels.channelMeans().data()
    for length in 0..<data.count {
      let isReadable = (try? data.prefix(length).withUnsafeBytes { try ONNXFile(bytes: $0) }) != nil
      // The metadata stands last and may be missing; whatever is cut in the middle of a field is damage.
      if isReadable { #expect(length > data.count - 40) }
    }
  }

  @Test func hugeLengthsDoNotOverflow() {
    for length: UInt64 in [.max, UInt64(Int64.max), 1 << 32] {
      var wire = Wire()
      wire.number(1, 8)
      var bytes = wire.data
      // Field 7, as long as can be said.
      bytes.append(7 << 3 | 2)
      var rest = length
      while rest >= 0x80 {
        bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
        rest >>= 7
      }
      bytes.append(UInt8(rest))
      #expect(throws: ProtobufReader.Damage.self) { try bytes.withUnsafeBytes { try ONNXFile(bytes: $0) } }
    }
    let endless = [UInt8](repeating: 0xFF, count: 64)
    #expect(throws: ProtobufReader.Damage.self) { try endless.withUnsafeBytes { try ONNXFile(bytes: $0) } }
  }

  @Test func yaml() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(
      """
      description: Ultralytics YOLOv8n model
      author: Ultralytics
      version: 8.3.26
      license: AGPL-3.0 License
      stride: 32
      task: detect
      imgsz: [384, 640]
      names:
        0: no
        1: "café: crème"
        2: 3.0
      args: {nms: false, half: true}
      unknown: {a: {b: {c: {d: [1, 2]}}}}
      """, "metadata.yaml")
    let metadata = try MetadataYAML.read(path)
    #expect(metadata.labels == ["no", "café: crème", "3.0"])
    #expect(metadata.width == 640)
    #expect(metadata.height == 384)
    #expect(metadata.stride == 32)
    #expect(metadata.license == "AGPL-3.0 License")
    #expect(metadata.isEndToEnd == nil)
    #expect(metadata.problems.isEmpty)
  }

  @Test(arguments: ["names: [a", "- a\n- b", "just text", "names: *nothing", "a: 1\na: 2", ""])
  func brokenYAML(_ text: String) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(text, "metadata.yaml")
    let error = #expect(throws: ModelError.self) { try MetadataYAML.read(path) }
    #expect(error?.code == .invalidMetadata)
    #expect(error?.description.contains("\n") == false)
  }

  @Test func modelInfo() {
    let metadata = ExportMetadata(
      origin: "model_info",
      modelInfo: [
        "labels": "person traffic_light", "reverse_input_channels": "NO", "scale_values": "58.4 57.1 57.4",
        "mean_values": "[123.7, 116.3, 103.5]", "pad_value": "0", "iou_threshold": "0.7",
      ])
    #expect(metadata.labels == ["person", "traffic_light"])
    #expect(metadata.channelOrder == .bgr)
    #expect(metadata.scaleValues == [58.4, 57.1, 57.4])
    #expect(metadata.meanValues == [123.7, 116.3, 103.5])
    #expect(metadata.padValue == 0)
    let damaged = ExportMetadata(
      origin: "model_info",
      modelInfo: ["scale_values": "0", "mean_values": "nan", "pad_value": "300", "labels": " "])
    #expect(damaged.scaleValues == nil)
    #expect(damaged.meanValues == nil)
    #expect(damaged.padValue == nil)
    #expect(damaged.labels == nil)
  }

  @Test func xmlTags() {
    let text = "<?xml?><!-- <net> --><a b='1 &lt; &#50;&unknown;&' c=\"'\"><d/></a>"
    let found = Data(text.utf8).withUnsafeBytes { bytes in
      var scanner = XMLTagScanner(bytes)
      var result: [String] = []
      while let tag = scanner.next() {
        switch tag {
        case .open(let name, let attributes, let isEmpty):
          let list = attributes.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
          result.append("\(name)\(list.joined()) \(isEmpty)")
        case .close(let name): result.append("/" + name)
        }
      }
      return result
    }
    #expect(found == ["a b=1 < 2&unknown;& c=' false", "d true", "/a"])
  }

  @Test func messagesOfOpenVINOAreCutToWhatTheySay() {
    let message = """
      Exception from src/inference/src/cpp/core.cpp:84:
      Check 'm_model->ParseFromIstream(&model_file)' failed at src/frontends/onnx/x.cpp:563:
      FrontEnd API failed with GeneralFailure:
      Model can't be parsed

      """
    #expect(OpenVINOStatus.telling(message) == "Model can't be parsed")
    #expect(
      OpenVINOStatus.telling("Exception from a.cpp:1:\nCheck 'x > 0' failed at b.cpp:2:\n")
        == "Check 'x > 0' failed at b.cpp:2:")
    let nested =
      "Node '<Pad: x>': Exception from src/a/pad.cpp:32: Unsupported mode\nCheck 'a' failed at src/b.cpp:3: no"
    #expect(
      OpenVINOStatus.telling(nested) == "Node '<Pad: x>': Unsupported mode Check 'a' failed: no")
    #expect(OpenVINOStatus.telling("") == "")
  }

  @Test func errorsAreOneLine() {
    let error = ModelError(.corrupt, "a\nb.onnx", "red \u{1B}[31m\r\ntext\u{2028}end")
    #expect(error.description == "a b.onnx: red [31m text end")
  }
}
