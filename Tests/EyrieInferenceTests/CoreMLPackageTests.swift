import EyrieTestSupport
import Foundation
import Testing

@testable import EyrieInference

/// Core ML packages are described on every system, from their metadata alone.
struct CoreMLPackageTests {
  let directory: TemporaryDirectory
  private static let inside = [
    "model.mlpackage/Manifest.json", "model.mlpackage/Data/com.apple.CoreML/model.mlmodel",
    "model.mlpackage/Data/com.apple.CoreML/weights/weight.bin",
  ]

  init() throws {
    directory = try TemporaryDirectory()
    for name in Self.inside { try directory.write("bytes of " + name, name) }
  }

  private func files() throws -> String {
    try Self.inside.map { name in
      #"{"path": "\#(name)", "sha256": "\#(try SHA256.hexadecimal(ofFile: directory.path(name)))"}"#
    }.joined(separator: ", ")
  }

  private static let detector = """
    "task": "detect", "nms": {"embedded": true, "confidence": 0.3},
    "input": {"name": "image", "width": 640, "height": 640, "pad_value": 114},
    "output": {"kind": "yolo_end_to_end", "names": ["coordinates", "confidence"], "labels": ["a", "b"]},
    "coreml": {"compute_units": "ALL", "minimum_deployment_target": "iOS15", "ane_optimized": false}
    """

  private func write(_ fields: String, files: String? = nil) throws {
    try directory.write(
      #"{"schema": "eyrie.model/1", "format": "coreml", "precision": "float16", "files": [\#(try files ?? self.files())], \#(fields)}"#,
      "conversion_metadata.json")
  }

  private func failure(_ fields: String, files: String? = nil) throws -> ModelError {
    try write(fields, files: files)
    let error = #expect(throws: ModelError.self) { try ModelPackage.load(directory.root) }
    let found = try #require(error)
    #expect(!found.description.contains("\n"))
    return found
  }

