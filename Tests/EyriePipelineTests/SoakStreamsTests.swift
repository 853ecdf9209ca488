import EyrieGraph
import EyrieTestSupport
import Foundation
import Testing

@testable import EyriePipeline

/// `--streams find`.
@Suite("The search for streams", .timeLimit(.minutes(5)))
struct SoakStreamsTests {
  private let fixture: SoakFixture

  init() throws { fixture = try SoakFixture() }

  private func options(_ pipeline: String) -> SoakOptions {
    var options = fixture.options(pipeline, duration: 1.5)
    options.findStreams = true
    return options
  }

  @Test("copies sources in turn, on the edges of the originals")
  func copies() throws {
    let text = """
      sources:
        a: {input: a.mp4}
        b: {input: rtsp://camera/live}
        a-2: {input: c.mp4, max_fps: 5}
      stages:
        d: {kind: detect, from: [{name: a, capacity: 2, overflow: dropOldest}, b], model: m}
        e: {kind: detect, from: a-2, model: m}
        t: {kind: track, from: e}
      sinks:
        j: {kind: jsonl, from: d, path: j}
        k: {kind: jsonl, from: t, path: k}
      """
    let definition = try PipelineFileFixture.parse(text)
    let eight = definition.withStreams(8)
    #expect(eight.sources.map(\.name) == ["a", "b", "a-2", "a-3", "b-2", "a-2-2", "a-4", "b-3"])
    #expect(eight.sources.map(\.input.value)[3] == "a.mp4")
    #expect(
      eight.sources.map(\.pacing) == [.realtime, nil, .realtime, .realtime, nil, .realtime, .realtime, nil])
    #expect(eight.sources[0].loop == true && eight.sources[1].loop == nil)
    #expect(eight.stages[0].from.map(\.from) == ["a", "a-3", "a-4", "b", "b-2", "b-3"])
    #expect(eight.stages[0].from.map(\.capacity) == [2, 2, 2, nil, nil, nil])
    #expect(eight.stages[1].from.map(\.from) == ["a-2", "a-2-2"])
    #expect(eight.stages[2].from.map(\.from) == ["e"])
    let one = definition.withStreams(1)
    #expect(one.sources.map(\.name) == ["a"])
    #expect(one.stages.map(\.name) == ["d"] && one.sinks.map(\.name) == ["j"])
    _ = try PipelineFile(path: "p", definition: eight).plan()
    _ = try PipelineFile(path: "p", definition: one).plan()
  }

  @Test(
    "finds the greatest number that holds, whatever it is",
    arguments: [0, 1, 2, 3, 5, 6, 7, 31, 64, 200, 256, 1000])
  func greatest(number: Int) async throws {
    var tries: [Int] = []
    let found = try await StreamSearch.greatest(upTo: StreamSearch.most) { count in
      tries.append(count)
      return count <= number
    }
    #expect(found == min(number, 256))
    #expect(tries.first == 1 && tries.allSatisfy { (1...256).contains($0) } && tries.count <= 18)
    if found > 0 { #expect(tries.count { $0 == found } == 2) }
  }

  @Test("goes down until a number has held twice")
  func unconfirmed() async throws {
    var tries: [Int] = []
    // Six holds once, five never again, four always.
    let found = try await StreamSearch.greatest(upTo: 256) { count in
      defer { tries.append(count) }
      return count <= 4 || (count <= 6 && !tries.contains(count) && !tries.contains(7))
        || (count == 6 && !tries.contains(6))
    }
    #expect(found == 4)
    #expect(tries == [1, 2, 4, 8, 6, 7, 6, 5, 4])
    let stopped = try await StreamSearch.greatest(upTo: 256) { count in count < 4 ? true : nil }
    #expect(stopped == 2)
  }

  @Test("finds the number that a detector of known speed admits, and confirms it")
  func finds() async throws {
    let pipeline = try fixture.pipeline(
      ["cam": "{input: 'testsrc:64x64@5'}"], soak: "{min_realtime_ratio: 0.9}")
    let backend = try FakeModel.backend(requests: 1) { _ in
      try await Task.sleep(for: .milliseconds(60))
      return FakeModel.nothing
    }
    let run = SoakRun(options(pipeline), environment: [:], backend: backend)
    let outcome = try await run.run(stop: StopSignal(), reporter: SoakReporter(log: { _ in }))
    let streams = try #require(outcome.report.streams)
    #expect(try fixture.written().streams == streams)
    #expect(try fixture.page().contains("<b>\(streams.greatest)</b> streams hold"))
    // At most 16.7 inferences a second: three streams of five hold, four do not. On a machine that is busy with
    // other tests it may be fewer, but never more.
    #expect(streams.greatest <= 3)
    #expect(streams.tries.filter { $0.streams > 3 }.allSatisfy { !$0.holds && $0.reason != nil })
    #expect(streams.tries.first?.streams == 1)
    #expect(streams.tryS == 1.5 && streams.warmUpS == 0.3 && !streams.isAtMost)
    guard streams.greatest > 0 else { return }
    let holding = streams.tries.filter { $0.streams == streams.greatest && $0.holds }
    #expect(holding.count == 2 && holding.last?.isConfirmation == true && streams.tries.last?.holds == true)
    #expect(outcome.report.verdict == .pass && outcome.report.sources.count == streams.greatest)
  }

  @Test("fails where not even one stream holds")
  func none() async throws {
    let pipeline = try fixture.pipeline()
    let outcome = try await fixture.soak(options(pipeline)) { _ in
      try await Task.sleep(for: .milliseconds(400))
      return FakeModel.nothing
    }
    #expect(outcome.failure?.kind == .run)
    #expect(outcome.failure?.description.contains("not even one stream holds") == true)
    #expect(outcome.report.streams?.greatest == 0 && outcome.report.streams?.tries.map(\.streams) == [1])
  }

  @Test("that is stopped reports the tries that it made")
  func stopped() async throws {
    let stop = StopSignal()
    let run = SoakRun(
      options(try fixture.pipeline()), environment: [:],
      backend: try FakeModel.backend { _ in FakeModel.nothing })
    // Whether one stream holds is the machine's matter; another try there must not be.
    let outcome = try await run.run(
      stop: stop,
      reporter: SoakReporter(log: { line in if line.hasPrefix("1 stream") { stop.request() } }))
    #expect(outcome.failure?.kind == .stopped)
    #expect(outcome.report.cutShort)
    #expect(outcome.report.streams?.tries.map(\.streams) == [1])
  }
}
