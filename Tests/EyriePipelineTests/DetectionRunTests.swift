import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieMedia
import EyrieTestSupport
import Foundation
import Synchronization
import Testing

@testable import EyriePipeline

@Suite("A run", .timeLimit(.minutes(10)))
struct DetectionRunTests {
  struct Broken: Error {}

  @Test("accounts for every frame and gives each one event, in order", arguments: [1, 2, 5])
  func accounting(requests: Int) async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 60)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    options.jsonl = scratch.path("events.jsonl")
    options.summary = scratch.path("summary.json")
    let run = try DetectionRun(
      options,
      backend: try FakeModel.backend(requests: requests) { bytes in
        // Work that takes a different time for each frame.
        for _ in 0..<Int(bytes[0] % 7) { await Task.yield() }
        return FakeModel.box(classID: 1, confidence: 0.9)
      })
    let summary = try await run.run(stop: StopSignal(), reporter: .silent)
    #expect(summary.frames.decoded == 60)
    #expect(summary.frames.inferred == 60)
    #expect(summary.frames.published == 60)
    #expect(summary.frames.dropped == [:])
    #expect(summary.detections == 60)
    #expect(summary.detectionsByLabel == ["car": 60])
    #expect(summary.sources["clip"]?.width == 320)
    #expect(summary.fps.source == 25)
    let log = try EventLog(path: scratch.path("events.jsonl"))
    #expect(log.detections.map(\.frame) == Array(0..<60))
    #expect(log.detections.map(\.sequence) == (0..<60).map(UInt64.init))
    #expect(log.detections.map(\.presentationTime) == (0..<60).map { Int64($0) * 40_000_000 })
    #expect(log.stream.map(\.state) == [.connected, .ended])
    #expect(summary.events.published == log.all.count)
    let box = try #require(log.detections.first?.detections.first?.box)
    // 16 of 64 model pixels are 80 of 320, and the picture is letterboxed.
    #expect(abs(box.width - 80) < 0.01)
    #expect(abs(box.x - 120) < 0.01)
    let written = try Data(contentsOf: URL(fileURLWithPath: scratch.path("summary.json")))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    #expect(try decoder.decode(RunSummary.self, from: written) == summary)
  }

  @Test("counts the frames that inference fails on, and goes on")
  func failingInference() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 40)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    options.jsonl = scratch.path("events.jsonl")
    let calls = Counter()
    let lines = Lines()
    let run = try DetectionRun(
      options,
      backend: try FakeModel.backend { _ in
        if calls.next().isMultiple(of: 4) { throw Broken() }
        return FakeModel.nothing
      })
    let summary = try await run.run(stop: StopSignal(), reporter: RunReporter(log: { lines.add($0) }))
    #expect(summary.frames.decoded == 40)
    #expect(summary.frames.inferred == 30)
    #expect(summary.frames.dropped == ["detect": ["inference_failed": 10]])
    #expect(summary.stages["detect"]?.errors == 10)
    #expect(summary.warnings.count == 1)
    let log = try EventLog(path: scratch.path("events.jsonl"))
    #expect(log.detections.count == 30)
    // An event carries what was lost when it was made: the tenth failure, that of the last frame to be inferred,
    // may come before or after the last event.
    let told = try #require(log.detections.last?.dropped["detect", "inference_failed"])
    #expect((9...10).contains(told))
    #expect(log.detections.map(\.sequence) == (0..<30).map(UInt64.init))
    // The first failure in full and the tenth as a count, not ten lines.
    #expect(lines.all.filter { $0.contains("Broken") }.count == 2)
  }

  @Test("fails when inference failed on every frame until the time was over")
  func failingUntilStopped() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 9)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    options.loop = true
    options.jsonl = scratch.path("events.jsonl")
    let stop = StopSignal()
    let calls = Counter()
    let run = try DetectionRun(
      options,
      backend: try FakeModel.backend { _ in
        if calls.next() == 20 { stop.request() }
        throw Broken()
      })
    let failure = await #expect(throws: EyrieFailure.self) {
      try await run.run(stop: stop, reporter: .silent)
    }
    #expect(failure?.description.contains("frames could be processed (inference_failed)") == true)
    #expect(try EventLog(path: scratch.path("events.jsonl")).stream.map(\.state) == [.failed])
  }

  @Test("fails when inference failed on every frame, and still writes the summary")
  func failingEveryFrame() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 9)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    options.summary = scratch.path("summary.json")
    let run = try DetectionRun(options, backend: try FakeModel.backend { _ in throw Broken() })
    let failure = await #expect(throws: EyrieFailure.self) {
      try await run.run(stop: StopSignal(), reporter: .silent)
    }
    #expect(failure?.kind == .run)
    #expect(failure?.description.contains("not one of 9 frames could be processed") == true)
    let written = try Data(contentsOf: URL(fileURLWithPath: scratch.path("summary.json")))
    let summary = try #require(try JSONSerialization.jsonObject(with: written) as? [String: Any])
    // What is not known is null, not left out.
    let rates = try #require(summary["fps"] as? [String: Any])
    #expect(Set(rates.keys) == ["mean", "p05", "source"])
    #expect(rates["mean"] is NSNull)
    #expect(Set(try #require(summary["latency_ms"] as? [String: Any]).keys) == ["p50", "p95", "p99", "max"])
    #expect(summary["realtime_ratio"] is NSNull)
  }

  @Test("measures the latency of a file from when it is played, not from when it was opened")
  func latency() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 3)
    let session = try FakeModel.session(requests: 1) { _ in FakeModel.nothing }
    let slow = ModelBackend(
      load: { (_, _) throws(ModelError) in session.model },
      compile: { (_, _) throws(ModelError) in
        try? await Task.sleep(for: .seconds(1))
        return session
      })
    let start = ContinuousClock.now
    let summary = try await DetectionRun(
      RunOptions(input: scratch.path("clip.mp4"), model: "fake"), backend: slow
    )
    .run(stop: StopSignal(), reporter: .silent)
    let rest = (ContinuousClock.now - start) / .milliseconds(1) - 1_000
    #expect(try #require(summary.latencyMs.max) <= rest)
    // Nobody was told anything.
    #expect(summary.events.published == 0)
    #expect(summary.frames.published == 3)
  }

  @Test("refuses to begin once it is stopped")
  func stoppedBefore() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 3)
    let stop = StopSignal()
    stop.request()
    let run = try DetectionRun(
      RunOptions(input: scratch.path("clip.mp4"), model: "fake"),
      backend: try FakeModel.backend { _ in FakeModel.nothing })
    let failure = await #expect(throws: EyrieFailure.self) {
      try await run.run(stop: stop, reporter: .silent)
    }
    #expect(failure?.kind == .stopped)
  }

  @Test("drops the oldest frames where asked to, and accounts for them")
  func overflow() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 80)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    options.overflow = .dropOldest
    let door = StopSignal()
    let stop = StopSignal()
    let decoded = Counter()
    let run = try DetectionRun(
      options,
      backend: try FakeModel.backend(requests: 1) { _ in
        // Inference stands still until the whole clip has been decoded.
        if decoded.next() == 1 { await door.wait() }
        return FakeModel.nothing
      })
    async let result = run.run(
      stop: stop,
      reporter: RunReporter(
        log: { _ in },
        progress: { progress in
          if progress.dropped > 0 { door.request() }
        }))
    let summary = try await result
    #expect(summary.frames.decoded == 80)
    let dropped = summary.frames.dropped["resize"]?["queue_full"] ?? 0
    #expect(dropped > 0)
    #expect(summary.frames.inferred + dropped == 80)
    #expect(summary.frames.published == summary.frames.inferred)
  }

  @Test("stops after so many frames")
  func maxFrames() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 30)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    options.maxFrames = 7
    options.jsonl = scratch.path("events.jsonl")
    let summary = try await DetectionRun(options, backend: try FakeModel.backend { _ in FakeModel.nothing })
      .run(stop: StopSignal(), reporter: .silent)
    #expect(summary.frames.decoded == 7)
    #expect(summary.frames.published == 7)
    let log = try EventLog(path: scratch.path("events.jsonl"))
    #expect(log.stream.last?.message == "the limit of frames was reached")
  }

  @Test("detects on each Nth frame, or so many a second, and counts what it left out")
  func leftOut() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 50)
    // The last points of the grid are 1.8 and 2.0 s, and the last frame, of 1.96 s, is the nearest to that.
    for (every, maxFPS, frames) in [(5, nil, 10), (1, 5, 11), (2, 5, 11)] as [(Int, Double?, Int)] {
      var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
      options.every = every
      options.maxFPS = maxFPS
      options.jsonl = scratch.path("events.jsonl")
      let summary = try await DetectionRun(options, backend: try FakeModel.backend { _ in FakeModel.nothing })
        .run(stop: StopSignal(), reporter: .silent)
      let events = try EventLog(path: scratch.path("events.jsonl")).detections
      #expect(events.count == frames, "every \(every), max_fps \(maxFPS ?? 0)")
      #expect(events.allSatisfy { $0.frame.isMultiple(of: every) })
      #expect(summary.frames.decoded == events.count && summary.frames.dropped == [:])
      #expect(summary.sources["clip"]?.skipped == 50 - events.count)
    }
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    options.every = 0
    #expect(throws: EyrieFailure.self) { try options.validate() }
  }

  @Test("tells when a picture stops changing, and when it changes again")
  func frozen() async throws {
    let scratch = try Scratch()
    // Half a second that moves, a second and a half that stands, half a second that moves.
    try await Clip.make([
      "-f", "lavfi", "-i",
      "testsrc2=size=320x180:rate=25:duration=0.5,tpad=stop_mode=clone:stop_duration=1.5",
      "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=0.5", "-filter_complex", "concat",
      "-pix_fmt",
      "yuv420p", scratch.path("clip.mp4"),
    ])
    let text = """
      sources: {cam: {input: \(scratch.path("clip.mp4")), pacing: realtime, frozen_after: 500ms}}
      stages: {detect: {from: cam, model: m}}
      sinks: {jsonl: {from: detect, path: \(scratch.path("events.jsonl"))}}
      """
    let backend = try FakeModel.backend { _ in FakeModel.nothing }
    _ = try await DetectionRun(try PipelineFileFixture.file(text).plan(), backend: backend).run(
      stop: StopSignal(), reporter: .silent)
    let changes = try EventLog(path: scratch.path("events.jsonl")).stream
    #expect(changes.map(\.state) == [.connected, .frozen, .connected, .ended])
    guard case .number(let seconds)? = changes.dropFirst().first?.details["unchanged_s"] else {
      Issue.record("no unchanged_s")
      return
    }
    #expect(seconds >= 0.5)
  }

  @Test("decodes on the CPU where a device is missing, and says so once")
  func missingDevice() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 5)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    // Of Apple on Linux, of NVIDIA on Apple.
    #if canImport(Darwin)
      options.hardware = .cuda
    #else
      options.hardware = .videotoolbox
    #endif
    let lines = Lines()
    let summary = try await DetectionRun(options, backend: try FakeModel.backend { _ in FakeModel.nothing })
      .run(stop: StopSignal(), reporter: RunReporter(log: { lines.add($0) }))
    #expect(summary.frames.published == 5)
    #expect(lines.all.filter { $0.contains("decoding in software") }.count == 1)
    #expect(summary.warnings.filter { $0.contains("decoding in software") }.count == 1)
  }

  @Test("marks damaged frames, or drops and counts them")
  func damagedFrames() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.ts"), frames: 75, options: ["-g", "25", "-bf", "0"])
    var bytes = try Array(Data(contentsOf: URL(fileURLWithPath: scratch.path("clip.ts"))))
    // In the middle of the stream, packets of the transport stream are lost.
    let middle = bytes.count / 188 / 2 * 188
    bytes.removeSubrange(middle..<middle + 10 * 188)
    let path = try scratch.write(bytes, to: "damaged.ts")
    for policy in [DamagedFrames.flag, .drop] {
      var options = RunOptions(input: path, model: "fake")
      options.damagedFrames = policy
      options.jsonl = scratch.path("events.jsonl")
      let summary = try await DetectionRun(options, backend: try FakeModel.backend { _ in FakeModel.nothing })
        .run(stop: StopSignal(), reporter: .silent)
      let events = try EventLog(path: scratch.path("events.jsonl")).detections
      let marked = events.filter { $0.damaged == true }.count
      let dropped = summary.frames.dropped["decode"]?["damaged"] ?? 0
      #expect(policy == .flag ? marked > 0 && dropped == 0 : marked == 0 && dropped > 0)
      #expect(summary.frames.decoded == events.count + dropped)
      #expect(events.last?.damaged == nil)
    }
  }

  @Test("goes on over the end of a looped file with time that only grows")
  func loop() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 10)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    options.loop = true
    options.maxFrames = 35
    options.jsonl = scratch.path("events.jsonl")
    _ = try await DetectionRun(options, backend: try FakeModel.backend { _ in FakeModel.nothing })
      .run(stop: StopSignal(), reporter: .silent)
    let events = try EventLog(path: scratch.path("events.jsonl")).detections
    #expect(events.map(\.frame) == Array(0..<35))
    #expect(events.map(\.presentationTime) == (0..<35).map { Int64($0) * 40_000_000 })
  }

  @Test("delivers what is in flight when it is stopped")
  func stop() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 30)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    options.loop = true
    let stop = StopSignal()
    let calls = Counter()
    let run = try DetectionRun(
      options,
      backend: try FakeModel.backend { _ in
        if calls.next() == 100 { stop.request() }
        return FakeModel.nothing
      })
    let summary = try await run.run(stop: stop, reporter: .silent)
    #expect(summary.leftBehind == 0)
    #expect(summary.frames.decoded >= 100)
    #expect(summary.frames.published == summary.frames.decoded)
  }

  @Test("plays a file at the pace of its timestamps")
  func realtime() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 26)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    options.pacing = .realtime
    let start = ContinuousClock.now
    _ = try await DetectionRun(options, backend: try FakeModel.backend { _ in FakeModel.nothing })
      .run(stop: StopSignal(), reporter: .silent)
    // 26 frames at 25 a second: the last is due one second after the first. Never earlier.
    #expect(ContinuousClock.now - start >= .seconds(1))
  }

  @Test("follows a picture that changes its size, and says so")
  func formatChange() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("a.ts"), frames: 10, size: "320x180")
    try await Clip.pattern(scratch.path("b.ts"), frames: 10, size: "160x120")
    let joined = try ["a.ts", "b.ts"].flatMap {
      Array(try Data(contentsOf: URL(fileURLWithPath: scratch.path($0))))
    }
    var options = RunOptions(input: try scratch.write(joined, to: "joined.ts"), model: "fake")
    options.jsonl = scratch.path("events.jsonl")
    _ = try await DetectionRun(
      options, backend: try FakeModel.backend { _ in FakeModel.box(classID: 0, confidence: 0.8) }
    )
    .run(stop: StopSignal(), reporter: .silent)
    let log = try EventLog(path: scratch.path("events.jsonl"))
    #expect(
      log.detections.map(\.width) == Array(repeating: 320, count: 10) + Array(repeating: 160, count: 10))
    #expect(log.stream.map(\.state) == [.connected, .formatChanged, .ended])
    let last = try #require(log.detections.last?.detections.first?.box)
    #expect(abs(last.width - 40) < 0.01)
  }

  @Test("keeps only the classes that are asked for, and names those it does not know")
  func classes() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 5)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    options.classes = ["Person"]
    let car = try FakeModel.backend { _ in FakeModel.box(classID: 1, confidence: 0.9) }
    let summary = try await DetectionRun(options, backend: car).run(stop: StopSignal(), reporter: .silent)
    #expect(summary.detections == 0)
    options.classes = ["persn"]
    let failure = await #expect(throws: EyrieFailure.self) {
      try await DetectionRun(options, backend: car).run(stop: StopSignal(), reporter: .silent)
    }
    #expect(failure?.kind == .usage)
    #expect(failure?.description == "--classes: the model has no class 'persn'; did you mean 'person'?")
  }

  @Test("writes a picture of a few frames")
  func annotate() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 50)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    options.annotate = scratch.path("annotated.jpg")
    _ = try await DetectionRun(
      options, backend: try FakeModel.backend { _ in FakeModel.box(classID: 0, confidence: 0.8) }
    )
    .run(stop: StopSignal(), reporter: .silent)
    let probe = try await Inspection.probe(scratch.path("annotated.jpg"), decode: true, stop: StopSignal())
    // Two columns and two rows of 320×180 with gaps of 8.
    #expect(probe.contains("\"width\" : 664"))
    #expect(probe.contains("\"height\" : 384"))
  }

  @Test("shows what there is, be it on odd frames only, and says where there is nothing")
  func annotateRare() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 40)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    options.annotate = scratch.path("annotated.jpg")
    options.requests = 1
    let calls = Counter()
    let rare = try FakeModel.backend(requests: 1) { _ in
      let call = calls.next()
      return call.isMultiple(of: 2) && call <= 16
        ? FakeModel.box(classID: 0, confidence: 0.8) : FakeModel.nothing
    }
    let shown = try await DetectionRun(options, backend: rare).run(stop: StopSignal(), reporter: .silent)
    #expect(shown.detections == 8)
    #expect(FileManager.default.fileExists(atPath: scratch.path("annotated.jpg")))
    options.annotate = scratch.path("nothing.jpg")
    let nothing = try await DetectionRun(options, backend: try FakeModel.backend { _ in FakeModel.nothing })
      .run(stop: StopSignal(), reporter: .silent)
    #expect(!FileManager.default.fileExists(atPath: scratch.path("nothing.jpg")))
    #expect(nothing.warnings.contains { $0.contains("no frame had a detection") })
  }
}

/// A count that concurrent requests share.
final class Counter: Sendable {
  private let count = Atomic(0)

  /// 1 for the first call.
  func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
}

/// Lines that several threads write.
final class Lines: Sendable {
  private let lines = Mutex<[String]>([])

  var all: [String] { lines.withLock { $0 } }

  func add(_ line: String) { lines.withLock { $0.append(line) } }
}
