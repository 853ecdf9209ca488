public import Foundation

/// A model package with its golden file, made on the spot, and with whatever is to be wrong with it.
public struct GoldenPackage: Sendable {
  /// The model that the golden file is of.
  public let original: LinearModel
  /// The model that is packed; another one is what a damaged package has.
  public var model: Data
  /// `input.channel_order`.
  public var channelOrder = "rgb"
  /// `input.scale`.
  public var scale = 1.0 / 255
  /// `input.pad_value`.
  public var padding = 114
  /// The golden file; nil for a package without one.
  public var golden: SafetensorsBuilder?
  /// The golden file's bytes, where they are to be others than those of `golden`.
  public var goldenBytes: Data?
  /// Whether the files have their SHA-256.
  public var hasDigests = true
  /// `validation.passed`.
  public var passed = true
  /// `output.zero_shot` as JSON; nil for a package without it.
  public var zeroShot: String?
  /// The bytes of `text_embeddings.safetensors`; nil for a package without it.
  public var textEmbeddings: Data?

  /// A sound package.
  /// - Parameters:
  ///   - head: what the model does.
  ///   - size: the width and height it is made at.
  ///   - isDynamic: whether it runs at other sizes too.
  public init(_ head: LinearModel.Head, size: (width: Int, height: Int) = (64, 64), isDynamic: Bool = false) {
    var original = LinearModel(head)
    original.input = isDynamic ? [1, 3, -1, -1] : [1, 3, size.height, size.width]
    self.original = original
    model = original.onnx()
    golden = Self.golden(original, size)
  }

  /// Half of the input's height and three quarters of its width are picture, the rest is padding.
  private static func golden(_ model: LinearModel, _ size: (width: Int, height: Int)) -> SafetensorsBuilder {
    let (width, height) = (size.width * 3 / 4, size.height / 2)
    var picture: [UInt8] = []
    for row in 0..<height {
      for column in 0..<width {
        picture += [
          UInt8(clamping: 90 + column), UInt8(clamping: 40 + row), UInt8(clamping: 10 + row * column / 40),
        ]
      }
    }
    let rest = Double(size.width * size.height - width * height) * 114
    let means = (0..<3).map { channel in
      let sum = stride(from: channel, to: picture.count, by: 3).reduce(0.0) { $0 + Double(picture[$1]) }
      return (sum + rest) / Double(size.width * size.height) / 255
    }
    var file = SafetensorsBuilder()
    file.metadata = ["schema": "eyrie.golden/1", "width": "\(size.width)", "height": "\(size.height)"]
    file.tensors["input"] = .init("U8", [1, height, width, 3], picture)
    let outputs = model.outputs(means: means).map { Float($0) }
    switch model.head {
    case .featuresFirst(let classes, let anchors), .anchorsFirst(let classes, let anchors):
      let isFirst = model.head == .featuresFirst(classes: classes, anchors: anchors)
      func number(_ anchor: Int, _ feature: Int) -> Float {
        outputs[isFirst ? feature * anchors + anchor : anchor * (4 + classes) + feature]
      }
      let stored = Array(stride(from: 1, to: anchors, by: 3))
      file.metadata["task"] = "detect"
      file.metadata["tolerance"] = """
        {"f32": {"boxes": 0.01, "boxes_above": -1, "scores": 0.0001}, "later": 1,
         "bf16": {"boxes": 1, "boxes_above": 0.25, "scores": 0.02},
         "f16": {"boxes": 1, "boxes_above": 0.25, "scores": 0.02}}
        """
      file.tensors["anchors"] = .i64([stored.count], stored.map(Int64.init))
      file.tensors["boxes"] = .f32(
        [stored.count, 4], stored.flatMap { anchor in (0..<4).map { number(anchor, $0) } })
      file.tensors["scores"] = .f32(
        [stored.count, classes], stored.flatMap { anchor in (4..<4 + classes).map { number(anchor, $0) } })
    case .classes(let count, let k):
      file.metadata["task"] = "classify"
      file.metadata["tolerance"] =
        #"{"f32": {"values": 1e-5}, "bf16": {"values": 0.05}, "f16": {"values": 0.05}}"#
      file.tensors["probabilities"] = .f32([1, count], outputs)
      if k > 0 {
        let best = outputs.indices.sorted { outputs[$0] > outputs[$1] }.prefix(k)
        file.tensors["top_k_scores"] = .f32([1, k], best.map { outputs[$0] })
        file.tensors["top_k_indices"] = .i64([1, k], best.map(Int64.init))
      }
    case .embedding(let dimension):
      file.metadata["task"] = "embed"
      file.metadata["tolerance"] =
        #"{"f32": {"values": 1e-4}, "bf16": {"values": 0.1}, "f16": {"values": 0.1}}"#
      file.tensors["embedding"] = .f32([1, dimension], outputs)
    }
    return file
  }

