import EyrieEvents
import EyrieGraph
import EyrieTestSupport
import Foundation
import Synchronization
import Testing

@testable import EyrieInference
@testable import EyriePipeline

/// A run proves the model by its golden file before the first event.
@Suite("Golden files in a run", .timeLimit(.minutes(10)))
struct GoldenRunTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private static let head = LinearModel.Head.featuresFirst(classes: 2, anchors: 84)

  private func write(_ package: GoldenPackage, to name: String = "package") throws -> String {
    try package.write(to: scratch.url.appendingPathComponent(name), digest: SHA256.hexadecimal(ofFile:))
    return scratch.path(name)
  }

  private func options(_ package: GoldenPackage) async throws -> RunOptions {
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 12)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: try write(package))
    options.precision = .f32
    options.jsonl = scratch.path("events.jsonl")
    return options
  }

  @Test("passes a sound package, which takes no frame", arguments: [1, 3])
  func sound(requests: Int) async throws {
    var options = try await options(GoldenPackage(Self.head))
    options.requests = requests
    let summary = try await DetectionRun(options).run(stop: StopSignal(), reporter: .silent)
    #expect(summary.frames.decoded == 12)
    #expect(summary.frames.inferred == 12)
    #expect(summary.frames.published == 12)
    #expect(summary.stages["detect"]?.processed == 12)
    #expect(try EventLog(path: scratch.path("events.jsonl")).detections.map(\.frame) == Array(0..<12))
  }

  @Test("refuses a damaged package in one line, without an event")
  func damaged() async throws {
    var package = GoldenPackage(Self.head)
    package.channelOrder = "bgr"
    var options = try await options(package)
    options.summary = scratch.path("summary.json")
    let failure = await #expect(throws: EyrieFailure.self) {
      try await DetectionRun(options).run(stop: StopSignal(), reporter: .silent)
    }
    let text = try #require(failure?.description)
    #expect(failure?.kind == .usage)
    for hint in ["golden.safetensors", "f32 boxes", "px", "scores", "eyrie model check"] {
      #expect(text.contains(hint), "\(text)")
    }
    #expect(!text.contains("\n"))
    #expect(try EventLog(path: scratch.path("events.jsonl")).all.isEmpty)
    #expect(!FileManager.default.fileExists(atPath: scratch.path("summary.json")))
  }

  @Test("replays at the size of the golden file where the run has another")
  func otherSize() async throws {
    var package = GoldenPackage(Self.head, size: (96, 64), isDynamic: true)
    let options = try await options(package)
    let log = Compiled()
    let summary = try await DetectionRun(options, backend: log.backend).run(
      stop: StopSignal(), reporter: .silent)
    #expect(summary.models.first?.inputWidth == 64)
    #expect(summary.frames.published == 12)
    // Before the run's own session, and gone by then.
    #expect(log.sizes == [[96, 64], [64, 64]])
    #expect(log.requests.first == 1)
    package.scale = 1.0 / 300
    _ = try write(package)
    await #expect(throws: EyrieFailure.self) {
      try await DetectionRun(options).run(stop: StopSignal(), reporter: .silent)
    }
  }

  @Test("replays once, on the session that will run, where its size is that of the golden file")
  func sameSize() async throws {
    let options = try await options(GoldenPackage(Self.head))
    let log = Compiled()
    _ = try await DetectionRun(options, backend: log.backend).run(stop: StopSignal(), reporter: .silent)
    #expect(log.sizes == [[64, 64]])
  }

  @Test("replays in f32 where the file has no tolerance for the arithmetic of the run")
  func otherArithmetic() async throws {
    var package = GoldenPackage(Self.head)
    let tolerance = package.golden?.metadata["tolerance"] ?? ""
    package.golden?.metadata["tolerance"] = tolerance.replacing("bf16", with: "x").replacing("f16", with: "y")
    var options = try await options(package)
    options.precision = .auto
    let log = Compiled()
    let summary = try await DetectionRun(options, backend: log.backend).run(
      stop: StopSignal(), reporter: .silent)
    #expect(log.precisions == (summary.models.first?.precision == "f32" ? [.f32] : [.bf16, .f32]))
  }

  @Test("says that a package without a golden file was not checked, and runs it")
  func without() async throws {
    var package = GoldenPackage(Self.head)
    package.golden = nil
    let options = try await options(package)
    let lines = Lines()
    let summary = try await DetectionRun(options)
      .run(stop: StopSignal(), reporter: RunReporter(log: { lines.add($0) }))
    #expect(summary.frames.published == 12)
    #expect(lines.all.count { $0.contains("no golden file") } == 1)
  }

  @Test(
    "refuses a golden file that cannot be read, a package that failed its own check, and an inference that fails"
  )
  func unusable() async throws {
    var truncated = GoldenPackage(Self.head)
    truncated.goldenBytes = try truncated.golden?.data().dropLast(5)
    var failed = GoldenPackage(Self.head)
    failed.passed = false
    var hash = try await options(truncated)
    for (package, hint) in [(truncated, "no sound safetensors"), (failed, "validation.passed is false")] {
      hash = try await options(package)
      let failure = await #expect(throws: EyrieFailure.self) {
        try await DetectionRun(hash).run(stop: StopSignal(), reporter: .silent)
      }
      #expect(failure?.kind == .usage)
      #expect(failure?.description.contains(hint) == true, "\(failure?.description ?? "")")
    }
  }

  @Test(
    "refuses a model whose output is not finite, through whatever backend", arguments: [Float.nan, .infinity])
  func fakeBackend(value: Float) async throws {
    let options = try await options(GoldenPackage(Self.head))
    let backend = ModelBackend(
      load: { (path, task) throws(ModelError) in try ModelPackage.load(path, expecting: task) },
      compile: { (model, _) throws(ModelError) in
        let request = FakeRequest(inputBytes: 64 * 64 * 3, shape: [1, 6, 84]) { _ in
          [Float](repeating: value, count: 6 * 84)
        }
        return InferenceSession(
          model: model, deviceName: "fake", executedPrecision: .f32, requests: [request])
      })
    let failure = await #expect(throws: EyrieFailure.self) {
      try await DetectionRun(options, backend: backend).run(stop: StopSignal(), reporter: .silent)
    }
    #expect(failure?.description.contains("NaN or infinity") == true)
  }

  @Test("is what a benchmark refuses too")
  func bench() async throws {
    var package = GoldenPackage(Self.head)
    package.scale = 1
    var options = BenchOptions(try await options(package))
    // Before anything is measured, which would take longer than the test may.
    options.seconds = 3_600
    let bench = try BenchRun(options)
    let failure = await #expect(throws: EyrieFailure.self) {
      try await bench.run(stop: StopSignal()) { _ in }
    }
    #expect(failure?.kind == .usage)
    #expect(failure?.description.contains("golden.safetensors") == true)
  }
}

/// The real backend, with a record of what was compiled.
private final class Compiled: Sendable {
  private let state = Mutex<[(CompileOptions, InferenceSession)]>([])

  var sizes: [[Int]] { state.withLock { $0.map { [$0.1.inputWidth, $0.1.inputHeight] } } }
  var requests: [Int] { state.withLock { $0.map(\.1.requestCount) } }
  var precisions: [ExecutionPrecision] { state.withLock { $0.map(\.1.executedPrecision) } }

  var backend: ModelBackend {
    ModelBackend(
      load: ModelBackend.system.load,
      compile: { (model, options) throws(ModelError) in
        let session = try await ModelBackend.system.compile(model, options)
        self.state.withLock { $0.append((options, session)) }
        return session
      })
  }
}
