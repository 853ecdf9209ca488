import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieMedia
import EyrieTestSupport
import EyrieVision
import Foundation
import Testing

@testable import EyriePipeline

/// Each stage alone.
@Suite("A stage", .timeLimit(.minutes(10)))
struct StageTests {
  private func frames(_ count: Int, size: String = "320x180") async throws -> [SourceFrame] {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: count, size: size)
    let reader = try VideoReader(MediaInput(scratch.path("clip.mp4")))
    let source = RunningSource(try SourceID("clip"), input: MediaInput("clip.mp4"))
    var frames: [SourceFrame] = []
    while let frame = try reader.nextFrame() {
      frames.append(SourceFrame(frame, from: source, arrival: frame.arrival))
    }
    return frames
  }

  private func setup(_ model: ModelDescription) throws -> DetectorSetup {
    try DetectorSetup(model: model, plan: DetectorPlan(name: "detect", model: "fake"))
  }

  @Test("resize letterboxes into the request's own memory, and holds one request a frame")
  func resize() async throws {
    let session = try FakeModel.session(requests: 12) { _ in FakeModel.nothing }
    let outcome = try await StageRunner.run(
      ResizeStage(sessions: DetectorSessions(session)), on: try await frames(10))
    #expect(outcome.outputs.count == 10)
    #expect(session.availableCount == 2)
    for output in outcome.outputs {
      let input = try #require(output.input)
      // 320×180 in 64×64: 64×36, with 14 rows of padding above and below.
      #expect(input.transform.content == PixelRectangle(x: 0, y: 14, width: 64, height: 36))
      let padding = input.request.withInput { bytes in
        [bytes[0], bytes[bytes.count - 1]]
      }
      #expect(padding.allSatisfy { $0 == 114 })
      #expect(input.request.withInput { bytes in bytes.contains { $0 != 114 } })
    }
  }

  @Test("detect keeps the order of frames although inferences end in any order", arguments: [1, 3, 8])
  func detectOrder(requests: Int) async throws {
    // One request more than frames: the stage asks for the next before it learns that there is none.
    let session = try FakeModel.session(requests: 31) { bytes in
      for _ in 0..<Int(bytes[64 * 32] % 11) { await Task.yield() }
      return FakeModel.box(classID: 0, confidence: 0.5)
    }
    let prepared = try await StageRunner.run(
      ResizeStage(sessions: DetectorSessions(session)), on: try await frames(30))
    let stage = DetectStage(requests: requests, setup: try setup(session.model), log: { _ in })
    let outcome = try await StageRunner.run(stage, on: prepared.outputs)
    #expect(outcome.outputs.map(\.source.index) == Array(0..<30))
    #expect(outcome.outputs.allSatisfy { $0.objects.count == 1 })
    #expect(outcome.snapshot.isBalanced)
  }

  @Test("detect ends the run when the output is not what the model was described as")
  func unreadableOutput() async throws {
    // Described with 6 rows, gives 7: no later frame can be better.
    let request = FakeRequest(inputBytes: 64 * 64 * 3, shape: [1, 7, 10]) { _ in [] }
    let session = InferenceSession(
      model: try FakeModel.description(), deviceName: "fake", executedPrecision: .f32, requests: [request])
    let source = try await frames(1)
    let transform = try PictureTransform(
      .letterbox, sourceWidth: 320, sourceHeight: 180, modelWidth: 64, modelHeight: 64)
    let item = PreparedFrame(
      source: source[0],
      input: PreparedFrame.Input(
        slot: try await SlotPool(count: 1).acquire(), request: try await session.acquire(),
        transform: transform))
    let stage = DetectStage(requests: 1, setup: try setup(session.model), log: { _ in })
    let error = await #expect(throws: GraphError.self) { try await StageRunner.run(stage, on: [item]) }
    #expect(error?.description.contains("[1, 7, 10]") == true)
  }

  @Test("pacing survives timestamps that jump, and ends when the run stops")
  func pacer() async throws {
    let stop = StopSignal()
    var pacer = Pacer()
    let start = ContinuousClock.now
    #expect(await pacer.wait(for: 5_000_000_000, stop: stop) != nil)
    // An hour ahead, and then back: neither may wait.
    #expect(await pacer.wait(for: 3_605_000_000_000, stop: stop) != nil)
    #expect(await pacer.wait(for: 0, stop: stop) != nil)
    #expect(await pacer.wait(for: .min, stop: stop) != nil)
    #expect(await pacer.wait(for: .max, stop: stop) != nil)
    #expect(ContinuousClock.now - start < .seconds(60))
    stop.request()
    #expect(await pacer.wait(for: .max, stop: stop) == nil)
  }
}

@Suite("A rate meter")
struct RateMeterTests {
  @Test("gives the mean, and the rate that 95 % of the seconds reached")
  func rates() {
    var meter = RateMeter()
    let start = ContinuousClock.now
    // 20 seconds at 30 a second, of which two have only 10.
    for second in 0...20 {
      let frames = [5, 11].contains(second) ? 10 : 30
      for frame in 0..<frames {
        meter.record(at: start + .seconds(second) + .milliseconds(frame * 1_000 / frames))
      }
    }
    #expect(meter.p05 == 10)
    #expect(abs((meter.mean ?? 0) - 590.0 / 20.967) < 0.1)
  }

  @Test("says nothing of one frame, and of a short run its mean")
  func short() {
    var meter = RateMeter()
    #expect(meter.mean == nil)
    #expect(meter.p05 == nil)
    let start = ContinuousClock.now
    meter.record(at: start)
    #expect(meter.mean == nil)
    meter.record(at: start + .milliseconds(500))
    #expect(meter.mean == 2)
    #expect(meter.p05 == 2)
  }

  @Test("counts seconds without any frame")
  func silence() {
    var meter = RateMeter()
    let start = ContinuousClock.now
    meter.record(at: start)
    meter.record(at: start + .seconds(10))
    #expect(meter.p05 == 0)
  }
}