  /// Writes the package.
  /// - Parameters:
  ///   - directory: is made if need be.
  ///   - digest: the SHA-256 of a file.
  public func write(to directory: URL, digest: (String) throws -> String) throws {
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    try model.write(to: directory.appendingPathComponent("model.onnx"))
    var names = ["model.onnx"]
    if let bytes = try goldenBytes ?? golden?.data() {
      try bytes.write(to: directory.appendingPathComponent("golden.safetensors"))
      names.append("golden.safetensors")
    }
    if let textEmbeddings {
      try textEmbeddings.write(to: directory.appendingPathComponent("text_embeddings.safetensors"))
      names.append("text_embeddings.safetensors")
    }
    let files = try names.map { name -> [String: String] in
      let sha256 = try digest(directory.appendingPathComponent(name).path)
      return hasDigests ? ["path": name, "sha256": sha256] : ["path": name]
    }
    var validation: [String: Any] = [
      "reference": "worked out by hand", "inputs": 1, "max_abs_error": 1e-6, "passed": passed,
    ]
    if golden != nil { validation["golden"] = "golden.safetensors" }
    var output = output
    if let zeroShot { output["zero_shot"] = try JSONSerialization.jsonObject(with: Data(zeroShot.utf8)) }
    let metadata: [String: Any] = [
      "schema": "eyrie.model/1", "name": "linear", "format": "onnx", "files": files,
      "task": task, "output": output, "validation": validation, "created_at": "2026-11-25T00:00:00Z",
      "tools": ["tests": "1"], "benchmark": ["fps": 30],
      "input": [
        "width": original.input[3] < 0 ? 64 : original.input[3],
        "height": original.input[2] < 0 ? 64 : original.input[2], "channel_order": channelOrder,
        "layout": "nchw", "scale": scale, "pad_value": padding, "resize": "letterbox",
        "interpolation": "bilinear", "stride": 32,
      ] as [String: Any],
    ]
    try JSONSerialization.data(withJSONObject: metadata)
      .write(to: directory.appendingPathComponent("conversion_metadata.json"))
  }

  private var task: String {
    switch original.head {
    case .featuresFirst, .anchorsFirst: "detect"
    case .classes: "classify"
    case .embedding: "embed"
    }
  }

  private var output: [String: Any] {
    func labels(_ count: Int) -> [String] { (0..<count).map { "label \($0)" } }
    switch original.head {
    case .featuresFirst(let classes, _):
      return ["kind": "yolo_grid", "layout": "features_first", "labels": labels(classes)]
    case .anchorsFirst(let classes, _):
      return ["kind": "yolo_grid", "layout": "anchors_first", "labels": labels(classes)]
    case .classes(let count, let k):
      var output: [String: Any] = [
        "kind": "probabilities", "labels": labels(count), "names": ["probabilities"],
      ]
      if k > 0 {
        output["names"] = ["probabilities", "top_k_scores", "top_k_indices"]
        output["top_k"] = k
      }
      return output
    case .embedding(let dimension):
      return ["kind": "embedding", "dimension": dimension, "names": ["embedding"]]
    }
  }
}
