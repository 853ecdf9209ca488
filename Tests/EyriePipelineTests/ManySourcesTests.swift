import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieTestSupport
import Foundation
import Testing

@testable import EyriePipeline

/// Several sources in one run.
@Suite("A run of several sources", .timeLimit(.minutes(10)))
struct ManySourcesTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func clip(_ name: String, frames: Int, size: String = "320x180") async throws -> String {
    let path = scratch.path(name)
    try await Clip.pattern(path, frames: frames, size: size)
    return path
  }

  @Test("accounts for every frame of each, in order")
  func accounting() async throws {
    let inputs = [
      try await clip("long.mp4", frames: 60), try await clip("short.mp4", frames: 5, size: "64x96"),
      try await clip("wide.mp4", frames: 31, size: "640x80"),
    ]
    var options = RunOptions(inputs: inputs, model: "fake")
    options.jsonl = scratch.path("events.jsonl")
    let backend = try FakeModel.backend(requests: 3) { bytes in
      for _ in 0..<Int(bytes[64 * 32] % 7) { await Task.yield() }
      return FakeModel.box(classID: 1, confidence: 0.9)
    }
    let summary = try await DetectionRun(options, backend: backend).run(
      stop: StopSignal(), reporter: .silent)
    let log = try EventLog(path: scratch.path("events.jsonl"))
    for (name, frames, width) in [("long", 60, 320), ("short", 5, 64), ("wide", 31, 640)] {
      let events = log.detections.filter { $0.source.value == name }
      #expect(events.map(\.frame) == Array(0..<frames))
      #expect(events.map(\.sequence) == (0..<frames).map(UInt64.init))
      #expect(events.allSatisfy { $0.width == width && $0.dropped == DropCounts() })
      #expect(log.stream.filter { $0.source.value == name }.map(\.state) == [.connected, .ended])
      let source = try #require(summary.sources[name])
      #expect(source.frames == frames && source.inferred == frames && source.published == frames)
      #expect(source.dropped == [:] && source.width == width && source.fps.source == 25)
      // Each source's own boxes are in its own pixels, to the rounding of the letterbox.
      let box = try #require(events.first?.detections.first?.box)
      #expect(abs(box.x + box.width / 2 - Double(width) / 2) <= 1)
    }
    #expect(summary.frames.decoded == 96 && summary.frames.published == 96)
    #expect(summary.stages["decode"]?.processed == 96)
    #expect(summary.fps.source == nil)
    #expect(summary.events.published == log.all.count)
  }

  @Test("tells the end of a source when it comes, while others go on")
  func endOfOne() async throws {
    let text = """
      sources:
        long: {input: \(try await clip("long.mp4", frames: 40)), pacing: realtime}
        short: {input: \(try await clip("short.mp4", frames: 5))}
      stages: {detect: {from: [long, short], model: m}}
      sinks: {jsonl: {from: detect, path: \(scratch.path("events.jsonl"))}}
      """
    let backend = try FakeModel.backend { _ in FakeModel.nothing }
    _ = try await DetectionRun(try PipelineFileFixture.file(text).plan(), backend: backend).run(
      stop: StopSignal(), reporter: .silent)
    let order = try EventLog(path: scratch.path("events.jsonl")).all.map { "\($0.type) \($0.source)" }
    let end = try #require(order.lastIndex(of: "stream short"))
    let last = try #require(order.lastIndex(of: "detections long"))
    #expect(end < last)
  }

  @Test("names sources that are called the same apart, and refuses what fits one source only")
  func names() throws {
    let plan = try RunPlan(
      RunOptions(inputs: ["a/cam.mp4", "b/cam.mp4", "cam-2.mp4", "rtsp://h/cam"], model: "m"))
    #expect(plan.sources.map(\.id.value) == ["cam", "cam-2", "cam-2-2", "h/cam"])
    var options = RunOptions(inputs: ["a", "b"], model: "m")
    options.source = "one"
    #expect(throws: EyrieFailure.self) { try RunPlan(options) }
    #expect(throws: EyrieFailure.self) { try RunPlan(RunOptions(inputs: [], model: "m")) }
  }

  @Test("gives all cores and no request to spare to what comes alone at its own pace")
  func requests() throws {
    func compile(_ sources: String) throws -> CompileOptions {
      let text = """
        sources: {\(sources)}
        stages: {detect: {from: [\(sources.contains("b:") ? "a, b" : "a")], model: m}}
        sinks: {jsonl: {from: detect, path: e}}
        """
      return try #require(try PipelineFileFixture.file(text).plan().detectors.first).compile
    }
    let camera = "{input: 'rtsp://h/c'}"
    for (sources, spare, performance) in [
      ("a: {input: f}, b: {input: g}", 1, CompileOptions.Performance.throughput),
      ("a: \(camera)", 0, .latency), ("a: {input: f, pacing: realtime}", 0, .latency),
      ("a: \(camera), b: {input: f}", 1, .throughput), ("a: \(camera), b: \(camera)", 1, .throughput),
    ] {
      let options = try compile(sources)
      #expect(options.spareRequests == spare && options.performance == performance, "\(sources)")
    }
  }

  @Test("fails before the run when one of the inputs cannot be opened, and names it")
  func missing() async throws {
    let good = try await clip("good.mp4", frames: 5)
    let run = try await Tool.eyrie.run([
      "run", good, scratch.path("gone.mp4"), "--model", TinyDetector.path, "--jsonl",
      scratch.path("events.jsonl"),
    ])
    #expect(run.code == 1)
    #expect(run.errorLines.count == 1 && run.errors.contains("gone.mp4"))
  }

  @Test("goes on with the others when a source fails for good, and ends with its error")
  func failureOfOne() async throws {
    let text = """
      sources:
        good: {input: \(try await clip("good.mp4", frames: 30)), pacing: realtime}
        dead:
          input: rtsp://127.0.0.1:9/nothing
          reconnect: {min_delay: 10ms, max_delay: 10ms, max_attempts: 2}
      stages: {detect: {from: [good, dead], model: m}}
      sinks: {jsonl: {from: detect, path: \(scratch.path("events.jsonl"))}}
      """
    let backend = try FakeModel.backend { _ in FakeModel.nothing }
    let failure = await #expect(throws: EyrieFailure.self) {
      try await DetectionRun(try PipelineFileFixture.file(text).plan(), backend: backend).run(
        stop: StopSignal(), reporter: .silent)
    }
    #expect(failure?.description.hasPrefix("1 of 2 sources failed: rtsp://127.0.0.1:9/nothing: ") == true)
    #expect(failure?.kind == .run)
    let log = try EventLog(path: scratch.path("events.jsonl"))
    #expect(log.detections.count == 30)
    let states = log.stream.filter { $0.source.value == "dead" }.map(\.state)
    #expect(states == [.reconnecting, .reconnecting, .failed])
    #expect(log.stream.filter { $0.source.value == "good" }.map(\.state) == [.connected, .ended])
  }

  @Test("fails when every source has, with the first error")
  func failureOfAll() async throws {
    let reconnect = "reconnect: {min_delay: 10ms, max_delay: 10ms, max_attempts: 1}"
    let text = """
      sources:
        a: {input: "rtsp://127.0.0.1:9/a", \(reconnect)}
        b: {input: "rtsp://127.0.0.1:9/b", \(reconnect)}
      stages: {detect: {from: [a, b], model: m}}
      sinks: {jsonl: {from: detect, path: \(scratch.path("events.jsonl"))}}
      """
    let backend = try FakeModel.backend { _ in FakeModel.nothing }
    let failure = await #expect(throws: EyrieFailure.self) {
      try await DetectionRun(try PipelineFileFixture.file(text).plan(), backend: backend).run(
        stop: StopSignal(), reporter: .silent)
    }
    #expect(failure?.description.hasPrefix("2 of 2 sources failed: rtsp://127.0.0.1:9/a: ") == true)
    let states = try EventLog(path: scratch.path("events.jsonl")).stream.map(\.state)
    #expect(states.count { $0 == .failed } == 2)
  }

  @Test("leads sources through several detectors to several sinks, as a file says")
  func detectorsAndSinks() async throws {
    let first = try await clip("first.mp4", frames: 9)
    let second = try await clip("second.mp4", frames: 7)
    let text = """
      sources: {a: {input: \(first)}, b: {input: \(second)}}
      stages:
        decode: {from: [a, b]}
        resize: {from: {name: decode, capacity: 2}}
        people: {kind: detect, from: resize, model: \(TinyDetector.path), classes: [person]}
        cars: {kind: detect, from: b, model: \(TinyDetector.path), classes: [car]}
      sinks:
        all: {kind: jsonl, from: [people, cars], path: \(scratch.path("all"))}
        copy: {kind: jsonl, from: [cars, people], path: \(scratch.path("copy"))}
        cars_only: {kind: jsonl, from: {name: cars, capacity: 1}, path: \(scratch.path("cars"))}
        picture: {kind: annotate, from: people, path: \(scratch.path("people.jpg"))}
      """
    let file = try scratch.write(Array(text.utf8), to: "p.yaml")
    let run = try await Tool.eyrie.run(["run", file, "--summary", scratch.path("summary.json")])
    #expect(run.code == 0, "\(run.errors)")
    let all = try EventLog(path: scratch.path("all"))
    func labels(_ log: EventLog, _ source: String) -> [String: Int] {
      log.detections.filter { $0.source.value == source }.flatMap(\.detections)
        .reduce(into: [:]) { $0[$1.label, default: 0] += 1 }
    }
    #expect(labels(all, "a") == ["person": 9])
    #expect(labels(all, "b") == ["person": 7, "car": 7])
    // One stage made the events of both, so they are the same.
    #expect(try EventLog(path: scratch.path("copy")).all == all.all)
    let cars = try EventLog(path: scratch.path("cars"))
    #expect(labels(cars, "a") == [:] && labels(cars, "b") == ["car": 7])
    for log in [all, cars] {
      for source in ["a", "b"] {
        let sequences = log.detections.filter { $0.source.value == source }.map(\.sequence)
        #expect(sequences == sequences.indices.map(UInt64.init))
      }
    }
    #expect(FileManager.default.fileExists(atPath: scratch.path("people.jpg")))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let summary = try decoder.decode(
      RunSummary.self, from: Data(contentsOf: URL(fileURLWithPath: scratch.path("summary.json"))))
    #expect(summary.models.count == 2)
    #expect(summary.sources["a"]?.inferred == 9 && summary.sources["b"]?.inferred == 14)
    // Each result counts once, wherever it goes.
    #expect(summary.frames.published == 23)
    let stages = Set(summary.stages.keys)
    #expect(stages.isSuperset(of: ["decode", "resize", "people", "cars", "all", "cars_only"]))
  }

  @Test("runs whatever the stages of a file are called", arguments: ["publish", "annotate", "people"])
  func names(of detector: String) async throws {
    let text = """
      sources: {a: {input: \(try await clip("a.mp4", frames: 3))}}
      stages: {\(detector): {kind: detect, from: a, model: m}, measure: {kind: detect, from: a, model: m}}
      sinks:
        events: {kind: jsonl, from: \(detector), path: \(scratch.path("events.jsonl"))}
        picture: {kind: annotate, from: measure, path: \(scratch.path("picture.jpg"))}
      """
    let backend = try FakeModel.backend { _ in FakeModel.box(classID: 0, confidence: 0.9) }
    let summary = try await DetectionRun(try PipelineFileFixture.file(text).plan(), backend: backend).run(
      stop: StopSignal(), reporter: .silent)
    #expect(summary.frames.published == 6)
    #expect(try EventLog(path: scratch.path("events.jsonl")).detections.count == 3)
    #expect(FileManager.default.fileExists(atPath: scratch.path("picture.jpg")))
    // Both detectors gave a result for each frame: that is no stream time gained.
    let ratio = try #require(summary.realtimeRatio)
    #expect(abs(ratio * summary.wallS - 0.12) < 1e-6)
  }

  @Test("drops nothing of files, and of live sources only what was overtaken; the sums agree")
  func lossesAreOnesOwn() async throws {
    let fast = try await clip("fast.mp4", frames: 120)
    let slow = try await clip("slow.mp4", frames: 10)
    let text = """
      sources: {fast: {input: \(fast)}, slow: {input: \(slow), pacing: realtime}}
      stages:
        detect: {from: [{name: fast, capacity: 1, overflow: dropOldest}, slow], model: m}
      sinks: {jsonl: {from: detect, path: \(scratch.path("events.jsonl"))}}
      """
    let backend = try FakeModel.backend(requests: 1) { _ in
      try await Task.sleep(for: .milliseconds(5))
      return FakeModel.nothing
    }
    let plan = try PipelineFileFixture.file(text).plan()
    let summary = try await DetectionRun(plan, backend: backend).run(stop: StopSignal(), reporter: .silent)
    let lost = summary.sources["fast"]?.dropped["resize"]?["queue_full"] ?? 0
    #expect(lost > 0)
    #expect(summary.sources["fast"].map { $0.frames == $0.inferred + lost } == true)
    #expect(summary.sources["slow"]?.dropped == [:] && summary.sources["slow"]?.published == 10)
    #expect(summary.frames.dropped == ["resize": ["queue_full": lost]])
    let events = try EventLog(path: scratch.path("events.jsonl")).detections
    #expect(events.filter { $0.source.value == "slow" }.allSatisfy { $0.dropped == DropCounts() })
    let told = try #require(events.last { $0.source.value == "fast" })
    #expect(told.dropped["resize", "queue_full"] <= lost)
  }

  @Test("serves sources in turn: a dead, a slow and a huge one cost the others no more than their share")
  func fairness() async throws {
    let sizes = ["320x240", "160x96", "768x432", "1280x720", "640x360", "3840x2160"]
    var sources = ""
    for size in sizes {
      let path = try await clip("\(size).mp4", frames: 25, size: size)
      sources += "  s\(size): {input: \(path), loop: true}\n"
    }
    let slow = scratch.path("slow.mp4")
    try await Clip.pattern(slow, frames: 10, rate: 1)
    let text = """
      sources:
      \(sources)
        slow: {input: \(slow), loop: true, pacing: realtime}
        dead: {input: "rtsp://127.0.0.1:9/nothing"}
      stages: {detect: {from: [\(sizes.map { "s\($0)" }.joined(separator: ", ")), slow, dead], model: m}}
      sinks: {jsonl: {from: detect, path: \(scratch.path("events.jsonl"))}}
      """
    let stop = StopSignal()
    let calls = Counter()
    let backend = try FakeModel.backend { _ in
      // The detector is what is short, also where other tests keep the machine busy: each source gets seven
      // frames a second, which can be decoded at 3840×2160 too.
      try? await Task.sleep(for: .milliseconds(40))
      if calls.next() == 400 { stop.request() }
      return FakeModel.nothing
    }
    let summary = try await DetectionRun(try PipelineFileFixture.file(text).plan(), backend: backend)
      .run(stop: stop, reporter: .silent)
    let shares = sizes.map { summary.sources["s\($0)"]?.inferred ?? 0 }
    let fair = Double(shares.reduce(0, +)) / Double(shares.count)
    #expect(fair > 50)
    for (size, share) in zip(sizes, shares) {
      #expect(abs(Double(share) - fair) <= 0.1 * fair, "\(size): \(share) of \(shares)")
    }
    #expect((summary.sources["slow"]?.inferred ?? 0) > 0)
    #expect(summary.sources["dead"]?.frames == 0 && (summary.sources["dead"]?.errors ?? 0) > 0)
    #expect(summary.frames.decoded == summary.frames.inferred + summary.frames.dropped.total)
  }
}

extension [String: [String: Int]] {
  /// The sum of losses by stage and reason.
  fileprivate var total: Int { values.reduce(0) { $0 + $1.values.reduce(0, +) } }
}
