import EyrieEvents
import EyrieTestSupport
import Foundation
import Testing

/// The binary as a person meets it.
@Suite("The command line", .timeLimit(.minutes(10)))
struct CommandLineTests {
  /// Runs a command that must fail: one line on stderr that contains the hints, nothing on stdout.
  private func expectFailure(
    _ arguments: [String], code: Int32, contains hints: [String],
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let result = try await Tool.eyrie.run(arguments)
    #expect(result.code == code, "\(arguments): \(result.errors)", sourceLocation: sourceLocation)
    #expect(result.output.isEmpty, "\(arguments)", sourceLocation: sourceLocation)
    #expect(result.errorLines.count == 1, "\(arguments): \(result.errors)", sourceLocation: sourceLocation)
    for hint in hints {
      #expect(
        result.errors.contains(hint), "\(arguments): no '\(hint)' in \(result.errors)",
        sourceLocation: sourceLocation)
    }
  }

  @Test(
    "refuses bad arguments with one line and code 2",
    arguments: [
      (["run"], "input"),
      (["run", "a.mp4"], "--model"),
      (["run", "a.mp4", "--model", "m", "--confidence", "7"], "--confidence"),
      (["run", "a.mp4", "--model", "m", "--confidence", "nan"], "--confidence"),
      (["run", "a.mp4", "--model", "m", "--iou", "-1"], "--iou"),
      (["run", "a.mp4", "--model", "m", "--max-frames", "0"], "--max-frames"),
      (["run", "a.mp4", "--model", "m", "--duration", "-3"], "--duration"),
      (["run", "a.mp4", "--model", "m", "--duration", "inf"], "--duration"),
      (["run", "a.mp4", "--model", "m", "--precision", "f64"], "f64"),
      (["run", "a.mp4", "--model", "m", "--pacing", "slow"], "slow"),
      (["run", "a.mp4", "--model", "m", "--input-size", "0x0"], "0x0"),
      (["run", "a.mp4", "--model", "m", "--requests", "0"], "--requests"),
      (["run", "a.mp4", "--model", "m", "--summary", "/no/such/dir/s.json"], "/no/such/dir"),
      (["run", "a.mp4", "--model", "m", "--jsonl", "/"], "directory"),
      (["run", "a.mp4", "--model", "m", "--nonsense"], "--nonsense"),
      (["run", "a.mp4", "--model", "m", "--summary", ""], "--summary is empty"),
      (["run", "a.mp4", "--model", "m", "--annotate", ""], "--annotate is empty"),
      (["run", "a.mp4", "--model", "m", "--classes", ""], "--classes"),
      (["run", "a.mp4", "--model", "m", "--classes", "person,,car"], "--classes"),
      (["run", "a.mp4", "--model", "m", "--wait-subscribers", "1"], "--publish"),
      (["run", "a.mp4", "--model", "m", "--publish", "inproc://x"], "inproc"),
      (["subscribe", "inproc://x"], "inproc"),
      (["bench", "a.mp4", "--model", "m", "--requests", "0"], "--requests"),
      (["subscribe", "tcp://127.0.0.1"], "tcp://127.0.0.1"),
      (["subscribe", "smoke://signals"], "smoke"),
      (["subscribe", "tcp://127.0.0.1:1", "--count", "0"], "--count"),
      (["subscribe", "tcp://127.0.0.1:1", "--timeout", "0"], "--timeout"),
      (["subscribe", "tcp://127.0.0.1:1", "--topic", "nonsense/"], "nonsense"),
      (["probe"], "input"),
      (["model", "inspect", "/no/such/model"], "/no/such/model"),
      (["model", "check", "/no/such/model"], "/no/such/model"),
      (["nonsense"], "nonsense"),
    ])
  func badArguments(arguments: [String], hint: String) async throws {
    try await expectFailure(arguments, code: 2, contains: [hint])
  }

  @Test("names the input and the reason when it cannot be read")
  func badInputs() async throws {
    let scratch = try Scratch()
    try FileManager.default.createDirectory(
      atPath: scratch.path("folder"), withIntermediateDirectories: false)
    var generator = SystemRandomNumberGenerator()
    let noise = (0..<20_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
    try await Clip.pattern(scratch.path("whole.mp4"), frames: 50)
    let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: scratch.path("whole.mp4"))))
    try await Clip.make(["-f", "lavfi", "-i", "sine=duration=1", scratch.path("audio.m4a")])
    try await Clip.make([
      "-f", "lavfi", "-i", "sine=duration=1", "-f", "lavfi", "-i", "color=s=64x64:d=0.04", "-map", "0",
      "-map",
      "1", "-frames:v", "1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-disposition:v", "attached_pic",
      scratch.path("cover.mp3"),
    ])
    let inputs = [
      scratch.path("missing.mp4"), scratch.path("folder"), try scratch.write([], to: "empty.mp4"),
      try scratch.write(noise, to: "noise.mp4"),
      try scratch.write(Array(whole.prefix(whole.count / 2)), to: "cut.mp4"),
      try scratch.write(Array("<html><body>404</body></html>".utf8), to: "page.mp4"),
      scratch.path("audio.m4a"),
      scratch.path("cover.mp3"),
    ]
    for input in inputs {
      let name = URL(fileURLWithPath: input).lastPathComponent
      let lines = scratch.path("events.jsonl")
      try await expectFailure(
        ["run", input, "--model", TinyDetector.path, "--jsonl", lines], code: 1, contains: [name])
      try await expectFailure(["probe", input], code: 1, contains: [name])
      let events = (try? Data(contentsOf: URL(fileURLWithPath: lines))) ?? Data()
      #expect(events.isEmpty, "\(name) must give no events")
    }
  }

  @Test("names the model and the reason when it cannot be used")
  func badModels() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 3)
    try FileManager.default.createDirectory(
      atPath: scratch.path("nothing"), withIntermediateDirectories: false)
    let models = [
      scratch.path("missing.onnx"), scratch.path("nothing"), try scratch.write([], to: "empty.onnx"),
      try scratch.write(Array("<?xml version=\"1.0\"?><net name=".utf8), to: "corrupt.xml"),
      try scratch.write([0x50, 0x4b, 3, 4], to: "checkpoint.pt"), scratch.path("clip.mp4"),
    ]
    for model in models {
      try await expectFailure(
        ["run", scratch.path("clip.mp4"), "--model", model], code: 2,
        contains: [URL(fileURLWithPath: model).lastPathComponent])
    }
  }

  @Test("refuses endpoints that are malformed or in use, before anything is published")
  func badEndpoints() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 3)
    let run = ["run", scratch.path("clip.mp4"), "--model", TinyDetector.path, "--publish"]
    for endpoint in ["nonsense", "tcp://127.0.0.1", "tcp://127.0.0.1:99999999", "smoke://x", ""] {
      try await expectFailure(run + [endpoint], code: 2, contains: [])
    }
    let publisher = try Occupied()
    try await expectFailure(run + [publisher.endpoint], code: 1, contains: [publisher.endpoint, "in use"])
  }

  @Test("shows help for every command, with an example")
  func help() async throws {
    for command in [
      [], ["run"], ["subscribe"], ["probe"], ["model"], ["model", "inspect"], ["model", "check"],
      ["model", "fetch"],
      ["bench"],
    ] {
      let result = try await Tool.eyrie.run(command + ["--help"])
      #expect(result.code == 0)
      #expect(result.output.contains("EXAMPLE"), "\(command)")
      #expect(result.errors.isEmpty)
    }
  }

  @Test("says what a file is")
  func probe() async throws {
    struct Report: Decodable {
      struct Video: Decodable {
        let codec: String
        let width: Int
        let height: Int
        let rotation: Int
        let frame_rate: Double
        let has_timestamps: Bool
      }
      let video: Video
      let frames: Int?
      let last_pts_s: Double?
    }
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 26)
    let result = try await Tool.eyrie.run(["probe", scratch.path("clip.mp4"), "--decode"])
    #expect(result.code == 0)
    let report = try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
    #expect(report.video.codec == "h264")
    #expect(report.video.width == 320)
    #expect(report.video.height == 180)
    #expect(report.video.rotation == 0)
    #expect(report.video.frame_rate == 25)
    #expect(report.video.has_timestamps)
    #expect(report.frames == 26)
    #expect(report.last_pts_s == 1)
  }

  @Test("publishes to a subscriber that was there before exactly what it made", arguments: ["ipc", "tcp"])
  func publishAndSubscribe(transport: String) async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 120)
    let endpoint = try transport == "ipc" ? "ipc://\(scratch.path("socket"))" : Occupied.freeEndpoint()
    let subscriber = try Tool.eyrie.start([
      "subscribe", endpoint, "--format", "json", "--until-end", "--timeout", "60",
    ])
    let run = try await Tool.eyrie.run([
      "run", scratch.path("clip.mp4"), "--model", TinyDetector.path, "--publish", endpoint,
      "--wait-subscribers", "1",
      "--jsonl", scratch.path("events.jsonl"),
    ])
    #expect(run.code == 0, "\(run.errors)")
    let received = await subscriber.result()
    #expect(received.code == 0, "\(received.errors)")
    #expect(received.errors.contains("lost 0 in 0 gaps"))
    // The same events, one a line.
    let written = try String(contentsOfFile: scratch.path("events.jsonl"), encoding: .utf8)
    #expect(received.output == written)
    #expect(try EventLog(path: scratch.path("events.jsonl")).detections.count == 120)
    let counted = try await Tool.ffprobe.run([
      "-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries", "stream=nb_read_frames",
      "-of",
      "csv=p=0", scratch.path("clip.mp4"),
    ])
    #expect(counted.output.trimmingCharacters(in: .whitespacesAndNewlines) == "120")
  }

  @Test("ends a subscription at a count, and fails it at a timeout")
  func subscribeLimits() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 20)
    let endpoint = "ipc://\(scratch.path("socket"))"
    let nobody = try await Tool.eyrie.run(["subscribe", endpoint, "--timeout", "0.2"])
    #expect(nobody.code == 1)
    #expect(nobody.errors.contains("no event within 0.2 s"))
    let subscriber = try Tool.eyrie.start([
      "subscribe", endpoint, "--topic", "detections/clip", "--count", "5",
    ])
    let run = try await Tool.eyrie.run([
      "run", scratch.path("clip.mp4"), "--model", TinyDetector.path, "--publish", endpoint,
      "--wait-subscribers", "1",
    ])
    #expect(run.code == 0)
    let received = await subscriber.result()
    #expect(received.code == 0)
    #expect(received.output.split(separator: "\n").count == 5)
  }

  @Test("drains and ends with code 0 on SIGINT and SIGTERM", arguments: [SIGINT, SIGTERM])
  func signals(number: Int32) async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 30)
    let events = scratch.path("events.jsonl")
    let run = try Tool.eyrie.start([
      "run", scratch.path("clip.mp4"), "--model", TinyDetector.path, "--loop", "--pacing", "realtime",
      "--jsonl", events,
      "--summary", scratch.path("summary.json"),
    ])
    while ((try? EventLog(path: events).detections.count) ?? 0) < 3, run.isRunning { await Task.yield() }
    run.send(signal: number)
    let result = await run.result()
    #expect(result.code == 0, "\(result.errors)")
    let log = try EventLog(path: events)
    #expect(log.stream.last?.state == .ended)
    #expect(log.stream.last?.message == "stopped")
    #expect(FileManager.default.fileExists(atPath: scratch.path("summary.json")))
  }

  @Test("stops a subscriber that waits", arguments: [SIGINT, SIGTERM])
  func subscriberSignals(number: Int32) async throws {
    let scratch = try Scratch()
    let subscriber = try Tool.eyrie.start(["subscribe", "ipc://\(scratch.path("socket"))"])
    // The signal may come before the handlers are there: then the default action ends it too.
    while subscriber.isRunning {
      subscriber.send(signal: number)
      await Task.yield()
    }
    let code = await subscriber.result().code
    #expect([0, 128 + number].contains(code))
  }

  @Test("reads standard input, and says why an MP4 with its index at the end cannot come from there")
  func standardInput() async throws {
    let scratch = try Scratch()
    // Larger than what FFmpeg keeps to go back in.
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 9, size: "1280x720", options: ["-crf", "0"])
    try await Clip.make([
      "-i", scratch.path("clip.mp4"), "-c", "copy", "-movflags", "+faststart", scratch.path("fast.mp4"),
    ])
    let shell = Tool(path: "/bin/sh")
    func run(_ clip: String) async throws -> Tool.Result {
      try await shell.run([
        "-c", "cat '\(scratch.path(clip))' | '\(Tool.eyrie.path)' run - --model '\(TinyDetector.path)'",
      ])
    }
    let good = try await run("fast.mp4")
    #expect(good.code == 0 && good.output.contains("9 decoded"), "\(good.errors)")
    let late = try await run("clip.mp4")
    #expect(late.code == 1 && late.errors.contains("-movflags +faststart"), "\(late.errors)")
  }

  @Test(
    "refuses a benchmark with one line before anything is measured",
    arguments: [
      (["--sources", "0"], 2, "--sources"), (["--rounds", "0"], 2, "--rounds"),
      (["--against", "me"], 2, "me"),
      (["--input-size", "x"], 2, "x"), (["--weights", "a.pt"], 2, "--weights"),
      (["--against", "ultralytics", "--python", "/no/python"], 2, "/no/python"),
      (["--model", "/no/model"], 2, "/no/model"), (["/no/clip.mp4"], 1, "/no/clip.mp4"),
    ])
  func badBenchmarks(arguments: [String], code: Int32, hint: String) async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 3)
    let model = arguments.contains("--model") ? [] : ["--model", TinyDetector.path]
    try await expectFailure(
      ["bench", scratch.path("clip.mp4")] + arguments + model, code: code, contains: [hint])
  }

  @Test("reports the complete rounds of a benchmark on SIGINT and SIGTERM", arguments: [SIGINT, SIGTERM])
  func benchmarkSignals(number: Int32) async throws {
    struct Report: Decodable {
      struct Round: Decodable {
        let ratio: Double
      }
      let schema: String
      let rounds: [Round]
    }
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 20)
    let errors = scratch.path("errors")
    let shell = Tool(path: "/bin/sh")
    let bench = try shell.start([
      "-c", "exec \"$@\" 2> \"$0\"", errors, Tool.eyrie.path, "bench", scratch.path("clip.mp4"), "--model",
      TinyDetector.path, "--rounds", "1000", "--seconds", "0.1", "--json",
    ])
    func log() -> String { (try? String(contentsOfFile: errors, encoding: .utf8)) ?? "" }
    while !log().contains("round 1:"), bench.isRunning { await Task.yield() }
    bench.send(signal: number)
    let result = await bench.result()
    #expect(result.code == 0, "\(log())")
    let report = try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
    #expect(report.schema == "eyrie.bench/2")
    #expect((1..<1000).contains(report.rounds.count))
    #expect(report.rounds.allSatisfy { $0.ratio > 0 })
  }
}
