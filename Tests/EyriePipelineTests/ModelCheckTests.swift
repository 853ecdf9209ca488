import EyrieTestSupport
import Foundation
import Testing

@testable import EyrieInference
@testable import EyriePipeline

/// `eyrie model check` as a person meets it.
@Suite("Checking a model", .timeLimit(.minutes(10)))
struct ModelCheckTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  static let heads: [LinearModel.Head] = [
    .featuresFirst(classes: 2, anchors: 84), .anchorsFirst(classes: 2, anchors: 84), .classes(20, topK: 5),
    .embedding(16),
  ]

  private func write(_ package: GoldenPackage) throws -> String {
    try package.write(to: scratch.url.appendingPathComponent("package"), digest: SHA256.hexadecimal(ofFile:))
    return scratch.path("package")
  }

  private func check(_ path: String, _ options: String...) async throws -> Tool.Result {
    try await Tool.eyrie.run(["model", "check", path] + options)
  }

  @Test("prints what was compared, and ends with code 0", arguments: heads)
  func sound(head: LinearModel.Head) async throws {
    let result = try await check(try write(GoldenPackage(head)))
    #expect(result.code == 0, "\(result.errors)")
    #expect(result.errors.isEmpty)
    let lines = result.output.split(separator: "\n").map(String.init)
    #expect(lines.first?.hasPrefix("what") == true)
    #expect(lines.last == "linear: passed")
    #expect(lines.contains { $0.hasPrefix("files ") && $0.contains("2 × SHA-256") && $0.hasSuffix("pass") })
    #expect(lines.contains { $0.hasPrefix("converter's check ") && $0.hasSuffix("pass") })
    #expect(lines.contains { $0.hasPrefix("f32 ") })
    #expect(!lines.contains { $0.contains("FAIL") })
    // Columns stand below one another.
    let column = try #require(lines[0].range(of: "allowed")).lowerBound
    let distance = lines[0].distance(from: lines[0].startIndex, to: column)
    for line in lines.dropFirst().dropLast() { #expect(Array(line)[distance - 1] == " ") }
  }

  @Test("prints what differs by how much, and ends with code 1")
  func damaged() async throws {
    var package = GoldenPackage(.featuresFirst(classes: 2, anchors: 84))
    package.channelOrder = "bgr"
    let result = try await check(try write(package), "--precision", "f32")
    #expect(result.code == 1)
    let lines = result.output.split(separator: "\n").map(String.init)
    #expect(lines.contains { $0.hasPrefix("f32 boxes") && $0.contains("≤ 0.01 px") && $0.hasSuffix("FAIL") })
    #expect(lines.contains { $0.hasPrefix("files ") && $0.hasSuffix("pass") })
    #expect(lines.last == "linear: FAILED")
    #expect(result.errorLines.count == 1)
    for hint in ["package", "f32 boxes", "convert it again"] { #expect(result.errors.contains(hint)) }
  }

  @Test(
    "compares the files, and runs nothing that is damaged", arguments: ["model.onnx", "golden.safetensors"])
  func otherFile(name: String) async throws {
    let path = try write(GoldenPackage(.embedding(4)))
    let file = URL(fileURLWithPath: path).appendingPathComponent(name)
    try (try Data(contentsOf: file) + [0]).write(to: file)
    let result = try await check(path)
    #expect(result.code == 1)
    #expect(result.output.contains("FAIL"))
    #expect(result.errorLines.count == 1)
    #expect(result.errors.contains("\(name): is not the file that was packed"))
    let run = try await Tool.eyrie.run(["run", "nothing.mp4", "--model", path])
    #expect(run.code == 2)
    #expect(run.errors.contains("is not the file that was packed"))
  }

  @Test("fails a golden file that is damaged although its digest is right")
  func truncatedGolden() async throws {
    var package = GoldenPackage(.embedding(4))
    package.goldenBytes = try package.golden?.data().dropLast(3)
    let result = try await check(try write(package))
    #expect(result.code == 1)
    #expect(result.errors.contains("no sound safetensors file"))
  }

  @Test("fails a package that its converter calls wrong")
  func failedValidation() async throws {
    var package = GoldenPackage(.embedding(4))
    package.passed = false
    let path = try write(package)
    let result = try await check(path)
    #expect(result.code == 1)
    #expect(result.output.contains("converter's check") && result.output.contains("FAIL"))
    #expect(result.errors.contains("validation.passed is false"))
    // It can be looked at.
    let inspected = try await Tool.eyrie.run(["model", "inspect", path])
    #expect(inspected.code == 0)
    #expect(inspected.output.contains("\"passed\" : false"))
  }

  @Test("says with code 2 that there is nothing to check")
  func nothing() async throws {
    var package = GoldenPackage(.embedding(4))
    package.golden = nil
    let path = try write(package)
    for (model, hint) in [
      (path, "no golden file"), (scratch.path("absent"), "no such file"),
    ] {
      let result = try await check(model)
      #expect(result.code == 2, "\(result.errors)")
      #expect(result.output.isEmpty)
      #expect(result.errorLines.count { $0.hasPrefix("eyrie: ") } == 1)
      #expect(result.errors.contains(hint), "\(result.errors)")
    }
    let usage = try await check(path, "--precision", "f64")
    #expect(usage.code == 2)
    #expect(usage.errors.contains("f64"))
  }

  @Test("says what an arithmetic without tolerance needs")
  func noTolerance() async throws {
    var package = GoldenPackage(.embedding(4))
    package.golden?.metadata["tolerance"] = #"{"f16": {"values": 1}}"#
    let result = try await check(try write(package), "--precision", "f32")
    #expect(result.code == 2)
    #expect(result.errors.contains("no tolerance"))
  }

  @Test("prints JSON for programs")
  func json() async throws {
    let path = try write(GoldenPackage(.classes(20, topK: 5)))
    let result = try await check(path, "--json", "--precision", "f32")
    #expect(result.code == 0)
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    #expect(report["schema"] as? String == "eyrie.model_check/1")
    #expect(report["passed"] as? Bool == true)
    #expect(report["files_compared"] as? Int == 2)
    #expect(report["damage"] == nil || report["damage"] is NSNull)
    let replays = try #require(report["replays"] as? [[String: Any]])
    #expect(replays.map { $0["precision"] as? String } == ["f32"])
    let comparisons = try #require(replays[0]["comparisons"] as? [[String: Any]])
    #expect(
      comparisons.compactMap { $0["what"] as? String }
        == ["probabilities", "top-1 class", "top_k_scores", "top_k_indices"])
    #expect(comparisons.allSatisfy { $0["allowed"] is Double && $0["found"] is Double })
  }

  @Test("describes a Core ML package everywhere, and runs it where Core ML is")
  func coreML() async throws {
    try FileManager.default.createDirectory(
      atPath: scratch.path("model.mlpackage"), withIntermediateDirectories: true)
    _ = try scratch.write(Array("{}".utf8), to: "model.mlpackage/Manifest.json")
    _ = try scratch.write(
      Array(
        """
        {"schema": "eyrie.model/1", "task": "detect", "format": "coreml", "nms": {"embedded": true},
         "files": [{"path": "model.mlpackage"}], "input": {"name": "image", "width": 64, "height": 64},
         "output": {"names": ["coordinates", "confidence"], "labels": ["a"]}}
        """.utf8), to: "conversion_metadata.json")
    let inspected = try await Tool.eyrie.run(["model", "inspect", scratch.url.path])
    #expect(inspected.code == 0, "\(inspected.errors)")
    #expect(inspected.output.contains("\"format\" : \"coreml\""))
    #if !canImport(CoreML)
      for command in [
        ["run", "nothing.mp4", "--model", scratch.url.path], ["model", "check", scratch.url.path],
      ] {
        let result = try await Tool.eyrie.run(command)
        #expect(result.code == 2)
        #expect(result.errorLines.count == 1, "\(result.errors)")
        for hint in ["model.mlpackage", "macOS", "--target openvino"] {
          #expect(result.errors.contains(hint))
        }
      }
    #endif
  }
}
