import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieMedia
import EyrieTestSupport
import EyrieVision
import Foundation
import Testing

@testable import EyriePipeline

/// Pipeline files as a person meets them.
@Suite("Commands with pipeline files", .timeLimit(.minutes(5)))
struct PipelineFileCommandTests {
  private typealias Fixture = PipelineFileFixture

  @Test("translates what a run can do")
  func options() throws {
    let plan = try Fixture.file(
      """
      sources:
        cam:
          input: a.mp4
          transport: udp
          open_timeout: 2500ms
          read_timeout: 4s
          loop: true
          pacing: realtime
          max_frames: 9
      stages:
        decode: {from: cam}
        resize: {from: {name: decode, overflow: dropNewest}}
        objects:
          kind: detect
          from: {name: resize, overflow: suspend}
          model: m
          precision: f32
          requests: 3
          input_size: 320
          confidence: 0.5
          classes: [person]
          max_detections: 7
          nms: {iou: 0.25, class_agnostic: true}
      sinks:
        zeromq: {from: objects, endpoint: "tcp://127.0.0.1:5", wait_subscribers: 1}
        jsonl: {from: objects, path: e}
        annotate: {from: objects, path: a}
      """
    ).plan()
    let source = try #require(plan.sources.first)
    #expect(source.input.argument == "a.mp4" && source.id.value == "cam" && plan.sources.count == 1)
    #expect(source.loop && source.pacing == .realtime && source.maxFrames == 9)
    #expect(source.reading.rtspTransport == .udp && source.reading.openTimeout == .seconds(2.5))
    #expect(source.reading.readTimeout == .seconds(4) && source.reconnect == nil)
    let detector = try #require(plan.detectors.first)
    #expect(detector.name == "objects" && detector.model == "m" && plan.detectors.count == 1)
    #expect(detector.compile.precision == .f32 && detector.compile.requestCount == 3)
    #expect(detector.inputSize == .longSide(320) && detector.rect)
    #expect(detector.confidence == 0.5 && detector.iou == 0.25 && detector.classAgnostic == true)
    #expect(detector.classes == ["person"] && detector.maxDetections == 7)
    let resize = try #require(detector.resizers.first)
    #expect(resize.name == "resize" && detector.resizers.count == 1)
    #expect(resize.frames.map(\.from) == ["cam"] && resize.frames.first?.overflow == .dropNewest)
    #expect(resize.results.overflow == .suspend)
    guard case .zeromq("tcp://127.0.0.1:5", 1) = plan.sinks[0].target,
      case .jsonl("e") = plan.sinks[1].target, case .annotate("a") = plan.sinks[2].target
    else {
      Issue.record("\(plan.sinks)")
      return
    }
    #expect(plan.sinks.map(\.origin) == ["sinks.zeromq.endpoint", "sinks.jsonl.path", "sinks.annotate.path"])
  }

  @Test(
    "refuses what a run cannot do yet, all of it in one line",
    arguments: [
      (
        "sinks:",
        "  resize: {from: cam}\n  first: {kind: detect, from: resize, model: m}\n"
          + "  second: {kind: detect, from: resize, model: m}\nsinks:",
        "a stage of kind resize that leads to several detectors (line 5)"
      ),
      (
        "  detect: {from: cam", "  decode: {from: cam}\n  detect: {from: [decode, cam]",
        "a second way from a source to the detector detect (line 5)"
      ),
    ])
  func refused(old: String, new: String, reason: String) throws {
    var text = Fixture.base.replacing(old, with: new, maxReplacements: 1)
    // A second detector needs somebody who takes from it.
    if new.contains("second") {
      text = text.replacing("{from: detect", with: "{from: [detect, first, second]")
    }
    let file = try Fixture.file(text)
    do throws(EyrieFailure) {
      _ = try file.plan()
      Issue.record("it was taken")
    } catch {
      #expect(error.kind == .usage)
      #expect(error.description.contains(reason), "\(error)")
      #expect(error.description.hasPrefix("p.yaml: 'eyrie run' cannot do this yet: "))
    }
  }

