import EyrieEvents
import EyrieGraph
import EyrieTestSupport
import Foundation
import Testing

@testable import EyrieInference
@testable import EyriePipeline

/// A detector that suppresses by itself, as Core ML packages have it, through the whole pipeline: with a fake in
/// place of Core ML and everything else as it is there.
@Suite("Suppression inside the model", .timeLimit(.minutes(10)))
struct EmbeddedSuppressionTests {
  /// Finds a `car` in the middle as often as the call says.
  private struct Fake: NamedOutputModel {
    let calls: Counter

    func predict(_ picture: UnsafeRawBufferPointer) async throws(InferenceError) -> [String: DenseTensor] {
      let count = (calls.next() - 1) % 4
      return [
        "coordinates": DenseTensor(
          shape: [count, 4], (0..<count).flatMap { _ in [0.5, 0.5, 0.25, 0.25] as [Float] }),
        "confidence": DenseTensor(shape: [count, 2], (0..<count).flatMap { _ in [0.1, 0.9] as [Float] }),
      ]
    }
  }

  @Test("gives as many boxes as the model found, in pixels of the picture")
  func boxes() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 9)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    options.requests = 1
    options.jsonl = scratch.path("events.jsonl")
    // The format apart, which says where it may run.
    let model = ModelDescription(
      name: "fake", task: .detect, format: .onnx, path: "fake.mlpackage",
      input: ModelInput(name: "image", width: 64, height: 64, embeddedPreprocessing: true),
      output: ModelOutput(
        kind: .yoloEndToEnd, names: ["coordinates", "confidence"], labels: ["person", "car"], classCount: 2,
        shape: [1, -1, 6], layout: .endToEnd),
      nms: SuppressionSettings(embedded: true, confidence: 0.25))
    let calls = Counter()
    let backend = ModelBackend(
      load: { (_, _) throws(ModelError) in model },
      compile: { (model, _) throws(ModelError) in
        InferenceSession(
          model: model, deviceName: "fake", executedPrecision: .f16,
          requests: [NamedOutputRequest(Fake(calls: calls), description: model)])
      })
    let summary = try await DetectionRun(options, backend: backend).run(stop: StopSignal(), reporter: .silent)
    #expect(summary.frames.published == 9)
    #expect(summary.detectionsByLabel == ["car": 12])
    let frames = try EventLog(path: scratch.path("events.jsonl")).detections
    #expect(frames.map(\.detections.count) == [0, 1, 2, 3, 0, 1, 2, 3, 0])
    // The same box several times stays: the model has suppressed already.
    let box = try #require(frames[1].detections.first?.box)
    // 16 of 64 model pixels are 80 of 320.
    #expect(abs(box.x - 120) < 0.01 && abs(box.width - 80) < 0.01)
    #expect(abs(box.y - 50) < 0.01 && abs(box.height - 80) < 0.01)
  }
}
