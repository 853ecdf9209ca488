import EyrieEvents
import EyrieGraph
import EyrieMedia
import EyrieTestSupport
import Foundation
import Testing

@testable import EyriePipeline

/// Faults that a soak makes, and that nothing is lost in them without being counted.
@Suite("Chaos", .timeLimit(.minutes(5)))
struct SoakChaosTests {
  private let fixture: SoakFixture

  init() throws { fixture = try SoakFixture() }

  /// Often and short.
  private static let quick = FaultSchedule.Settings(
    meanGap: 0.8, severed: 0.1...0.3, delayed: 0.1...0.3, stalled: 0.3...0.6, grace: 0.2)
  private static let patient =
    "{min_realtime_ratio: 0.1, max_fd_growth: 100000, max_thread_growth: 100000, max_reconnects: 0, max_errors: 0, "
    + "max_recovery_s: 60}"

  @Test("makes the same schedule of the same seed")
  func schedule() {
    func schedule(_ seed: UInt64) -> FaultSchedule {
      FaultSchedule(
        seed: seed, sources: [("a", true), ("b", false)], subscribers: ["x"], span: 10...310,
        settings: FaultSchedule.Settings())
    }
    let first = schedule(1)
    #expect(first.sources.map(\.faults) == schedule(1).sources.map(\.faults))
    #expect(first.sources.map(\.faults) != schedule(2).sources.map(\.faults))
    #expect(first.sources.map(\.target) == ["a", "b"] && first.subscribers.map(\.target) == ["x"])
    let faults = first.sources[0].faults
    #expect(faults.count > 8)
    #expect(Set(faults.map(\.kind)) == [.sever, .delay])
    // A pipe cannot be opened again.
    #expect(Set(first.sources[1].faults.map(\.kind)) == [.delay])
    #expect(Set(first.subscribers[0].faults.map(\.kind)) == [.stall])
    for lane in first.sources + first.subscribers {
      #expect(lane.faults.allSatisfy { $0.at >= 10 && $0.at + $0.length <= 310 })
      #expect(zip(lane.faults, lane.faults.dropFirst()).allSatisfy { $0.at + $0.length < $1.at })
    }
  }

