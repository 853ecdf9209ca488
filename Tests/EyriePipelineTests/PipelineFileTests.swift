import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieMedia
import Foundation
import Testing

@testable import EyriePipeline

@Suite("Pipeline files")
struct PipelineFileTests {
  private typealias Fixture = PipelineFileFixture

  @Test("reads every example", arguments: PipelineFileFixture.examples)
  func examples(name: String) throws {
    let path = Fixture.url(of: name).path
    let file = try PipelineFile.load(path, environment: Fixture.environment)
    #expect(file.summary.hasPrefix("\(path): valid: "))
  }

  @Test("has no example that is not tested")
  func allExamples() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: Fixture.folder.path)
    #expect(Set(names) == Set(Fixture.examples.map { "\($0).yaml" }))
  }

  @Test("reads every option of every kind")
  func everything() throws {
    let definition = try Fixture.parse(Self.everything)
    let source = try #require(definition.sources.first)
    #expect(source.name == "cam")
    #expect(source.position == SourcePosition(line: 3, column: 3))
    #expect(source.input.value == "rtsp://10.0.0.1/a")
    #expect(source.input.written == "rtsp://${ENTRANCE_HOST}/a")
    #expect(source.username?.value == "u")
    #expect(source.password?.value == "p@ss:w/rd#?%")
    #expect(source.transport == .auto)
    #expect(source.lowLatency == true)
    #expect(source.hardware == .vaapi)
    #expect(source.every == 2)
    #expect(source.maxFPS == 12.5)
    #expect(source.maxFrames == 16)
    #expect(source.loop == false)
    #expect(source.pacing == .realtime)
    #expect(source.openTimeout == 0.5)
    #expect(source.readTimeout == 10)
    #expect(source.frozenAfter == 120)
    #expect(source.damagedFrames == .drop)
    #expect(source.reconnect?.minDelay == 0.25)
    #expect(source.reconnect?.maxDelay == 3600)
    #expect(source.reconnect?.maxAttempts == 0)
    #expect(source.isLive)

    let detect = try #require(definition.stages[2].detector)
    #expect(definition.stages.map(\.kind) == [.decode, .resize, .detect, .track, .classify, .embed])
    #expect(definition.stages[2].from.map(\.from) == ["r"])
    #expect(definition.stages[1].from.map(\.capacity) == [3])
    #expect(definition.stages[1].from.map(\.overflow) == [.dropNewest])
    #expect(detect.model.path?.value == "m")
    #expect(detect.model.precision == .bf16)
    #expect(detect.model.requests == 4)
    #expect(detect.inputSize == .exact(width: 640, height: 384))
    #expect(detect.confidence == 0.5)
    #expect(detect.classConfidence == ["person": 0.25])
    #expect(detect.classes == ["person", "car"])
    #expect(detect.maxDetections == 100)
    #expect(detect.suppression?.iou == 0.625)
    #expect(detect.suppression?.groups == [["car", "truck"], ["cat"]])
    #expect(detect.every == 1)
    guard case .track(let track) = definition.stages[3].options,
      case .classify(let classify) = definition.stages[4].options,
      case .embed(let embed) = definition.stages[5].options
    else {
      Issue.record("track, classify and embed have lost their options")
      return
    }
    #expect(track.lowConfidence == 0.125 && track.newTrackConfidence == 0.5 && track.confirmAfter == 3)
    #expect(track.maxLost == 4 && track.matchIoU == 0.25)
    #expect(classify.crops.batchTimeout == 0.02 && classify.crops.timeout == 0.5)
    #expect(classify.crops.on == ["car"])
    #expect(classify.crops.padding == 0.125)
    #expect(classify.crops.minBox == 32)
    #expect(classify.crops.batch == 8)
    #expect(classify.crops.refresh == 5)
    #expect(classify.topK == 3)
    #expect(classify.minConfidence == 0.5)
    #expect(embed.subject == .crops)
    #expect(embed.encoding == .base64)
    #expect(definition.sinks.map(\.kind) == [.zeromq, .jsonl, .annotate])
    #expect(definition.sinks.map(\.target?.value) == ["tcp://*:5555", "e.jsonl", "a.jpg"])
    #expect(definition.sinks[0].waitSubscribers == 2)
    #expect(definition.soak?.minRealtimeRatio == 0.95)
    #expect(definition.soak?.maxDropRate == 0.0625)
    #expect(definition.soak?.maxLatencyP99Milliseconds == 250)
    #expect(definition.soak?.maxMemorySlope == 5)
    #expect(definition.soak?.minFPS == 24.5)
    #expect(definition.soak?.maxDescriptorGrowth == 1)
    #expect(definition.soak?.maxThreadGrowth == 3)
    #expect(definition.soak?.maxReconnects == 4)
    #expect(definition.soak?.maxErrors == 6)
    #expect(definition.soak?.maxRecovery == 7.5)
  }

  static let everything = """
    schema: eyrie.pipeline/1
    sources:
      cam:
        input: rtsp://${ENTRANCE_HOST}/a
        username: u
        password: ${CAMERA_PASSWORD}
        transport: auto
        low_latency: true
        hardware: vaapi
        every: ${EVERY:-2}
        max_fps: 12.5
        max_frames: 0x10
        loop: false
        pacing: realtime
        open_timeout: 500ms
        read_timeout: 10
        frozen_after: 2m
        damaged_frames: drop
        reconnect: {min_delay: 0.25, max_delay: 1h, max_attempts: 0}
    stages:
      decode: {from: [cam]}
      r: {kind: resize, from: {name: decode, capacity: 3, overflow: dropNewest}}
      objects:
        kind: detect
        from: [r]
        model: m
        precision: bf16
        requests: 4
        input_size: 640x384
        confidence: 0.5
        class_confidence: {person: .25}
        classes: [person, "car"]
        max_detections: 1e2
        nms: {iou: 0.625, class_agnostic: false, groups: [[car, truck], [cat]]}
        every: 1
      track:
        from: objects
        low_confidence: 0.125
        new_track_confidence: 0.5
        confirm_after: 3
        max_lost: 4s
        match_iou: 0.25
      classify:
        from: track
        model: c
        'on': [car]
        padding: 0.125
        min_box: 32
        batch: 8
        refresh: 5s
        batch_timeout: 20ms
        timeout: 500ms
        top_k: 3
        min_confidence: 0.5
      embed: {from: classify, model: e, of: crops, encoding: base64}
    sinks:
      bus: {kind: zeromq, from: [embed], endpoint: "tcp://*:5555", wait_subscribers: 2}
      jsonl: {from: track, path: e.jsonl}
      annotate: {from: {name: objects, capacity: 2, overflow: suspend}, path: a.jpg}
    soak:
      min_realtime_ratio: 0.95
      max_drop_rate: 0.0625
      max_latency_p99_ms: 250
      max_rss_slope_mb_per_h: 5
      min_fps: 24.5
      max_fd_growth: 1
      max_thread_growth: 3
      max_reconnects: 4
      max_errors: 6
      max_recovery_s: 7.5
    """

  @Test("reads the short form as one source, one detector, one publisher")
  func shortForm() throws {
    let definition = try Fixture.parse("source: street.mp4\nmodel: m\npublish: tcp://127.0.0.1:1\n")
    #expect(definition.sources.map(\.name) == ["street"])
    #expect(definition.stages.map(\.name) == ["detect"])
    #expect(definition.stages.flatMap(\.from).map(\.from) == ["street"])
    #expect(definition.sinks.flatMap(\.from).map(\.from) == ["detect"])
    #expect(definition.sinks.map(\.target?.value) == ["tcp://127.0.0.1:1"])
    // Names that the file does not choose never collide.
    let clash = try Fixture.parse("source: detect.mp4\nmodel: m\npublish: tcp://127.0.0.1:1\n")
    #expect(Set(clash.members.map(\.name)).count == 3)
  }

  @Test("knows a pipeline file by its name")
  func names() {
    for name in ["a.yaml", "A.YML", "dir/p.yaml"] { #expect(PipelineFile.isNamed(by: name)) }
    for name in ["a.mp4", "yaml", "http://host/p.yaml", "-"] { #expect(!PipelineFile.isNamed(by: name)) }
  }

  @Test("gives each edge the queue that its sources need")
  func queues() throws {
    let definition = try Fixture.parse(
      """
      sources:
        cam: {input: rtsp://h/a}
        film: {input: a.mp4}
        movie: {input: b.mp4}
      stages:
        d1: {kind: decode, from: [cam, film]}
        d2: {kind: decode, from: movie}
        detect: {from: [d1, d2, {name: cam, capacity: 2}], model: m}
      sinks:
        jsonl: {from: detect, path: e.jsonl}
        annotate: {from: {name: detect, overflow: dropNewest}, path: a.jpg}
      """)
    let queues = definition.members.flatMap { member in
      member.from.map { edge in
        "\(edge.from) → \(member.name): " + (definition.queue(of: edge, to: member).map { "\($0)" } ?? "none")
      }
    }
    #expect(
      queues == [
        "cam → d1: none", "film → d1: none", "movie → d2: none",
        // A camera and a film behind one decoder: each has a queue of its own.
        "d1 → detect: none", "d2 → detect: 4, suspend", "cam → detect: 2, dropOldest",
        "detect → jsonl: 8, suspend", "detect → annotate: 2, dropNewest",
      ])
  }

  @Test("draws the graph without credentials, values of variables or markup of strangers")
  func mermaid() throws {
    let text = try Fixture.file(
      """
      sources:
        cam: {input: "rtsp://admin:hunter2@h/${CAMERA_PASSWORD}?token=abc"}
        'a"<b>#`&': {input: a.mp4}
      stages:
        detect: {from: [cam, 'a"<b>#`&'], model: "m\\"]; click n0"}
      sinks:
        bus: {kind: zeromq, from: detect, endpoint: tcp://127.0.0.1:5555}
      """
    ).mermaid
    #expect(
      text == #"""
        flowchart LR
          n0(["cam<br/>rtsp://***@h/${CAMERA_PASSWORD}?token=***"])
          n1(["a#quot;#lt;b#gt;#35;#96;#amp;<br/>a.mp4"])
          n2["detect<br/>m#quot;]; click n0"]
          n3[/"bus<br/>zeromq<br/>tcp://127.0.0.1:5555"/]
          n0 -- "1, dropOldest" --> n2
          n1 -- "4, suspend" --> n2
          n2 -- "8, suspend" --> n3
        """#)
  }
}