  @Test("runs a pipeline file as it runs the same options")
  func run() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 12)
    let text = """
      sources: {cam: {input: \(scratch.path("clip.mp4"))}}
      stages: {detect: {from: cam, model: \(TinyDetector.path), classes: [person]}}
      sinks: {jsonl: {from: detect, path: \(scratch.path("events.jsonl"))}}
      """
    let file = try scratch.write(Array(text.utf8), to: "p.yaml")
    let result = try await Tool.eyrie.run(["run", file, "--summary", scratch.path("s.json")])
    #expect(result.code == 0, "\(result.errors)")
    let events = try EventLog(path: scratch.path("events.jsonl")).detections
    #expect(events.count == 12)
    #expect(events.allSatisfy { $0.source.value == "cam" && $0.detections.map(\.label) == ["person"] })
    #expect(FileManager.default.fileExists(atPath: scratch.path("s.json")))
  }

  @Test("runs each example", arguments: ["short", "file", "camera", "people"])
  func examples(name: String) async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 5)
    let classifier = DetectorKindTests.model(
      input: [1, 3, 32, 32], outputs: [([1, 3], [0.05, 0.65, 0.3])],
      metadata: [
        ("author", "Ultralytics"), ("task", "classify"), ("names", "{0: 'child', 1: 'worker', 2: 'cyclist'}"),
      ])
    let environment = [
      "EYRIE_CLASSIFIER": try scratch.write(Array(classifier), to: "classifier.onnx"),
      "CAMERA_URL": scratch.path("clip.mp4"), "EYRIE_VIDEO": scratch.path("clip.mp4"),
      "EYRIE_MODEL": TinyDetector.path, "EYRIE_PUBLISH": "ipc://\(scratch.path("socket"))",
      "EYRIE_EVENTS": scratch.path("events.jsonl"),
    ]
    let result = try await Tool(path: "/usr/bin/env").run(
      environment.map { "\($0.key)=\($0.value)" } + [Tool.eyrie.path, "run", Fixture.url(of: name).path])
    #expect(result.code == 0, "\(result.errors)")
    guard name == "people" else { return }
    // The person in the middle is known by the third frame, and the car is not looked at.
    let last = try #require(try EventLog(path: scratch.path("events.jsonl")).detections.last)
    #expect(
      last.detections.map(\.label) == ["person", "car"] && Set(last.detections.map(\.trackID)) == [1, 2])
    #expect(last.detections[0].classifications?.map(\.label) == ["worker", "cyclist"])
    #expect(last.detections[1].classifications == nil)
  }

  @Test(
    "runs the example with several cameras",
    .enabled(if: RTSPServer.isPresent, "\(RTSPServer.absence)"))
  func cameras() async throws {
    let scratch = try Scratch()
    try await Clip.recording(scratch.path("clip.mp4"))
    let servers = try ["ENTRANCE_HOST", "YARD_HOST", "GATE_HOST"].map { name in
      (name: name, server: try RTSPServer(clip: scratch.path("clip.mp4"), authentication: .digest))
    }
    let endpoint = "ipc://\(scratch.path("socket"))"
    let environment = [
      "CAMERA_USER=user", "CAMERA_PASSWORD=\(RTSPServer.password)", "EYRIE_MODEL=\(TinyDetector.path)",
      "EYRIE_PUBLISH=\(endpoint)",
    ]
    let run = try Tool(path: "/usr/bin/env").start(
      servers.map { "\($0.name)=127.0.0.1:\($0.server.port)" } + environment
        + [Tool.eyrie.path, "run", Fixture.url(of: "cameras").path])
    let events = try await withBlockingThread(named: "watch") { () throws -> [Event] in
      let watch = try EventWatch(endpoint: endpoint)
      defer { try? watch.close() }
      while Set(watch.events.detections.map(\.source.value)).count < 3 { try watch.waitForDetections() }
      run.send(signal: SIGTERM)
      for _ in servers { _ = try watch.waitFor(.ended) }
      return watch.events
    }
    let result = await run.result()
    #expect(result.code == 0, "\(result.errors)")
    let gate = events.detections.filter { $0.source.value == "gate" }
    #expect(!gate.isEmpty && gate.allSatisfy { $0.frame.isMultiple(of: 2) })
    #expect(!(result.output + result.errors).contains("p@ss"))
  }

  @Test("plans what is behind detectors, in the order in which it is joined")
  func objectStages() throws {
    let plan = try Fixture.file(
      """
      sources: {cam: {input: a.mp4}}
      stages:
        embed: {from: classify, model: e, batch: 3, timeout: 2s, encoding: array}
        classify: {from: {name: track, capacity: 9}, model: c, 'on': [person], top_k: 5, min_confidence: 0.5, padding: 0.1,
          min_box: 20, refresh: 5s, batch_timeout: 50ms, requests: 2, precision: f32}
        track: {from: detect, low_confidence: 0.2, new_track_confidence: 0.6, confirm_after: 3, max_lost: 5s, match_iou: 0.3}
        detect: {from: cam, model: m, every: 4, class_confidence: {car: 0.5}, nms: {groups: [[car, bus]]}}
      sinks: {jsonl: {from: embed, path: e.jsonl}, raw: {kind: jsonl, from: track, path: t.jsonl}}
      """
    ).plan()
    let detector = try #require(plan.detectors.first)
    #expect(
      detector.every == 4 && detector.classConfidence == ["car": 0.5] && detector.groups == [["car", "bus"]])
    #expect(detector.weakConfidence.map { abs($0 - 0.2) < 1e-6 } == true)
    #expect(plan.objectStages.map(\.name) == ["track", "classify", "embed"])
    guard case .track(let settings) = plan.objectStages[0].work,
      case .look(let classify) = plan.objectStages[1].work, case .look(let embed) = plan.objectStages[2].work,
      case .classify(5, 0.5) = classify.purpose, case .embed(.crops, .array) = embed.purpose
    else {
      Issue.record("\(plan.objectStages)")
      return
    }
    #expect(settings.newTrackConfidence == 0.6 && settings.confirmAfter == 3 && settings.maxLost == 5)
    #expect(settings.matchIoU == 0.3)
    #expect(plan.objectStages[1].edges.first?.capacity == 9)
    #expect(
      classify.on == ["person"] && classify.padding == 0.1 && classify.minBox == 20 && classify.refresh == 5)
    #expect(classify.batchTimeout == .milliseconds(50) && classify.timeout == nil)
    #expect(
      classify.compile.batch == 4 && classify.compile.requestCount == 2 && classify.compile.precision == .f32)
    #expect(embed.compile.batch == 3 && embed.timeout == .seconds(2) && embed.minBox == 16)
    #expect(plan.detectors(behind: ["embed"]) == ["detect"] && plan.lastStage(behind: "detect") == "embed")
  }

  @Test("refuses detections that come twice")
  func twoWays() throws {
    let file = try Fixture.file(
      """
      sources: {cam: {input: a.mp4}}
      stages:
        detect: {from: cam, model: m}
        classify: {from: detect, model: c}
        embed: {from: detect, model: e}
      sinks:
        jsonl: {from: [classify, embed], path: e.jsonl}
      """)
    let failure = #expect(throws: EyrieFailure.self) { try file.plan() }
    #expect(
      failure?.description.hasPrefix("p.yaml:7: sinks.jsonl: gets each frame of detect twice, on two ways")
        == true)
  }

  /// Values of options that take no number.
  private static let values = [
    "--precision": "f32", "--pacing": "max", "--overflow": "suspend", "--reconnect": "never",
    "--rtsp-transport": "tcp", "--damaged-frames": "drop", "--hardware": "auto",
  ]

  @Test("refuses other options beside a pipeline file, and a video without a model")
  func overrides() async throws {
    let scratch = try Scratch()
    let file = try scratch.write(Array(Fixture.base.utf8), to: "p.yaml")
    // Whatever options there are, so that none is passed over in silence.
    let help = try await Tool.eyrie.run(["run", "--help"]).output
    let options = help.split(separator: "\n").compactMap { line -> [String]? in
      guard let match = line.firstMatch(of: /^ +(?:-\w, )?(--[a-z-]+)(?: (<[^>]+>))?/) else { return nil }
      return [String(match.1)] + (match.2 == nil ? [] : [Self.values[String(match.1)] ?? "1"])
    }
    #expect(options.count > 20)
    for option in options
    where !["--summary", "--duration", "--model-cache", "--version", "--help"].contains(option[0]) {
      let result = try await Tool.eyrie.run(["run", file] + option)
      #expect(result.code == 2)
      #expect(result.errorLines.count == 1)
      #expect(result.errors.contains("\(option[0]): does not go with a pipeline file"))
    }
    let result = try await Tool.eyrie.run(["run", "a.mp4"])
    #expect(result.code == 2)
    #expect(result.errors.contains("--model is missing"))
  }

  @Test("validate prints every mistake on stdout and ends with code 2")
  func validate() async throws {
    let scratch = try Scratch()
    let good = try scratch.write(Array(Fixture.base.utf8), to: "good.yaml")
    let valid = try await Tool.eyrie.run(["validate", good])
    #expect(valid.code == 0)
    #expect(valid.output == "\(good): valid: 1 source, 1 stage, 1 sink\n")
    #expect(valid.errors.isEmpty)

    let text = Fixture.base.replacing("input: a.mp4", with: "input: a.mp4, lop: true, every: 0")
    let bad = try scratch.write(Array(text.utf8), to: "bad.yaml")
    let wrong = try await Tool.eyrie.run(["validate", bad])
    #expect(wrong.code == 2)
    #expect(wrong.output.split(separator: "\n").count == 2)
    #expect(wrong.output.hasPrefix("\(bad):2:23: sources.cam.lop: is unknown here"))
    #expect(wrong.output.contains("did you mean 'loop'?\n"))
    #expect(wrong.errors == "eyrie: \(bad): 2 mistakes\n")

    // Whoever needs the file is told of the first, and how to see the others.
    for command in ["run", "graph"] {
      let result = try await Tool.eyrie.run([command, bad])
      #expect(result.code == 2 && result.output.isEmpty && result.errorLines.count == 1)
      #expect(result.errors.contains("(and 1 more: see 'eyrie validate \(bad)')"))
    }
    for missing in [scratch.path("none.yaml"), scratch.url.path] {
      #expect(try await Tool.eyrie.run(["validate", missing]).code == 2)
    }
  }

  @Test("validate --json says the same for programs")
  func validateJSON() async throws {
    struct Report: Decodable {
      struct Mistake: Decodable {
        let line: Int
        let column: Int
        let key: String
        let message: String
        let suggestion: String?
      }
      let schema: String
      let file: String
      let valid: Bool
      let mistakes: [Mistake]
    }
    let scratch = try Scratch()
    let text = Fixture.base.replacing("input: a.mp4", with: "input: a.mp4, lop: true, every: 0")
    for (name, text) in [("good.yaml", Fixture.base), ("bad.yaml", text)] {
      let path = try scratch.write(Array(text.utf8), to: name)
      let result = try await Tool.eyrie.run(["validate", path, "--json"])
      let report = try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
      #expect(report.schema == "eyrie.validation/1")
      #expect(report.file == path)
      #expect(report.valid == (result.code == 0))
      #expect(report.valid == (name == "good.yaml"))
      #expect(report.mistakes.map(\.key) == (report.valid ? [] : ["sources.cam.lop", "sources.cam.every"]))
      #expect(report.mistakes.map(\.column) == (report.valid ? [] : [23, 41]))
      #expect(report.mistakes.map(\.suggestion) == (report.valid ? [] : ["loop", nil]))
      #expect(report.mistakes.allSatisfy { $0.line == 2 && !$0.message.isEmpty })
    }
  }

  @Test("graph prints a flowchart, and every command shows help with an example")
  func graph() async throws {
    let scratch = try Scratch()
    let path = try scratch.write(Array(Fixture.base.utf8), to: "p.yaml")
    let result = try await Tool.eyrie.run(["graph", path])
    #expect(result.code == 0)
    #expect(result.output.hasPrefix("flowchart LR\n  n0([\"cam<br/>a.mp4\"])\n"))
    for command in ["validate", "graph"] {
      let help = try await Tool.eyrie.run([command, "--help"])
      #expect(help.code == 0 && help.output.contains("EXAMPLE"))
    }
  }
}
