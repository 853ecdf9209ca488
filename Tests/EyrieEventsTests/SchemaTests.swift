import EyrieEvents
import EyrieTestTools
import Foundation
import Testing

@Suite struct SchemaTests {
  private static let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "schema/eyrie.event-1.schema.json")

  /// The published schema, but closed: it lets consumers expect new fields, while a field that the
  /// encoder writes and the schema does not know is a mistake here.
  private func closedSchema() throws -> [String: Any] {
    func close(_ node: Any) -> Any {
      if let list = node as? [Any] { return list.map(close) }
      guard var object = node as? [String: Any] else { return node }
      object = object.mapValues(close)
      if object["properties"] is [String: Any], object["type"] is String {
        object["additionalProperties"] = false
      }
      return object
    }
    return try #require(close(try Sample.object(Array(try Data(contentsOf: Self.path)))) as? [String: Any])
  }

  /// Events with all and with the fewest fields, of every type and state.
  private func samples() throws -> [Event] {
    var full = Sample.detection("é \"quoted\" 猫\n")
    full.trackID = 7
    full.classifications = [Classification(label: "van", confidence: 0.5)]
    full.embedding = Embedding([0.5, -0.25], encoding: .array)
    var holed = full
    holed.embedding = Embedding([.nan])
    holed.classifications = []
    var packed = full
    packed.embedding = Embedding([0.5, -0.25])
    packed.predicted = true
    var between = try Sample.detections("cam1", [packed])
    if case .detections(var event) = between {
      event.predicted = true
      event.tracksReset = .gap
      event.embedding = Embedding([1, 0, -1])
      between = .detections(event)
    }
    let bad = Sample.detection("never", confidence: .infinity)
    var events = [
      try Sample.detections(), try Sample.detections("a/b", [full, holed, bad, Sample.detection()]),
      try Sample.detections("cam1", sequence: .max, []), try Sample.detections(damaged: true),
      try Sample.stats(), between,
    ]
    for state in StreamState.allCases { events.append(try Sample.stream(state: state)) }
    events.append(
      .stats(
        StatsEvent(
          runID: "", source: try SourceID("s"), sequence: 0, capturedAt: WallTime(nanoseconds: -1),
          state: nil,
          uptime: .nan, fps: nil, frames: FrameCounts(decoded: 0, inferred: 0, published: 0))))
    return events
  }

  @Test func everyEncodedEventIsValid() throws {
    let validator = JSONSchemaValidator(try closedSchema())
    for event in try samples() { #expect(try validator.errors(in: Sample.json(event)) == []) }
  }

  @Test func whatIsNoEventIsInvalid() throws {
    let validator = JSONSchemaValidator(try closedSchema())
    let good = try Sample.json(try Sample.detections())
    for name in good.keys {
      var bad = good
      bad[name] = nil
      #expect(try !validator.errors(in: bad).isEmpty, "without \(name)")
      bad[name] = true
      #expect(try !validator.errors(in: bad).isEmpty, "with a boolean for \(name)")
    }
    var extended = good
    extended["typo"] = 1
    #expect(try !validator.errors(in: extended).isEmpty)
    var published = try Sample.object(Array(try Data(contentsOf: Self.path)))
    #expect(try JSONSchemaValidator(published).errors(in: extended).isEmpty)
    published["not"] = [String: Any]()
    #expect(throws: JSONSchemaValidator.Failure.self) { try JSONSchemaValidator(published).errors(in: good) }
  }

  private static let python = run("import jsonschema; jsonschema.Draft202012Validator", [])?.status == 0

  private static func run(_ script: String, _ arguments: [String]) -> (status: Int32, output: String)? {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", "-c", script] + arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    guard (try? process.run()) != nil else { return nil }
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, text)
  }

  @Test(.enabled(if: python, "needs python3 with jsonschema"))
  func theReferenceImplementationAgrees() throws {
    let schema = Sample.path(".schema.json")
    let lines = Sample.path(".jsonl")
    defer { for path in [schema, lines] { try? FileManager.default.removeItem(atPath: path) } }
    try JSONSerialization.data(withJSONObject: try closedSchema()).write(to: URL(filePath: schema))
    let writer = try JSONLinesWriter(path: lines)
    var encoder = EventEncoder()
    for event in try samples() { try writer.write(encoder.encode(event)) }
    try writer.close()
    let script = """
      import json, sys, jsonschema
      schema = json.load(open(sys.argv[1], encoding="utf-8"))
      jsonschema.Draft202012Validator.check_schema(schema)
      validator = jsonschema.Draft202012Validator(schema)
      for line in open(sys.argv[2], encoding="utf-8"):
          validator.validate(json.loads(line))
      """
    let result = try #require(Self.run(script, [schema, lines]))
    #expect(result.status == 0, "\(result.output)")
  }
}