  @Test("severs and delays files and patterns, which come back, and every frame and event is accounted for")
  func files() async throws {
    let clip = fixture.scratch.path("clip.mp4")
    try await Clip.pattern(clip, frames: 30, rate: 20, size: "64x64")
    let socket = "ipc://\(fixture.scratch.path("socket"))"
    let pipeline = try fixture.pipeline(
      [
        "file": "{input: '\(clip)', pacing: realtime, loop: true}",
        "cam": "{input: 'testsrc:64x64@20', pacing: realtime}",
      ], sinks: "zeromq: {from: detect, endpoint: '\(socket)', wait_subscribers: 5}", soak: Self.patient)
    var options = fixture.options(pipeline, duration: 12)
    options.chaos = true
    options.seed = 3
    let outcome = try await fixture.soak(options, faults: Self.quick)
    #expect(outcome.failure == nil, "\(SoakTable(outcome.report))")
    let chaos = try #require(outcome.report.chaos)
    #expect(chaos.seed == 3)
    for source in ["file", "cam"] {
      let faults = chaos.faults.filter { $0.target == source }
      let severed = faults.count { $0.kind == .sever }
      #expect(severed > 0 && faults.contains { $0.kind == .delay })
      #expect(faults.allSatisfy { $0.recoveredAfterS != nil && $0.atS >= 0.3 })
      let measured = try #require(outcome.report.sources[source])
      // Each was really closed and opened again; none of it was the source's own fault.
      #expect(measured.reconnects == severed && measured.errors >= severed)
      #expect(measured.decoded == measured.inferred && measured.inferred == measured.published)
    }
    for name in ["max_recovery_s", "max_reconnects", "max_errors", "uncounted_frames"] {
      #expect(outcome.report.results(name).map(\.verdict) == [.held, .held], "\(name)")
    }
    #expect(chaos.faults.contains { $0.kind == .stall && $0.target.hasSuffix("socket") })
    let subscriber = try #require(chaos.subscribers.first)
    #expect(subscriber.failure == nil && subscriber.malformed == 0 && subscriber.uncounted == 0)
    #expect(subscriber.received > 0 && subscriber.beforeSubscription < subscriber.published)
    #expect(
      subscriber.published
        == subscriber.beforeSubscription + subscriber.received + subscriber.lost + subscriber.missingAtEnd)
    let decoded = outcome.report.sources.values.reduce(0) { $0 + $1.published }
    #expect(subscriber.published > decoded)
    #expect(try fixture.page().contains("class=\"fault-sever\""))
  }

  @Test(
    "severs an RTSP camera through the normal way back",
    .enabled(if: RTSPServer.isPresent, "\(RTSPServer.absence)"))
  func camera() async throws {
    let clip = fixture.scratch.path("clip.mp4")
    try await Clip.recording(clip)
    let server = try RTSPServer(clip: clip)
    let socket = "ipc://\(fixture.scratch.path("socket"))"
    let pipeline = try fixture.pipeline(
      ["cam": "{input: '\(server.url())'}"], sinks: "zeromq: {from: detect, endpoint: '\(socket)'}",
      soak: Self.patient)
    var options = fixture.options(pipeline, duration: 12)
    options.chaos = true
    options.seed = 5
    let outcome = try await fixture.soak(options, faults: Self.quick)
    #expect(outcome.failure == nil, "\(SoakTable(outcome.report))")
    let chaos = try #require(outcome.report.chaos)
    let severed = chaos.faults.count { $0.kind == .sever }
    #expect(severed > 0)
    #expect(chaos.faults.filter { $0.kind != .stall }.allSatisfy { $0.recoveredAfterS != nil })
    let camera = try #require(outcome.report.sources["cam"])
    #expect(camera.reconnects >= severed)
    let dropped = camera.dropped.values.reduce(0) { $0 + $1.values.reduce(0, +) }
    #expect(camera.decoded == camera.inferred + dropped)
    #expect(outcome.report.results("uncounted_events").map(\.verdict) == [.held])
  }

  @Test("fails a source that does not come back")
  func lost() async throws {
    let clip = fixture.scratch.path("clip.mp4")
    try await Clip.pattern(clip, frames: 30, rate: 20, size: "64x64")
    let camera = "{input: 'testsrc:64x64@20', pacing: realtime}"
    let pipeline = try fixture.pipeline(
      ["file": "{input: '\(clip)', pacing: realtime, loop: true}", "cam": camera], soak: Self.patient)
    var options = fixture.options(pipeline, duration: 12)
    options.chaos = true
    options.seed = 3
    // What was severed cannot be opened again. Without the interval's length, it may be gone before.
    let run = SoakRun(
      options, environment: [:], backend: try FakeModel.backend { _ in FakeModel.nothing }, faults: Self.quick
    )
    let outcome = try await run.run(
      stop: StopSignal(),
      reporter: SoakReporter(
        log: { _ in }, progress: { _ in try? FileManager.default.removeItem(atPath: clip) }))
    #expect(outcome.failure?.kind == .run)
    let names = outcome.report.broken.filter { $0.source == "file" }.map(\.name)
    #expect(names.contains("frames") && names.contains("max_recovery_s"))
    #expect(outcome.report.results("frames").first { $0.source == "cam" }?.verdict == .held)
  }

  @Test("counts every event that a stalled subscriber loses")
  func stalled() async throws {
    var options = RunOptions(input: "testsrc", model: "fake")
    options.publish = "ipc://\(fixture.scratch.path("socket"))"
    let source = RunningSource(try SourceID("cam"), input: MediaInput("testsrc"))
    let outlets = RunOutlets(try RunPlan(options), runID: "run", meter: RunMeter([source]))
    let stop = StopSignal()
    let endpoint = try #require(try await outlets.open(stop: stop).first)
    let subscriber = SoakSubscriber(endpoint)
    async let receiving: Void = subscriber.run()
    func send() async { await outlets.sendStats(of: source, uptime: .zero, fps: nil, queues: [:]) }
    while await subscriber.report().received == 0 { await send() }
    subscriber.stall(for: .seconds(3600))
    while await outlets.counts.lost < 50 { await send() }
    subscriber.endStall()
    var report = await subscriber.report()
    while report.beforeSubscription + report.received + report.droppedByPublisher < report.published {
      await Task.yield()
      report = await subscriber.report()
    }
    subscriber.finish()
    #expect(await outlets.close() == nil)
    await receiving
    report = await subscriber.report()
    #expect(report.failure == nil && report.malformed == 0)
    #expect(report.droppedByPublisher >= 50 && report.lost + report.missingAtEnd == report.droppedByPublisher)
    #expect(report.uncounted == 0)
    #expect(
      report.published == report.beforeSubscription + report.received + report.droppedByPublisher)
    var wrong = report
    wrong.lost += 1
    #expect(wrong.uncounted == 1)
  }
}
