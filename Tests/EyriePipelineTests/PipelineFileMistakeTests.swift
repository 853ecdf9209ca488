import Foundation
import Testing

@testable import EyriePipeline

/// A pipeline file with mistakes, and what is said of it.
struct WrongPipeline: Sendable, CustomTestStringConvertible {
  let name: String
  let text: String
  let mistakes: [String]
  /// Whether JSON Schema can tell too.
  let inSchema: Bool

  var testDescription: String { name }

  init(_ name: String, _ text: String, inSchema: Bool = true, _ mistakes: String...) {
    self.name = name
    self.text = text
    self.mistakes = mistakes.map { "p.yaml:" + $0 }
    self.inSchema = inSchema
  }

  /// The base pipeline with another source.
  static func source(_ name: String, _ source: String, inSchema: Bool = true, _ mistake: String) -> Self {
    WrongPipeline(
      name, PipelineFileFixture.base.replacing("{input: a.mp4}", with: source), inSchema: inSchema, mistake)
  }

  /// The base pipeline with another detector.
  static func detect(_ name: String, _ options: String, inSchema: Bool = true, _ mistake: String) -> Self {
    WrongPipeline(
      name, PipelineFileFixture.base.replacing("model: m}", with: "model: m, \(options)}"),
      inSchema: inSchema,
      mistake)
  }

  /// The base pipeline with another sink.
  static func sink(_ name: String, _ sink: String, inSchema: Bool = true, _ mistake: String) -> Self {
    WrongPipeline(
      name, PipelineFileFixture.base.replacing("jsonl: {from: detect, path: e.jsonl}", with: sink),
      inSchema: inSchema, mistake)
  }
}

@Suite("Mistakes in pipeline files")
struct PipelineFileMistakeTests {
  private typealias Fixture = PipelineFileFixture

  @Test("are reported with place, key, expectation and the nearest name", arguments: values + graphs)
  func single(pipeline: WrongPipeline) {
    #expect(Fixture.mistakes(in: pipeline.text) == pipeline.mistakes)
  }

