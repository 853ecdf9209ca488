import EyrieGraph
import EyrieInference
import EyrieTestSupport
import Foundation
import Testing

@testable import EyriePipeline

/// A benchmark beside Ultralytics, whose place a shell script takes.
@Suite("A benchmark beside another program", .timeLimit(.minutes(10)))
struct BenchPeerTests {
  /// - Parameter body: what the "Python" does, in shell; `$3` is the request, and `$COUNT` says how many came before.
  private func bench(_ scratch: Scratch, python body: String) async throws -> BenchRun {
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 20)
    let counter = scratch.path("counter")
    let script = """
      #!/bin/sh
      COUNT=$(cat '\(counter)' 2>/dev/null | wc -l)
      echo "$3" >> '\(counter)'
      \(body)
      """
    let python = try scratch.write(Array(script.utf8), to: "python")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: python)
    var options = BenchOptions(RunOptions(input: scratch.path("clip.mp4"), model: TinyDetector.path))
    options.rounds = 1
    options.seconds = 0.5
    options.peer = .ultralytics
    options.python = python
    options.executable = Tool.eyrie.path
    return try BenchRun(options)
  }

  private static let versions = #"{"versions": {"ultralytics": "8.0"}}"#

  @Test("asks for versions, then plays the same video with the same thresholds")
  func answers() async throws {
    let scratch = try Scratch()
    let bench = try await bench(
      scratch,
      python: """
        [ "$1" = -c ] || exit 9
        echo 'Loading …'
        if [ "$COUNT" = 0 ]; then echo '\(Self.versions)'; else
          [ "$YOLO_AUTOINSTALL" = false ] || exit 8
          sleep 0.3
          echo '{"versions": {}, "frames": 50, "seconds": 2.0, "detections": 100}'
        fi
        """)
    let report = try await bench.run(stop: StopSignal()) { _ in }
    let against = try #require(report.against)
    #expect(against.name == "ultralytics")
    #expect(against.versions == ["ultralytics": "8.0"])
    #expect(against.peer.fps.median == 25)
    #expect(against.peer.detectionsPerFrame.median == 2)
    #expect(against.eyrie.fps.median > 0)
    #expect(against.eyrie.detectionsPerFrame.median == 2, "a person and a car in each frame")
    #expect(against.fpsRatio.median == against.eyrie.fps.median / 25)
    #if os(Linux)
      let (own, other) = (against.eyrie.peakMb.median, against.peer.peakMb.median)
      #expect(other > 0 && own > other, "Eyrie \(own) MiB, a shell \(other) MiB")
    #endif
    let requests = try String(contentsOfFile: scratch.path("counter"), encoding: .utf8).split(separator: "\n")
    struct Request: Decodable {
      let source: String?
      let size: Int
      let confidence: Float
      let seconds: Double
      let warmup: Int
    }
    let asked = try requests.map { try JSONDecoder().decode(Request.self, from: Data($0.utf8)) }
    #expect(asked.map(\.source) == [nil, scratch.path("clip.mp4")])
    #expect(asked.allSatisfy { $0.size == 64 && $0.seconds == 0.5 && $0.warmup == 20 })
  }

  @Test(
    "ends with one line when Python does not do what it should",
    arguments: [
      (
        #"echo '{"missing": "No module named ultralytics"}'"#, EyrieFailure.Kind.usage,
        "pip install ultralytics"
      ),
      ("echo 'Traceback' >&2; echo 'ValueError: no' >&2; exit 3", .run, "ValueError: no"),
      ("echo garbage", .run, "garbage"), ("exit 0", .run, "nothing"),
      (
        #"[ "$COUNT" = 0 ] && echo '{"versions": {}}' || echo '{"error": "RuntimeError: x"}'"#, .run,
        "RuntimeError: x"
      ),
      (#"echo '{"versions": {}}'"#, .run, "no frames"),
      (
        #"[ "$COUNT" = 0 ] && echo '{"versions": {}}' || echo '{"frames": -1, "seconds": 0}'"#, .run,
        "no frames"
      ),
      ("head -c 3000000 /dev/zero; echo; yes | head -n 100", .run, "'y'"),
    ] as [(String, EyrieFailure.Kind, String)])
  func failures(python: String, kind: EyrieFailure.Kind, hint: String) async throws {
    let scratch = try Scratch()
    let bench = try await bench(scratch, python: python)
    let error = await #expect(throws: EyrieFailure.self) { try await bench.run(stop: StopSignal()) { _ in } }
    #expect(error?.kind == kind)
    #expect(error?.description.contains(hint) == true, "\(String(describing: error))")
    #expect(error?.description.contains("\n") == false)
  }

  @Test("says what is wrong with a Python that is not there")
  func noPython() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 3)
    var options = BenchOptions(RunOptions(input: scratch.path("clip.mp4"), model: TinyDetector.path))
    options.peer = .ultralytics
    for python in ["no-such-python", scratch.path("python"), scratch.path("clip.mp4"), "/"] {
      options.python = python
      let bench = try BenchRun(options)
      let error = await #expect(throws: EyrieFailure.self) {
        try await bench.run(stop: StopSignal()) { _ in }
      }
      #expect(error?.kind == .usage)
      #expect(error?.description.contains(python) == true)
    }
  }

  @Test("kills a Python that hangs, and what it started, when it is stopped")
  func hangs() async throws {
    let scratch = try Scratch()
    let bench = try await bench(scratch, python: "sleep 1000 & echo $! > '\(scratch.path("child"))'; wait")
    let stop = StopSignal()
    async let result = bench.run(stop: stop) { _ in }
    var child: Int32?
    while child == nil {
      let text = (try? String(contentsOfFile: scratch.path("child"), encoding: .utf8)) ?? ""
      child = text.hasSuffix("\n") ? Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)) : nil
      await Task.yield()
    }
    stop.request()
    do {
      _ = try await result
      Issue.record("it was stopped before the first round")
    } catch let error as EyrieFailure {
      #expect(error.kind == .stopped)
    }
    // Also the time limit of the test: it ends, and is not left to itself.
    while let child, kill(child, 0) == 0 { await Task.yield() }
  }

  @Test("lays a model out as Ultralytics exports one, and refuses one that it would read wrong")
  func layOut() throws {
    struct Metadata: Decodable {
      let task: String
      let stride: Int
      let imgsz: [Int]
      let names: [String: String]
    }
    let scratch = try Scratch()
    let loaded = try ModelProof(TinyDetector.path, expecting: .detect, by: .system)
    let path = try UltralyticsPeer.layOut(loaded.model, in: scratch.url)
    #expect(path.hasSuffix("_openvino_model"))
    let folder = URL(fileURLWithPath: path)
    let data = try Data(contentsOf: folder.appendingPathComponent("metadata.yaml"))
    let metadata = try JSONDecoder().decode(Metadata.self, from: data)
    #expect(metadata.task == "detect")
    #expect(metadata.imgsz == [64, 64])
    #expect(metadata.names["0"] == "person")
    for suffix in ["xml", "bin"] {
      #expect(FileManager.default.fileExists(atPath: folder.appendingPathComponent("model.\(suffix)").path))
    }
    var other = loaded.model
    other.output.objectness = true
    #expect(throws: EyrieFailure.self) { try UltralyticsPeer.layOut(other, in: scratch.url) }
    other = loaded.model
    other.input.mean = [0.5, 0.5, 0.5]
    #expect(throws: EyrieFailure.self) { try UltralyticsPeer.layOut(other, in: scratch.url) }
  }
}
