import EyrieTestSupport
import EyrieTestTools
import Foundation
import Testing

@testable import EyriePipeline

/// The published schema says the same as the decoder.
@Suite("The schema of pipeline files")
struct PipelineFileSchemaTests {
  private typealias Fixture = PipelineFileFixture

  private static let path = SharedMaterial.package.appendingPathComponent(
    "schema/eyrie.pipeline-1.schema.json")

  /// Written anew with EYRIE_WRITE_SCHEMA=1 after a change of the format.
  @Test("is what the decoder's tables make of it")
  func published() throws {
    let made = try PipelineJSONSchema.text()
    if ProcessInfo.processInfo.environment["EYRIE_WRITE_SCHEMA"] == "1" {
      try made.write(to: Self.path, atomically: true, encoding: .utf8)
    }
    #expect(
      try String(contentsOf: Self.path, encoding: .utf8) == made,
      "schema/eyrie.pipeline-1.schema.json is not what the tables say: run this test with EYRIE_WRITE_SCHEMA=1"
    )
  }

  @Test("takes every example", arguments: PipelineFileFixture.examples)
  func examples(name: String) throws {
    #expect(try Self.errors(in: Fixture.example(name)) == 0)
  }

  @Test("takes a file with every option")
  func everything() throws {
    #expect(try Self.errors(in: PipelineFileTests.everything) == 0)
    #expect(try Self.errors(in: Fixture.base) == 0)
  }

  @Test(
    "judges mistakes as the decoder does, where it can",
    arguments: PipelineFileMistakeTests.values + PipelineFileMistakeTests.graphs)
  func mistakes(pipeline: WrongPipeline) throws {
    // Infinity and NaN have no form in JSON.
    guard pipeline.inSchema || !pipeline.text.contains(": .") else { return }
    #expect(try (Self.errors(in: pipeline.text) > 0) == pipeline.inSchema)
  }

  @Test("can be read by a validator of others", .enabled(if: hasPython, "python3 has no jsonschema"))
  func python() async throws {
    let scratch = try Scratch()
    var files: [String] = []
    for (index, text) in (try Fixture.examples.map(Fixture.example) + [PipelineFileTests.everything])
      .enumerated()
    {
      files.append(try scratch.write([UInt8](try Self.json(text)), to: "good-\(index).json"))
    }
    for (index, pipeline) in PipelineFileMistakeTests.values.filter(\.inSchema).enumerated() {
      files.append(try scratch.write([UInt8](try Self.json(pipeline.text)), to: "bad-\(index).json"))
    }
    let script = """
      import json, sys, jsonschema
      schema = json.load(open(sys.argv[1]))
      jsonschema.Draft202012Validator.check_schema(schema)
      validator = jsonschema.Draft202012Validator(schema)
      for path in sys.argv[2:]:
          assert validator.is_valid(json.load(open(path))) == ("/good-" in path), path
      """
    let result = try await Tool(path: Self.environmentPath).run(
      ["python3", "-c", script, Self.path.path] + files)
    #expect(result.code == 0, "\(result.errors)")
  }

  private static let environmentPath = "/usr/bin/env"

  private static let hasPython: Bool = {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: environmentPath)
    process.arguments = ["python3", "-c", "import jsonschema; jsonschema.Draft202012Validator"]
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }()

  // MARK: - YAML as JSON

  private static func errors(in text: String) throws -> Int {
    let schema = try JSONSerialization.jsonObject(with: Data(contentsOf: path))
    let value = try JSONSerialization.jsonObject(with: json(text), options: .fragmentsAllowed)
    let validator = JSONSchemaValidator(try #require(schema as? [String: Any]))
    return try validator.errors(in: value).count
  }

  /// A file as an editor sees it: variables are text.
  private static func json(_ text: String) throws -> Data {
    let mistakes = MistakeCollector(file: "p.yaml")
    let root = try #require(YAMLTree.parse(text, environment: environment, mistakes: mistakes))
    return try JSONSerialization.data(withJSONObject: value(root), options: .fragmentsAllowed)
  }

  private static let environment = Fixture.environment

  private static func value(_ node: PipelineNode) -> Any {
    switch node.content {
    case .refused: return NSNull()
    case .list(let items): return items.map(value)
    case .mapping(let entries):
      return Dictionary(entries.map { ($0.key, value($0.value)) }) { first, _ in first }
    case .scalar(let scalar):
      let raw = PipelineNode.Scalar(
        text: scalar.written, written: scalar.written, isPlain: scalar.isPlain, isSubstituted: false)
      switch raw.kind {
      case .null: return NSNull()
      case .boolean(let value): return value
      case .integer(let value): return value
      case .number(let value): return value
      case .text: return scalar.written
      }
    }
  }
}