  @Test("the base has none")
  func base() { #expect(Fixture.mistakes(in: Fixture.base).isEmpty) }

  static let values: [WrongPipeline] = [
    .source(
      "unknown key", "{input: a, transprt: tcp}",
      "2:19: sources.cam.transprt: is unknown here, "
        + "expected one of \(SourceDefinition.table.names.joined(separator: ", ")); did you mean 'transport'?"
    ),
    .source("missing key", "{loop: true}", "2:8: sources.cam.input: is missing, expected text"),
    .source(
      "a number as text", "{input: 5}",
      "2:16: sources.cam.input: found the number 5, expected text; put it in quotes"),
    .source(
      "a boolean as text", "{input: true}",
      "2:16: sources.cam.input: found 'true', expected text; put it in quotes"),
    .source("nothing as text", "{input: }", "2:16: sources.cam.input: found nothing, expected text"),
    .source("empty text", "{input: ''}", "2:16: sources.cam.input: found an empty text, expected text"),
    .source(
      "control character", #"{input: "a\0b"}"#,
      "2:16: sources.cam.input: found text with a control "
        + "character or a line break, expected text on one line"),
    .source("a list as text", "{input: [a]}", "2:16: sources.cam.input: found a list, expected text"),
    .source(
      "text as source", "a.mp4",
      "2:8: sources.cam: found 'a.mp4', expected a mapping with input, "
        + "username, password, transport"),
    .source(
      "yes as boolean", "{input: a, loop: yes}",
      "2:25: sources.cam.loop: found 'yes', expected true or false; did you mean 'true'?"),
    .source(
      "boolean in quotes", "{input: a, loop: 'true'}",
      "2:25: sources.cam.loop: found 'true', expected true or false"),
    .source(
      "wrong choice", "{input: a, pacing: realtim}",
      "2:27: sources.cam.pacing: found 'realtim', expected realtime or max; did you mean 'realtime'?"),
    .source(
      "too small a number", "{input: a, every: 0}",
      "2:26: sources.cam.every: found the number 0, expected a whole number from 1 to 10000"),
    .source(
      "too large a number", "{input: a, every: 99999999999999999999}",
      "2:26: sources.cam.every: found the number 99999999999999999999, expected a whole number from 1 to 10000"
    ),
    .source(
      "a fraction", "{input: a, every: 1.5}",
      "2:26: sources.cam.every: found the number 1.5, expected a whole number from 1 to 10000"),
    .source(
      "no number", "{input: a, max_fps: fast}",
      "2:28: sources.cam.max_fps: found 'fast', expected a number from 0.01 to 1000"),
    .source(
      "not a number", "{input: a, max_fps: .nan}", inSchema: false,
      "2:28: sources.cam.max_fps: found the number .nan, expected a number from 0.01 to 1000"),
    .source(
      "infinity", "{input: a, max_fps: .inf}", inSchema: false,
      "2:28: sources.cam.max_fps: found the number .inf, expected a number from 0.01 to 1000"),
    .source(
      "wrong unit", "{input: a, open_timeout: 5 minutes}",
      "2:33: sources.cam.open_timeout: found "
        + "'5 minutes', expected a duration from 0.1s to 3600s, such as 500ms, 5s or 2m"),
    .source(
      "too long", "{input: a, open_timeout: 2h}", inSchema: false,
      "2:33: sources.cam.open_timeout: "
        + "found '2h', expected a duration from 0.1s to 3600s, such as 500ms, 5s or 2m"),
    .source(
      "delays the wrong way round", "{input: a, reconnect: {min_delay: 5s, max_delay: 1s}}",
      inSchema: false,
      "2:46: sources.cam.reconnect.max_delay: is shorter than min_delay, expected at least 5s"),
    .detect(
      "wrong size", "input_size: 640x",
      "4:45: stages.detect.input_size: found '640x', expected a size "
        + "of 1 to 16384 pixels, such as 640 or 640x384"),
    .detect(
      "confidence in percent", "confidence: 40",
      "4:45: stages.detect.confidence: found the number 40, expected a number from 0 to 1"),
    .detect(
      "labels as text", "classes: 'person, car'",
      "4:42: stages.detect.classes: found 'person, car', expected a list, such as [person, car]"),
    .detect(
      "no labels", "classes: []",
      "4:42: stages.detect.classes: the list is empty; leave it out, or name at least one"),
    .detect(
      "a number among labels", "classes: [person, 1]",
      "4:51: stages.detect.classes[1]: found the number 1, expected text; put it in quotes"),
    .detect(
      "groups that are no lists", "nms: {groups: [car]}",
      "4:48: stages.detect.nms.groups[0]: found 'car', expected a list, such as [person, car]"),
    .detect(
      "groups beside class_agnostic", "nms: {groups: [[a, b]], class_agnostic: true}", inSchema: false,
      "4:39: stages.detect.nms.groups: has no effect beside class_agnostic: true, expected one of the two"),
    .detect(
      "confidence by label", "class_confidence: {person: 2}",
      "4:60: stages.detect.class_confidence.person: found the number 2, expected a number from 0 to 1"),
    .detect(
      "frames without detections and without a tracker", "every: 2", inSchema: false,
      "4:33: stages.detect.every: leaves frames without detections, but sinks.jsonl takes them as they are: expected a "
        + "stage of kind track between, or 'every' at the source"),
    .sink(
      "no kind", "out: {from: detect, path: a}",
      "6:8: sinks.out.kind: is missing, expected zeromq, jsonl or annotate"),
    .sink(
      "wrong kind", "out: {kind: zeromp, from: detect, endpoint: tcp://x:1}",
      "6:15: sinks.out.kind: found 'zeromp', expected zeromq, jsonl or annotate; did you mean 'zeromq'?"),
    .sink(
      "a kind that its name denies", "jsonl: {kind: annotate, from: detect, path: a}",
      "6:17: sinks.jsonl.kind: found annotate, expected jsonl: its name is that of a kind; give it another name"
    ),
    .sink(
      "wrong endpoint", "zeromq: {from: detect, endpoint: inproc://x}",
      "6:36: sinks.zeromq.endpoint: found "
        + "'inproc://x', expected an endpoint such as tcp://127.0.0.1:5555 or ipc:///run/eyrie.sock"),
    .sink(
      "no edges", "jsonl: {from: [], path: a}",
      "6:17: sinks.jsonl.from: the list is empty; leave it out, or name at least one"),
    .sink(
      "unknown key of an edge", "jsonl: {from: {name: detect, capcity: 4}, path: a}",
      "6:32: sinks.jsonl.from.capcity: is unknown here, expected one of name, capacity, overflow; "
        + "did you mean 'capacity'?"),
    .sink(
      "an edge without name", "jsonl: {from: {capacity: 4}, path: a}",
      "6:17: sinks.jsonl.from.name: is missing, expected text"),
    WrongPipeline(
      "no mapping", "- a\n- b\n", "1:1: found a list, expected a mapping with schema, sources, stages, sinks"),
    WrongPipeline(
      "nothing", "{}\n", "1:1: sinks: is missing, expected a mapping of names",
      "1:1: sources: is missing, expected a mapping of names",
      "1:1: stages: is missing, expected a mapping of names"),
    WrongPipeline(
      "another version", "schema: eyrie.pipeline/9\n" + PipelineFileFixture.base,
      "1:9: schema: found 'eyrie.pipeline/9', expected eyrie.pipeline/1; did you mean 'eyrie.pipeline/1'?"),
    WrongPipeline(
      "both forms", PipelineFileFixture.base + "\nmodel: x\n",
      "7:1: model: is of the short form (source, "
        + "model, publish), which does not mix with sources, stages and sinks; expected one form or the other"
    ),
    WrongPipeline(
      "half of the short form", "source: a.mp4\nmodle: m\npublish: tcp://127.0.0.1:1\n",
      "1:1: model: is missing, expected text",
      "2:1: modle: is unknown here, expected one of schema, source, model, publish, soak; did you mean 'model'?"
    ),
    WrongPipeline(
      "an impossible name", PipelineFileFixture.base.replacing("cam", with: "a/b"),
      "2:3: sources.a/b: is no name: expected 1 to 64 characters without spaces and without / * , [ ] { }"),
    WrongPipeline(
      "no sources", PipelineFileFixture.base.replacing("cam: {input: a.mp4}", with: "{}"),
      "2:3: sources: the mapping is empty, expected at least one name",
      "4:18: stages.detect.from: found 'cam', expected the name of a source or stage"),
    WrongPipeline(
      "limits of a soak", PipelineFileFixture.base + "\nsoak: {max_drop_rat: 0.1}\n",
      "7:8: soak.max_drop_rat: is unknown here, expected one of min_realtime_ratio, min_fps, max_drop_rate, "
        + "max_latency_p99_ms, max_rss_slope_mb_per_h, max_fd_growth, max_thread_growth, max_reconnects, max_errors, "
        + "max_recovery_s; did you mean 'max_drop_rate'?"),
  ]

  static let graphs: [WrongPipeline] = [
    .sink(
      "an unknown reference", "jsonl: {from: detec, path: a}", inSchema: false,
      "6:17: sinks.jsonl.from: found 'detec', expected the name of a source or stage; did you mean 'detect'?"),
    .sink(
      "a wrong type", "jsonl: {from: [detect, cam], path: a}", inSchema: false,
      "6:26: sinks.jsonl.from[1]: "
        + "'cam' (source) gives undecoded video, but jsonl takes detections: expected detect, track, classify or embed"
    ),
    .sink(
      "a name twice", "jsonl: {from: [detect, detect], path: a}", inSchema: false,
      "6:26: sinks.jsonl.from[1]: names 'detect' twice, expected each name once"),
    .sink(
      "a name that is taken", "cam: {kind: jsonl, from: detect, path: a}", inSchema: false,
      "6:3: sinks.cam: the name is taken by sources.cam in line 2, expected another one: sources, stages and "
        + "sinks share their names"),
    WrongPipeline(
      "a sink as a source", PipelineFileFixture.base + "\n  annotate: {from: jsonl, path: b}",
      inSchema: false,
      "7:20: sinks.annotate.from: 'jsonl' is a sink and gives nothing, expected a source or stage"),
    WrongPipeline(
      "one place for two sinks", PipelineFileFixture.base + "\n  annotate: {from: detect, path: e.jsonl}",
      inSchema: false, "7:3: sinks.annotate: writes to the same place as sinks.jsonl, expected another one"),
    WrongPipeline(
      "loose ends",
      PipelineFileFixture.base.replacing(
        "stages:", with: "  spare: {input: b}\nstages:\n  track: {from: detect}"),
      inSchema: false,
      "3:3: sources.spare: nothing takes from it, expected its name in the 'from' of a stage or sink",
      "5:3: stages.track: nothing takes from it, expected its name in the 'from' of a stage or sink"),
    WrongPipeline(
      "a cycle",
      PipelineFileFixture.base.replacing(
        "sinks:",
        with: "  a: {kind: track, from: [detect, c]}\n  b: {kind: track, from: a}\n"
          + "  c: {kind: track, from: b}\n  d: {kind: track, from: d}\nsinks:"),
      inSchema: false,
      "5:3: stages.a.from: is a cycle: a → b → c → a; expected a graph that ends in sinks",
      "8:3: stages.d.from: is a cycle: d → d; expected a graph that ends in sinks"),
    WrongPipeline(
      "a queue where there is none",
      PipelineFileFixture.base.replacing(
        "detect: {from: cam", with: "decode: {from: {name: cam, capacity: 2}}\n  detect: {from: decode"),
      inSchema: false,
      "4:18: stages.decode.from: has capacity or overflow, but no queue lies between a source and its decoder: "
        + "expected them where 'decode' is taken from"),
  ]

  @Test("are reported all at once, in the order of the file")
  func allAtOnce() {
    let text = (Self.values.prefix(12).map(\.text).joined(separator: "\n---\n"))
    // More than one document is itself a mistake, and the only one then.
    #expect(Fixture.mistakes(in: text).count == 1)
    let many = Fixture.mistakes(
      in: """
        sources:
          cam: {input: 5, every: 0, every: 1, lop: true}
          cam: {input: a}
        stages:
          detect: {from: [cm], confidence: -1}
        sinks:
          jsonl: {from: detct}
        """)
    #expect(
      many.map { $0.split(separator: " ").prefix(2).joined(separator: " ") } == [
        "p.yaml:2:16: sources.cam.input:", "p.yaml:2:26: sources.cam.every:",
        "p.yaml:2:29: sources.cam.every:",
        "p.yaml:2:39: sources.cam.lop:", "p.yaml:3:3: sources.cam:", "p.yaml:5:11: stages.detect.model:",
        "p.yaml:5:19: stages.detect.from[0]:", "p.yaml:5:36: stages.detect.confidence:",
        "p.yaml:7:10: sinks.jsonl.path:", "p.yaml:7:17: sinks.jsonl.from:",
      ])
  }

