import EyrieGraph
import EyrieInference
import EyrieTestSupport
import Foundation
import Testing

@testable import EyriePipeline

@Suite("A benchmark", .timeLimit(.minutes(10)))
struct BenchRunTests {
  @Test("measures the parts, the bound and the whole")
  func endToEnd() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("small.mp4"), frames: 30, size: "160x96")
    try await Clip.pattern(scratch.path("large.mp4"), frames: 30)
    var options = BenchOptions(
      RunOptions(inputs: [scratch.path("small.mp4"), scratch.path("large.mp4")], model: "fake"))
    options.rounds = 1
    options.seconds = 0.3
    options.copies = 2
    let bench = try BenchRun(
      options, backend: try FakeModel.backend { _ in FakeModel.box(classID: 0, confidence: 0.9) })
    let report = try await bench.run(stop: StopSignal()) { _ in }
    let round = try #require(report.rounds.first)
    #expect(report.rounds.count == 1)
    #expect(report.sources == 4)
    #expect(report.inputs.map(\.sources) == [2, 2])
    #expect(report.inputs.map(\.width) == [160, 320])
    #expect(report.inputs.allSatisfy { $0.codec == "h264" })
    #expect(report.models.map(\.name) == ["fake"])
    for value in [
      round.rawInferenceFps, round.inferenceCpuMs, round.decodeCpuMs, round.scaleCpuMs, round.boundFps,
      round.pipelineFps, round.pipelineCpuMs, round.pipelineCpuCores, round.ratio, report.cpuCores,
      report.memory.peakMb,
    ] {
      #expect(value > 0 && value.isFinite)
    }
    #expect(round.boundFps <= round.rawInferenceFps)
    #expect(round.ratio == round.pipelineFps / round.boundFps)
    let parts = round.inferenceCpuMs + round.decodeCpuMs + round.scaleCpuMs
    #expect(abs(round.cpuRatio - parts / round.pipelineCpuMs) < 1e-9)
    #expect(round.pipelineCpuCores <= report.cpuCores * 1.1)
    #expect(report.ratio.median == round.ratio)
    #expect(Set(report.stages.keys).isSuperset(of: ["decode", "resize", "detect", "publish"]))
    #expect(report.limit.contains("of the CPU time of a frame"))
    #expect(report.against == nil && report.scaling == nil)
    // Every event was made and encoded, as for a subscriber.
    #expect((report.stages["publish"]?.processed ?? 0) > 0)
  }

  @Test("reports the rounds that were complete when it is stopped")
  func stopped() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 20)
    var options = BenchOptions(RunOptions(input: scratch.path("clip.mp4"), model: "fake"))
    options.rounds = 1_000
    options.seconds = 0.1
    let bench = try BenchRun(options, backend: try FakeModel.backend { _ in FakeModel.nothing })
    let stop = StopSignal()
    let report = try await bench.run(stop: stop) { line in
      if line.hasPrefix("round 2:") { stop.request() }
    }
    #expect(report.rounds.count == 2)
    let error = await #expect(throws: EyrieFailure.self) { try await bench.run(stop: stop) { _ in } }
    #expect(error?.kind == .stopped)
  }

  @Test(
    "refuses what it cannot do before anything is measured",
    arguments: [
      ("--rounds", { @Sendable (options: inout BenchOptions) in options.rounds = 0 }),
      ("--seconds", { $0.seconds = 0 }), ("--seconds", { $0.seconds = .nan }),
      ("--sources", { $0.copies = 0 }), ("--sources", { $0.copies = 257 }),
      ("--requests", { $0.run.requests = 0 }), ("--weights", { $0.weights = "/dev/null" }),
      (
        "--weights",
        {
          $0.peer = .ultralytics
          $0.weights = "/no/such.pt"
        }
      ),
      (
        "--against",
        {
          $0.peer = .ultralytics
          $0.copies = 2
        }
      ),
      ("live", { $0.run.inputs = ["rtsp://camera/live"] }),
    ] as [(String, @Sendable (inout BenchOptions) -> Void)])
  func wrongOptions(hint: String, change: @Sendable (inout BenchOptions) -> Void) throws {
    var options = BenchOptions(RunOptions(input: "a.mp4", model: "m"))
    change(&options)
    let error = #expect(throws: EyrieFailure.self) { try BenchRun(options) }
    #expect(error?.kind == .usage)
    #expect(error?.description.contains(hint) == true, "\(String(describing: error))")
  }

  @Test("gives a process of its own what the options say")
  func arguments() {
    var run = RunOptions(input: "a.mp4", model: "m")
    run.precision = .f32
    run.requests = 3
    run.inputSize = .exact(width: 640, height: 384)
    run.rect = false
    var options = BenchOptions(run)
    options.copies = 2
    options.seconds = 4
    #expect(
      ChildRun.arguments(options.pipeline) == [
        "run", "a.mp4", "a.mp4", "--model", "m", "--precision", "f32", "--requests", "3", "--input-size",
        "640x384", "--no-rect", "--duration", "4.0", "--jsonl", "/dev/null", "--loop",
      ])
  }

  @Test("runs one source and several in processes of their own")
  func scaling() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 20)
    var options = BenchOptions(RunOptions(input: scratch.path("clip.mp4"), model: TinyDetector.path))
    options.rounds = 1
    options.seconds = 0.5
    options.scaling = true
    options.executable = Tool.eyrie.path
    let report = try await BenchRun(options).run(stop: StopSignal()) { _ in }
    let steps = try #require(report.scaling?.steps)
    #expect(steps.map(\.sources) == [1, 4, 16])
    for step in steps {
      #expect(step.fps.median > 0 && step.cpuMs.median > 0 && step.cpuRatio.median > 0)
      #if os(Linux)
        #expect(step.residentMb.median > 0 && step.peakMb.median >= step.residentMb.median)
      #endif
    }
    #expect(steps.map { $0.mbPerAddedSource != nil } == [false, true, true])
  }
}
