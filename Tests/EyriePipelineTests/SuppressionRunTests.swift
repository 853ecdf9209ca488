import EyrieEvents
import EyrieGraph
import EyrieTestSupport
import Foundation
import Testing

@testable import EyriePipeline

/// A person and a car in the same place, as a model would give one object that it is not sure about, and a car beside.
@Suite("Suppression in a run", .timeLimit(.minutes(5)))
struct SuppressionRunTests {
  private static var output: [Float] {
    var values = FakeModel.nothing
    for (column, centre, row, score) in [(0, 20, 0, 0.9), (1, 21, 1, 0.6), (2, 50, 1, 0.4)] {
      values[column] = Float(centre)
      values[10 + column] = 32
      values[20 + column] = 16
      values[30 + column] = 16
      values[(4 + row) * 10 + column] = Float(score)
    }
    return values
  }

  private func labels(_ options: String) async throws -> [String] {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 2)
    let file = try PipelineFileFixture.file(
      """
      sources: {clip: {input: \(scratch.path("clip.mp4"))}}
      stages: {detect: {from: clip, model: fake\(options)}}
      sinks: {jsonl: {from: detect, path: \(scratch.path("events.jsonl"))}}
      """)
    _ = try await DetectionRun(try file.plan(), backend: try FakeModel.backend { _ in Self.output })
      .run(stop: StopSignal(), reporter: .silent)
    return try EventLog(path: scratch.path("events.jsonl")).detections[0].detections.map(\.label)
  }

  @Test("is per class, over all classes, or within groups")
  func groups() async throws {
    #expect(try await labels("") == ["person", "car", "car"])
    #expect(try await labels(", nms: {class_agnostic: true}") == ["person", "car"])
    #expect(try await labels(", nms: {groups: [[Person, car]]}") == ["person", "car"])
    #expect(try await labels(", nms: {groups: [[person], [car]]}") == ["person", "car", "car"])
    #expect(try await labels(", max_detections: 2") == ["person", "car"])
  }

  @Test("comes after a threshold for each class")
  func classConfidence() async throws {
    #expect(try await labels(", class_confidence: {car: 0.5}") == ["person", "car"])
    #expect(try await labels(", confidence: 0.95, class_confidence: {car: 0.3}") == ["car", "car"])
    #expect(try await labels(", confidence: 0.5, class_confidence: {person: 0.95}") == ["car"])
  }

  @Test("refuses labels that the model does not have, where the file says them")
  func unknownLabels() async throws {
    for (options, key) in [
      (", class_confidence: {cat: 0.5}", "class_confidence"), (", nms: {groups: [[cat, car]]}", "nms.groups"),
      (", classes: [cat]", "classes"),
    ] {
      let failure = await #expect(throws: EyrieFailure.self) { try await labels(options) }
      #expect(failure?.description.hasPrefix("stages.detect.\(key): the model has no class 'cat'") == true)
    }
    let twice = await #expect(throws: EyrieFailure.self) {
      try await labels(", nms: {groups: [[car, person], [car]]}")
    }
    #expect(twice?.description.contains("groups that share no class") == true)
  }
}
