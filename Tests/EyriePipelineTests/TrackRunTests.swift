import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieMedia
import EyrieTestSupport
import EyrieVision
import Foundation
import Testing

@testable import EyriePipeline

@Suite("Tracking in a run", .timeLimit(.minutes(10)))
struct TrackRunTests {
  @Test("gives each object one identity, and tells how many there were")
  func identities() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 30)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    options.jsonl = scratch.path("events.jsonl")
    options.track = true
    let run = try DetectionRun(options, backend: try FakeModel.backend { _ in FakeModel.boxes(3) })
    let summary = try await run.run(stop: StopSignal(), reporter: .silent)
    #expect(summary.sources["clip"]?.tracks == 3)
    #expect(summary.stages["track"]?.processed == 30)
    let events = try EventLog(path: scratch.path("events.jsonl")).detections
    #expect(events.count == 30)
    for event in events {
      #expect(event.predicted == nil && event.tracksReset == nil)
      #expect(event.detections.allSatisfy { $0.predicted == nil })
      // The same place has the same identity, and all three are there.
      let found = event.detections.sorted { $0.box.x < $1.box.x }.map(\.trackID)
      #expect(Set(found) == [1, 2, 3] && found == identities(of: events[0]))
    }
  }

  private func identities(of event: DetectionsEvent) -> [Int?] {
    event.detections.sorted { $0.box.x < $1.box.x }.map(\.trackID)
  }

  @Test("continues a track with detections below the threshold, which alone are never published")
  func weakDetections() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 12)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    options.jsonl = scratch.path("events.jsonl")
    options.confidence = 0.5
    options.track = true
    let calls = Counter()
    let run = try DetectionRun(
      options,
      backend: try FakeModel.backend(requests: 1) { _ in
        // Sure in every third frame, and beside it something that is weak throughout.
        var values = FakeModel.boxes(2, confidence: 0.3)
        if calls.next() % 3 == 1 { values[40] = 0.9 }
        return values
      })
    let summary = try await run.run(stop: StopSignal(), reporter: .silent)
    let events = try EventLog(path: scratch.path("events.jsonl")).detections
    #expect(summary.sources["clip"]?.tracks == 1)
    #expect(events.map { $0.detections.map(\.trackID) } == Array(repeating: [1], count: 12))
    #expect(events.map { $0.detections.first?.confidence ?? 0 > 0.5 } == (0..<12).map { $0 % 3 == 0 })
  }

  @Test("says where objects are on frames that the detector does not look at")
  func everyThird() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 31)
    let file = try PipelineFileFixture.file(
      """
      sources: {clip: {input: \(scratch.path("clip.mp4"))}}
      stages:
        detect: {from: clip, model: fake, every: 3}
        track: {from: detect}
      sinks: {jsonl: {from: track, path: \(scratch.path("events.jsonl"))}}
      """)
    let calls = Counter()
    let run = DetectionRun(
      try file.plan(),
      backend: try FakeModel.backend { _ in
        _ = calls.next()
        return FakeModel.box(classID: 0, confidence: 0.9)
      })
    let summary = try await run.run(stop: StopSignal(), reporter: .silent)
    #expect(calls.next() == 12)
    #expect(summary.frames.decoded == 31 && summary.frames.inferred == 11 && summary.frames.predicted == 20)
    #expect(summary.frames.published == 31 && summary.frames.dropped == [:])
    // What was predicted was not detected.
    #expect(summary.detections == 11)
    let events = try EventLog(path: scratch.path("events.jsonl")).detections
    #expect(events.map(\.frame) == Array(0..<31))
    for event in events {
      let isPredicted = event.frame % 3 != 0
      #expect(event.predicted == (isPredicted ? true : nil))
      #expect(event.detections.map(\.trackID) == [1])
      #expect(event.detections.map(\.predicted) == [isPredicted ? true : nil])
      // It does not move.
      #expect(abs((event.detections.first?.box.x ?? 0) - 120) < 2)
    }
  }

  @Test("fills in what the option --every leaves out")
  func everySecondByOption() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 9)
    var options = RunOptions(input: scratch.path("clip.mp4"), model: "fake")
    options.jsonl = scratch.path("events.jsonl")
    options.every = 2
    options.track = true
    let run = try DetectionRun(options, backend: try FakeModel.backend { _ in FakeModel.boxes(2) })
    let summary = try await run.run(stop: StopSignal(), reporter: .silent)
    #expect(summary.frames.inferred == 5 && summary.frames.predicted == 4)
    #expect(summary.sources["clip"]?.skipped == 0)
    let events = try EventLog(path: scratch.path("events.jsonl")).detections
    #expect(events.map { $0.predicted ?? false } == (0..<9).map { !$0.isMultiple(of: 2) })
    #expect(events.allSatisfy { Set($0.detections.map(\.trackID)) == [1, 2] })
  }

  @Test("keeps sources apart")
  func sources() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("a.mp4"), frames: 20)
    try await Clip.pattern(scratch.path("b.mp4"), frames: 20)
    var options = RunOptions(
      inputs: [scratch.path("a.mp4"), scratch.path("b.mp4")], model: "fake")
    options.jsonl = scratch.path("events.jsonl")
    options.track = true
    let run = try DetectionRun(options, backend: try FakeModel.backend { _ in FakeModel.boxes(2) })
    let summary = try await run.run(stop: StopSignal(), reporter: .silent)
    #expect(summary.sources.mapValues(\.tracks) == ["a": 2, "b": 2])
    let events = try EventLog(path: scratch.path("events.jsonl")).detections
    #expect(events.count == 40 && events.allSatisfy { Set($0.detections.map(\.trackID)) == [1, 2] })
  }

  @Test("begins anew when the picture changes its size, and says so")
  func sizeChange() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("a.ts"), frames: 10)
    try await Clip.pattern(scratch.path("b.ts"), frames: 10, size: "640x360")
    let parts = try ["a.ts", "b.ts"].map { try Data(contentsOf: URL(fileURLWithPath: scratch.path($0))) }
    _ = try scratch.write(Array(parts[0] + parts[1]), to: "clip.ts")
    var options = RunOptions(input: scratch.path("clip.ts"), model: "fake")
    options.jsonl = scratch.path("events.jsonl")
    options.track = true
    let lines = Lines()
    let run = try DetectionRun(
      options, backend: try FakeModel.backend { _ in FakeModel.box(classID: 0, confidence: 0.9) })
    let summary = try await run.run(stop: StopSignal(), reporter: RunReporter(log: { lines.add($0) }))
    let events = try EventLog(path: scratch.path("events.jsonl")).detections
    let change = try #require(events.firstIndex { $0.width == 640 })
    #expect(events.indices.filter { events[$0].tracksReset != nil } == [change])
    #expect(events[change].tracksReset == .pictureSize)
    // An identity is not given again.
    #expect(events[..<change].allSatisfy { $0.detections.map(\.trackID) == [1] })
    #expect(events[change...].allSatisfy { $0.detections.map(\.trackID) == [2] })
    #expect(summary.sources["clip"]?.trackResets == 1)
    #expect(lines.all.contains { $0.contains("tracks begin anew: the picture changed its size") })
  }

  @Test("begins anew after a gap, and not after a short one")
  func gap() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 3)
    let reader = try VideoReader(MediaInput(scratch.path("clip.mp4")))
    let stage = TrackStage(settings: try TrackerSettings(maxLost: 0.05), log: { _ in })
    let source = RunningSource(try SourceID("clip"), input: MediaInput("clip.mp4"))
    let detector = DetectorIdentity(name: "detect", model: "fake", labels: ClassLabels(["person"]))
    var frames: [VideoFrame] = []
    while let frame = try reader.nextFrame() { frames.append(frame) }
    // 40 ms apart, then 80.
    let items = [frames[0], frames[1]].map { frame in
      item(frame, of: source, detector)
    }
    let near = try await StageRunner.run(stage, on: items)
    #expect(near.outputs.map(\.tracksReset) == [nil, nil])
    #expect(near.outputs.map { $0.objects.first?.trackID } == [1, 1])
    let other = TrackStage(settings: try TrackerSettings(maxLost: 0.05), log: { _ in })
    let far = try await StageRunner.run(
      other, on: [frames[0], frames[2]].map { item($0, of: source, detector) })
    #expect(far.outputs.map(\.tracksReset) == [nil, .gap])
    #expect(far.outputs.map { $0.objects.first?.trackID } == [2, 3])
  }

  private func item(
    _ frame: VideoFrame, of source: RunningSource, _ detector: DetectorIdentity
  ) -> DetectedFrame {
    let found = EyrieVision.Detection(
      classID: 0, confidence: 0.9, box: EyrieVision.Box(x: 10, y: 10, width: 40, height: 80))
    return DetectedFrame(
      source: SourceFrame(frame, from: source, arrival: frame.arrival), detector: detector,
      result: DetectionResult(detections: [found], drops: DetectionDrops()))
  }

  @Test("forgets sources that are gone")
  func states() throws {
    var states = SourceStates<Int>()
    let stays = RunningSource(try SourceID("stays"), input: MediaInput("a"))
    for number in 1...100 {
      let goes = RunningSource(try SourceID("goes"), input: MediaInput("b"))
      #expect(
        states.update(goes, initial: 0) {
          $0 += 1; return $0
        } == 1)
      #expect(
        states.update(goes, detector: "second", initial: 5) {
          $0 += 1; return $0
        } == 6)
      #expect(
        states.update(stays, initial: 0) {
          $0 += 1; return $0
        } == number)
    }
    #expect(states.count <= 3)
  }

  /// Six people come one by one to a table, stand there and leave: counted by eye.
  @Test(
    "counts the people of a video as a person does, within one",
    .enabled(if: SharedMaterial.isPresent, Comment(rawValue: SharedMaterial.absence)),
    .enabled(if: isOptimised, "runs in release: swift test -c release"), arguments: [1, 3])
  func people(every: Int) async throws {
    let scratch = try Scratch()
    var options = RunOptions(
      input: SharedMaterial.path("media/one-by-one-person-detection.mp4"),
      model: SharedMaterial.path("models/yolov8n_int8_openvino_model"))
    options.classes = ["person"]
    options.every = every
    options.track = true
    options.jsonl = scratch.path("events.jsonl")
    let summary = try await DetectionRun(options).run(stop: StopSignal(), reporter: .silent)
    let tracks = try #require(summary.sources.first?.value.tracks)
    print("people in one-by-one-person-detection.mp4, every \(every): \(tracks) identities, 6 seen")
    #expect((5...7).contains(tracks))
  }
}