  @Test func detectorWithSuppressionInside() throws {
    try write(Self.detector)
    for path in ["", "/model.mlpackage", "/model.mlpackage/", "/conversion_metadata.json"] {
      let model = try ModelPackage.load(directory.root + path, expecting: .detect)
      #expect(model.format == .coreml)
      #expect(model.name == "model")
      #expect(model.path == directory.path("model.mlpackage"))
      #expect(model.precision == .float16)
      #expect(model.input.name == "image")
      #expect(model.input.width == 640)
      #expect(model.input.embeddedPreprocessing)
      #expect(model.output.layout == .endToEnd)
      #expect(model.output.kind == .yoloEndToEnd)
      #expect(model.output.shape == [1, -1, 6])
      #expect(model.output.names == ["coordinates", "confidence"])
      #expect(model.output.classCount == 2)
      #expect(model.nms.embedded)
      #expect(model.nms.confidence == 0.3)
      #expect(model.coreml?.computeUnits == .all)
      #expect(model.files.count == 3)
      #expect(
        model.notes == ["the package has no golden file: that it gives the right results was not checked"])
    }
  }

  @Test func classifierAndEmbedding() throws {
    try write(
      """
      "task": "classify", "input": {"width": 224, "height": 224, "interpolation": "bicubic"},
      "output": {"kind": "probabilities", "names": ["probabilities", "top_k_scores", "top_k_indices"],
        "labels": ["a", "b", "c"], "top_k": 2}
      """)
    let classifier = try ModelPackage.load(directory.root)
    #expect(classifier.output.kind == .probabilities)
    #expect(classifier.output.index == 0)
    #expect(classifier.output.topK == 2)
    #expect(classifier.output.topKOutputs == TopKOutputs(scores: "top_k_scores", indices: "top_k_indices"))
    #expect(classifier.input.interpolation == .bicubic)
    #expect(classifier.input.resize == .centerCrop)
    try write(
      """
      "task": "embed", "input": {"width": 224, "height": 224},
      "output": {"kind": "embedding", "names": ["embedding"], "dimension": 512, "normalized": true}
      """)
    let embedding = try ModelPackage.load(directory.root)
    #expect(embedding.output.dimension == 512)
    #expect(embedding.output.normalized == true)
    #expect(embedding.output.shape == [1, 512])
  }

  @Test func textEmbeddingsAreCheckedHereToo() throws {
    var file = SafetensorsBuilder()
    file.metadata = ["schema": "eyrie.text_embeddings/1"]
    file.tensors["text_embeddings"] = .f32([2, 3], [1, 0, 0, 0, 0, -1])
    try directory.write(try file.data(), "texts.safetensors")
    func load(dimension: Int) throws -> ModelDescription {
      try write(
        """
        "task": "embed", "input": {"width": 224, "height": 224},
        "output": {"kind": "embedding", "names": ["embedding"], "dimension": \(dimension),
          "zero_shot": {"labels": ["a", "b"], "embeddings": "texts.safetensors", "logit_scale": 100}}
        """)
      return try ModelPackage.load(directory.root)
    }
    let model = try load(dimension: 3)
    #expect(model.output.zeroShot?.labels == ["a", "b"])
    #expect(try TextEmbeddings.load(for: model)?.values == [1, 0, 0, 0, 0, -1])
    let error = #expect(throws: ModelError.self) { try load(dimension: 4) }
    #expect(error?.code == .corrupt)
  }

  @Test func whatIsMissingIsNamed() throws {
    for (old, new, says) in [
      ("\"width\": 640, ", "", "input.width is missing"),
      ("\"height\": 640, ", "", "input.height is missing"),
      (", \"labels\": [\"a\", \"b\"]", "", "output.labels is missing"),
      ("[\"coordinates\", \"confidence\"]", "[\"boxes\"]", "coordinates and confidence"),
    ] {
      #expect(Self.detector.contains(old))
      let error = try failure(Self.detector.replacing(old, with: new))
      #expect(error.code == .invalidMetadata)
      #expect(error.reason.contains(says), "\(error)")
    }
    let embedding = try failure(
      #""task": "embed", "input": {"width": 2, "height": 2}, "output": {"names": ["embedding"]}"#)
    #expect(embedding.reason.contains("output.dimension is missing"))
  }

  @Test func eachFileInsideIsCompared() throws {
    for name in Self.inside {
      try write(Self.detector)
      let original = try Data(contentsOf: URL(fileURLWithPath: directory.path(name)))
      try directory.write(original.dropLast(), name)
      let error = #expect(throws: ModelError.self) { try ModelPackage.load(directory.root) }
      #expect(error?.code == .corrupt)
      #expect(error?.path == directory.path(name))
      try directory.write(original, name)
    }
    try write(Self.detector)
    try FileManager.default.removeItem(atPath: directory.path(Self.inside[2]))
    let error = #expect(throws: ModelError.self) { try ModelPackage.load(directory.root) }
    #expect(error?.code == .unreadable)
  }

  @Test func filesInsideWithoutDigestAreNoted() throws {
    try write(Self.detector, files: #"{"path": "model.mlpackage"}"#)
    let all = try ModelPackage.load(directory.root)
    #expect(all.notes.contains { $0.contains("3 files inside model.mlpackage have no sha256") })
    try write(Self.detector, files: try files() + #", {"path": "model.mlpackage"}"#)
    #expect(try !ModelPackage.load(directory.root).notes.contains { $0.contains("inside") })
    try directory.write("more", "model.mlpackage/Data/more.bin")
    let one = try ModelPackage.load(directory.root)
    #expect(one.notes.contains { $0.contains("1 files inside") && $0.contains("more.bin") }, "\(one.notes)")
  }

  @Test func twoModelsAreOneTooMany() throws {
    try directory.write("x", "other.mlpackage/Manifest.json")
    let error = try failure(
      Self.detector,
      files: #"{"path": "model.mlpackage/Manifest.json"}, {"path": "other.mlpackage/Manifest.json"}"#)
    #expect(error.code == .noSingleModel)
  }

  @Test func anotherTaskIsRefused() throws {
    try write(Self.detector)
    let error = #expect(throws: ModelError.self) { try ModelPackage.load(directory.root, expecting: .embed) }
    #expect(error?.code == .wrongTask)
  }

  #if !canImport(CoreML)
    @Test func runningItIsForApple() throws {
      try write(Self.detector)
      let model = try ModelPackage.load(directory.root)
      let error = #expect(throws: ModelError.self) { try OpenVINOBackend.compile(model) }
      #expect(error?.code == .unsupportedFormat)
      for hint in ["macOS", "--target openvino"] { #expect(error?.reason.contains(hint) == true) }
      #expect(error?.description.contains("\n") == false)
    }
  #endif

  @Test func aBareModelHasNothingToDescribeItBy() throws {
    let error = #expect(throws: ModelError.self) { try ModelPackage.load(directory.path("model.mlpackage")) }
    #expect(error?.code == .unsupportedFormat)
    #expect(error?.reason.contains("conversion_metadata.json") == true)
  }
}
