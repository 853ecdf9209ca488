import EyrieTestSupport
import Foundation
import Testing

@testable import EyriePipeline

/// What the tests of pipeline files share.
enum PipelineFileFixture {
  static let folder = SharedMaterial.package.appendingPathComponent("pipelines")

  /// The examples that ship with Eyrie, each of which runs.
  static let examples = ["short", "file", "camera", "cameras", "people", "soak"]

  /// What the examples take from the environment.
  static let environment = [
    "CAMERA_URL": "rtsp://admin:hunter2@camera.example/stream", "CAMERA_PASSWORD": "p@ss:w/rd#?%",
    "EYRIE_CLASSIFIER": "models/vit-openvino", "ENTRANCE_HOST": "10.0.0.1", "YARD_HOST": "10.0.0.2",
    "GATE_HOST": "10.0.0.3",
  ]

  static func example(_ name: String) throws -> String {
    try String(contentsOf: url(of: name), encoding: .utf8)
  }

  static func url(of name: String) -> URL {
    folder.appendingPathComponent("\(name).yaml")
  }

  /// A pipeline in which one line can be put in the place of another.
  static let base = """
    sources:
      cam: {input: a.mp4}
    stages:
      detect: {from: cam, model: m}
    sinks:
      jsonl: {from: detect, path: e.jsonl}
    """

  static func parse(
    _ text: String, environment: [String: String] = environment
  ) throws(PipelineFileError) -> PipelineDefinition {
    try PipelineFile.parse(
      Array(text.utf8), environment: environment, mistakes: MistakeCollector(file: "p.yaml"))
  }

  /// The mistakes of a text, as lines; none if it is valid.
  static func mistakes(in text: String, environment: [String: String] = environment) -> [String] {
    do throws(PipelineFileError) {
      _ = try parse(text, environment: environment)
      return []
    } catch {
      return error.mistakes.map(\.description)
    }
  }

  /// A file that was parsed, for what follows after that.
  static func file(_ text: String) throws -> PipelineFile {
    PipelineFile(path: "p.yaml", definition: try parse(text))
  }
}