  @Test("never hold a password, wherever it stands")
  func secrets() {
    let environment = ["PW": "hunter2", "N": "31337"]
    let texts = [
      "sources: {a: {input: 'rtsp://u:hunter2@h/x', transport: 'rtsp://u:hunter2@h/x'}}",
      "sources: {a: {input: x, password: 31337}}", "sources: {a: {input: x, every: '${PW}', loop: '${N}'}}",
      "sources: {'rtsp://u:hunter2@h/x': {input: a}, b: rtsp://u:hunter2@h/x}",
      "rtsp://u:hunter2@h/x", "source: a\nmodel: b\npublish: tcp//u:hunter2@h",
      "sources: {a: {input: '${PW', password: '$hunter2'}}",
      "stages: {a: {kind: '${PW}', from: 'rtsp://u:hunter2@h/x'}}",
      "sources: {a: {input: ${X:-rtsp://u:hunter2@h}, loop: '${X:-rtsp://u:hunter2@h}'}}",
    ]
    for text in texts {
      let mistakes = Fixture.mistakes(in: text, environment: environment)
      #expect(!mistakes.isEmpty)
      for line in mistakes {
        #expect(!line.contains("hunter2") && !line.contains("31337"), "\(text)")
      }
    }
  }

  @Test("are no more than a thousand, found in little time")
  func many() {
    let names = (0..<20_000).map { "  c\($0): {inptu: a, fr: [x\($0)]}" }.joined(separator: "\n")
    #expect(Fixture.mistakes(in: "sources:\n\(names)\n").count <= 1000)
    let edges = (0..<900).map { "  s\($0): {kind: track, from: t\($0)}" }.joined(separator: "\n")
    #expect(Fixture.mistakes(in: "stages:\n\(edges)\n").count == 1000)
  }
}
