import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieTestSupport
import Foundation
import Synchronization
import Testing

@testable import EyriePipeline

/// Runs with a detector, perhaps a tracker, and a model that looks at objects, all of them fakes whose answers the
/// test gives; everything between them is real.
@Suite("Looking at objects in a run", .timeLimit(.minutes(10)))
struct ClassifyRunTests {
  struct Broken: Error {}

  struct Outcome {
    let summary: RunSummary
    let events: [DetectionsEvent]
    let lines: [String]
    /// What became of objects, by the summary.
    var crops: RunSummary.Crops? { summary.crops["look"] }
  }

  /// - Parameters:
  ///   - stages: lines of YAML behind the detector; the last one is called `look`.
  ///   - source: further keys of the source.
  private func run(
    frames: Int, stages: String, source: String = "", boxes: Int = 1, model: InferenceSession
  ) async throws -> Outcome {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: frames)
    let file = try PipelineFileFixture.file(
      """
      sources: {clip: {input: \(scratch.path("clip.mp4"))\(source)}}
      stages:
        detect: {from: clip, model: fake}
      \(stages.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n"))
      sinks: {jsonl: {from: look, path: \(scratch.path("events.jsonl"))}}
      """)
    let lines = Lines()
    let backend = try FakeModel.backend(others: ["other": model]) { _ in FakeModel.boxes(boxes) }
    let summary = try await DetectionRun(try file.plan(), backend: backend)
      .run(stop: StopSignal(), reporter: RunReporter(log: { lines.add($0) }))
    let events = try EventLog(path: scratch.path("events.jsonl")).detections
    #expect(events.map(\.frame) == Array(0..<frames))
    // Whatever a model does, no detection is lost.
    #expect(events.allSatisfy { $0.detections.count == boxes })
    return Outcome(summary: summary, events: events, lines: lines.all)
  }

  private static let classify = "look: {kind: classify, from: detect, model: other}"

  @Test("classifies each object of each frame, in batches, in the event of its frame")
  func classify() async throws {
    let model = FakeClassifier.session(batch: 4) { _ in [0.1, 0.7, 0.2] }
    let outcome = try await run(
      frames: 12, stages: "look: {kind: classify, from: detect, model: other, top_k: 2, batch_timeout: 50ms}",
      boxes: 3, model: model)
    for event in outcome.events {
      for detection in event.detections {
        #expect(detection.classifications?.map(\.label) == ["dog", "bird"])
        #expect(detection.classifications?.map(\.confidence) == [0.7, 0.2])
      }
    }
    let crops = try #require(outcome.crops)
    #expect(crops.seen == 36 && crops.classified == 36 && crops.reused == 0 && crops.dropped == [:])
    // Crops of several frames go together.
    #expect(crops.batches >= 9 && crops.batches < 36)
    #expect(outcome.summary.models.map(\.name) == ["fake", "fake-classifier"])
  }

  @Test("makes probabilities of logits, and leaves out what is not sure enough")
  func logits() async throws {
    let model = FakeClassifier.session(kind: .logits) { _ in [0, 0, Float(log(2.0))] }
    let outcome = try await run(
      frames: 2,
      stages: "look: {kind: classify, from: detect, model: other, top_k: 3, min_confidence: 0.3}",
      model: model)
    #expect(
      outcome.events[0].detections[0].classifications == [Classification(label: "bird", confidence: 0.5)])
    let unsure = try await run(
      frames: 2, stages: "look: {kind: classify, from: detect, model: other, min_confidence: 0.6}",
      model: model)
    #expect(unsure.events[0].detections[0].classifications == [])
  }

  @Test("gives the model the pixels of the object")
  func pixels() async throws {
    let seen = Mutex<Set<[UInt8]>>([])
    let model = FakeClassifier.session { bytes in
      seen.withLock { _ = $0.insert(Array(bytes)) }
      return [1, 0, 0]
    }
    _ = try await run(frames: 3, stages: Self.classify, boxes: 4, model: model)
    let crops = seen.withLock { $0 }
    // The test pattern differs from place to place.
    #expect(crops.count >= 4)
    #expect(crops.allSatisfy { $0.count == 8 * 8 * 3 && Set($0).count > 2 })
  }

  @Test("looks at a track once, and carries the result on")
  func oncePerTrack() async throws {
    let calls = Counter()
    let model = FakeClassifier.session { _ in
      calls.next() > 2 ? [0, 0, 1] : [1, 0, 0]
    }
    let outcome = try await run(
      frames: 40, stages: "track: {from: detect}\nlook: {kind: classify, from: track, model: other}",
      boxes: 2,
      model: model)
    #expect(
      outcome.events.allSatisfy { $0.detections.allSatisfy { $0.classifications?.first?.label == "cat" } })
    let crops = try #require(outcome.crops)
    #expect(crops.seen == 80 && crops.classified == 2 && crops.reused == 78 && crops.dropped == [:])
  }

  @Test("looks again after 'refresh' of the stream's time")
  func refresh() async throws {
    let calls = Counter()
    let model = FakeClassifier.session { _ in
      [[1, 0, 0], [0, 1, 0], [0, 0, 1]][(calls.next() - 1) % 3]
    }
    // 25 frames a second. The first time comes early: frames 0, 21 and 46.
    let outcome = try await run(
      frames: 60,
      stages: "track: {from: detect}\nlook: {kind: classify, from: track, model: other, refresh: 1s}",
      model: model)
    let labels = outcome.events.map { $0.detections[0].classifications?.first?.label }
    #expect(labels == (0..<60).map { $0 < 21 ? "cat" : $0 < 46 ? "dog" : "bird" })
    #expect(outcome.crops?.classified == 3 && outcome.crops?.reused == 57)
  }

  @Test("publishes what a model failed on, and counts it with the reason")
  func failing() async throws {
    let calls = Counter()
    let model = FakeClassifier.session { _ in
      if calls.next().isMultiple(of: 2) { throw Broken() }
      return [1, 0, 0]
    }
    let outcome = try await run(frames: 10, stages: Self.classify, model: model)
    #expect(outcome.events.count { $0.detections[0].classifications == nil } == 5)
    #expect(outcome.crops?.dropped == ["inference_failed": 5] && outcome.crops?.seen == 10)
    #expect(outcome.events.last?.dropped["look", "crops_inference_failed"] ?? 0 >= 4)
    // In the log once, and in the summary.
    #expect(outcome.lines.filter { $0.contains("Broken") }.count == 1)
    #expect(outcome.summary.warnings.contains { $0.hasPrefix("look: inference_failed × 5, first: ") })
  }

  @Test("tries a track again on which the model failed")
  func failingTrack() async throws {
    let calls = Counter()
    let model = FakeClassifier.session { _ in
      if calls.next() == 1 { throw Broken() }
      return [1, 0, 0]
    }
    let outcome = try await run(
      frames: 40, stages: "track: {from: detect}\nlook: {kind: classify, from: track, model: other}",
      model: model)
    let known = outcome.events.map { $0.detections[0].classifications != nil }
    // A second later.
    #expect(known == (0..<40).map { $0 >= 25 })
    #expect(outcome.crops?.dropped == ["inference_failed": 25] && outcome.crops?.classified == 1)
  }

  @Test("counts answers that are not finite", arguments: [Float.nan, .infinity])
  func notFinite(bad: Float) async throws {
    let model = FakeClassifier.session { _ in [0.5, bad, 0.5] }
    let outcome = try await run(frames: 4, stages: Self.classify, model: model)
    #expect(outcome.events.allSatisfy { $0.detections[0].classifications == nil })
    #expect(outcome.crops?.dropped == ["not_finite": 4])
  }

  @Test("does not wait for a model that is too slow, longer than 'timeout'")
  func slow() async throws {
    // Ends only when the run cancels it.
    let model = FakeClassifier.session { _ in
      try? await Task.sleep(for: .seconds(3600))
      return [1, 0, 0]
    }
    let outcome = try await run(
      frames: 10, stages: "look: {kind: classify, from: detect, model: other, timeout: 20ms}", model: model)
    #expect(outcome.events.allSatisfy { $0.detections[0].classifications == nil })
    // Once some wait, more would be late in any case.
    let dropped = try #require(outcome.crops?.dropped)
    #expect(dropped["timed_out"] ?? 0 >= 1 && dropped.values.reduce(0, +) == 10)
    #expect(Set(dropped.keys).isSubset(of: ["timed_out", "queue_full"]) && outcome.crops?.seen == 10)
  }

  @Test("lets a track have a result that came too late for its first frames")
  func late() async throws {
    let isOpen = StopSignal()
    let hasLeft = StopSignal()
    let calls = Counter()
    let model = FakeClassifier.session { _ in
      await isOpen.wait()
      return [0, 1, 0]
    }
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 50)
    let file = try PipelineFileFixture.file(
      """
      sources: {clip: {input: \(scratch.path("clip.mp4"))}}
      stages:
        detect: {from: clip, model: fake}
        track: {from: detect}
        look: {kind: classify, from: track, model: other, timeout: 1ms}
      sinks: {jsonl: {from: look, path: \(scratch.path("events.jsonl"))}}
      """)
    let backend = try FakeModel.backend(requests: 1, others: ["other": model]) { _ in
      // The first frames go out without a result, since they wait for a millisecond only.
      if calls.next() == 30 {
        await hasLeft.wait()
        isOpen.request()
      }
      return FakeModel.boxes(1)
    }
    let reporter = RunReporter(log: { _ in }) { if $0.frames > 0 { hasLeft.request() } }
    let summary = try await DetectionRun(try file.plan(), backend: backend)
      .run(stop: StopSignal(), reporter: reporter)
    let events = try EventLog(path: scratch.path("events.jsonl")).detections
    let known = events.map { $0.detections[0].classifications != nil }
    #expect(known.first == false && known.last == true)
    // Once known, it stays known.
    #expect(known == known.sorted { !$0 && $1 })
    let crops = try #require(summary.crops["look"])
    #expect(crops.classified == 1)
    #expect(crops.reused + (crops.dropped["timed_out"] ?? 0) == 50)
  }

  @Test("skips what is too small, and looks only at the labels that are asked for")
  func selection() async throws {
    let model = FakeClassifier.session { _ in [1, 0, 0] }
    // 10 of 64 model pixels are 50 of 320.
    let small = try await run(
      frames: 3, stages: "look: {kind: classify, from: detect, model: other, min_box: 51}", boxes: 2,
      model: model)
    #expect(small.crops?.dropped == ["too_small": 6] && small.crops?.classified == 0)
    let fits = try await run(
      frames: 3, stages: "look: {kind: classify, from: detect, model: other, min_box: 50}", boxes: 2,
      model: model)
    #expect(fits.crops?.classified == 6)
    let others = try await run(
      frames: 3, stages: "look: {kind: classify, from: detect, model: other, on: [Car]}", model: model)
    #expect(others.crops?.seen == 0 && others.events.allSatisfy { $0.detections[0].classifications == nil })
  }

  @Test("adds vectors of length 1, of objects or of frames, in the encoding that is asked for")
  func embed() async throws {
    let model = FakeEmbedder.session { _ in [3, 0, -4, 0] }
    let objects = try await run(
      frames: 3, stages: "look: {kind: embed, from: detect, model: other, encoding: array}", model: model)
    for event in objects.events {
      #expect(event.detections[0].embedding == Embedding([0.6, 0, -0.8, 0], encoding: .array))
      #expect(event.embedding == nil)
    }
    let frames = try await run(
      frames: 3, stages: "look: {kind: embed, from: detect, model: other, of: frames}", boxes: 2, model: model
    )
    for event in frames.events {
      let embedding = try #require(event.embedding)
      #expect(embedding.encoding == .base64 && abs(embedding.values[0] - 0.6) < 0.001)
      #expect(event.detections.allSatisfy { $0.embedding == nil })
    }
    #expect(frames.crops?.seen == 3 && frames.crops?.classified == 3)
  }

  @Test("classifies with the texts of an embedding model")
  func zeroShot() async throws {
    let scratch = try Scratch()
    let labels = try FakeEmbedder.writeTextEmbeddings(labels: ["a van", "a bus"], to: scratch.url)
    let model = FakeEmbedder.session(
      model: FakeEmbedder.description(zeroShot: labels, directory: scratch.url.path)
    ) { _ in [0, 5, 0, 0] }
    let outcome = try await run(frames: 2, stages: Self.classify, model: model)
    let found = try #require(outcome.events[0].detections[0].classifications?.first)
    // Cosines 0 and 1, times 10.
    #expect(found.label == "a bus" && abs(found.confidence - 1 / (1 + exp(-10.0))) < 1e-4)
  }

  @Test("puts one stage behind another")
  func chain() async throws {
    let classifier = FakeClassifier.session { _ in [1, 0, 0] }
    let embedder = FakeEmbedder.session { _ in [1, 0, 0, 0] }
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 8)
    let file = try PipelineFileFixture.file(
      """
      sources: {clip: {input: \(scratch.path("clip.mp4"))}}
      stages:
        embed: {from: classify, model: embedder}
        classify: {from: track, model: classifier}
        track: {from: detect}
        detect: {from: clip, model: fake}
      sinks:
        jsonl: {from: embed, path: \(scratch.path("events.jsonl"))}
        raw: {kind: jsonl, from: detect, path: \(scratch.path("raw.jsonl"))}
        annotate: {from: classify, path: \(scratch.path("look.jpg"))}
      """)
    let backend = try FakeModel.backend(others: ["classifier": classifier, "embedder": embedder]) { _ in
      FakeModel.boxes(2)
    }
    let summary = try await DetectionRun(try file.plan(), backend: backend)
      .run(stop: StopSignal(), reporter: .silent)
    let events = try EventLog(path: scratch.path("events.jsonl")).detections
    #expect(events.count == 8)
    for detection in events.flatMap(\.detections) {
      #expect(detection.trackID != nil && detection.classifications != nil && detection.embedding != nil)
    }
    let raw = try EventLog(path: scratch.path("raw.jsonl")).detections
    #expect(raw.count == 8 && raw.allSatisfy { $0.detections.allSatisfy { $0.trackID == nil } })
    // Results are counted once, although they go to two places.
    #expect(summary.frames.published == 8 && summary.detections == 16)
    #expect(summary.crops.keys.sorted() == ["classify", "embed"])
    #expect(FileManager.default.fileExists(atPath: scratch.path("look.jpg")))
  }

  @Test(
    "refuses a model that is not for the purpose",
    arguments: [
      (
        "classify", "embedder",
        "this is no classifier (task embed), which 'look' needs; an embedding model classifies with text"
      ),
      ("classify", "fake", "this is no classifier (task detect), which 'look' needs"),
      ("embed", "classifier", "this is no embedding model (task classify), which 'look' needs"),
    ])
  func wrongModel(kind: String, model: String, reason: String) async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 2)
    let file = try PipelineFileFixture.file(
      """
      sources: {clip: {input: \(scratch.path("clip.mp4"))}}
      stages:
        detect: {from: clip, model: fake}
        look: {kind: \(kind), from: detect, model: \(model)}
      sinks: {jsonl: {from: look, path: \(scratch.path("events.jsonl"))}}
      """)
    let others = [
      "classifier": FakeClassifier.session { _ in [1, 0, 0] },
      "embedder": FakeEmbedder.session { _ in [1, 0, 0, 0] },
    ]
    let run = DetectionRun(
      try file.plan(), backend: try FakeModel.backend(others: others) { _ in FakeModel.nothing })
    let failure = await #expect(throws: EyrieFailure.self) {
      try await run.run(stop: StopSignal(), reporter: .silent)
    }
    #expect(
      failure?.kind == .usage && failure?.description.contains(reason) == true,
      "\(String(describing: failure))")
    #expect(!FileManager.default.fileExists(atPath: scratch.path("events.jsonl")))
  }

  @Test("refuses labels that the detector does not have")
  func wrongLabel() async throws {
    let model = FakeClassifier.session { _ in [1, 0, 0] }
    let failure = await #expect(throws: EyrieFailure.self) {
      try await run(
        frames: 2, stages: "look: {kind: classify, from: detect, model: other, on: [persn]}", model: model)
    }
    #expect(
      failure?.description == "stages.look.on: the detector has no class 'persn'; did you mean 'person'?")
  }
}
