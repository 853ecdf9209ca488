import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieTestSupport
import Synchronization
import Testing

@testable import EyriePipeline

/// A stage that cannot go on, behind a source that came to its end long before.
@Suite("A run that a stage ends", .timeLimit(.minutes(2)))
struct FatalStageTests {
  /// Gives so many readable outputs, and then others.
  private final class FailingRequest: InferenceRequest, @unchecked Sendable {
    // Unchecked because it only hands on to a request that has one owner at a time.
    private let request: FakeRequest
    private let readable: Int
    private let calls = Atomic(0)

    init(readable: Int) {
      self.readable = readable
      request = FakeRequest(inputBytes: 64 * 64 * 3, shape: [1, 6, 10]) { _ in FakeModel.nothing }
    }

    var input: UnsafeMutableRawBufferPointer { request.input }

    func infer(count: Int) async throws(InferenceError) {
      calls.wrappingAdd(1, ordering: .relaxed)
      try await request.infer(count: count)
    }

    func output(_ index: Int) throws(InferenceError) -> TensorView {
      let view = try request.output(index)
      guard calls.load(ordering: .relaxed) > readable else { return view }
      return TensorView(elementType: .i32, shape: view.shape, bytes: view.bytes)
    }
  }

  @Test(
    "tells the failure as the end of its sources, also of one that had given its last frame",
    arguments: [0, 1, 2], 0..<5)
  func told(readable: Int, round: Int) async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 4)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    options.jsonl = scratch.path("events.jsonl")
    let session = InferenceSession(
      model: try FakeModel.description(), deviceName: "fake", executedPrecision: .f32,
      requests: [FailingRequest(readable: readable)])
    let backend = ModelBackend(
      load: { (_, _) throws(ModelError) in session.model },
      compile: { (_, _) throws(ModelError) in session })
    let failure = await #expect(throws: EyrieFailure.self) {
      try await DetectionRun(options, backend: backend).run(stop: StopSignal(), reporter: .silent)
    }
    let told = try EventLog(path: scratch.path("events.jsonl")).stream
    // What was inferred before may have been on its way to the subscribers still.
    #expect(told.last?.state == .failed && !told.contains { $0.state == .ended })
    #expect(told.last?.message == failure?.description)
    #expect(failure?.description.contains("i32") == true)
  }
}
