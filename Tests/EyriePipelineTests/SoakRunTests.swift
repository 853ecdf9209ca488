import EyrieTestSupport
import Foundation
import Testing

@testable import EyriePipeline

/// Whole soaks, each in a process of its own: what a soak measures of its process must not be that of other tests.
@Suite("A soak", .timeLimit(.minutes(5)))
struct SoakRunTests {
  private let fixture: SoakFixture

  init() throws { fixture = try SoakFixture() }

  private static let camera = "{input: 'testsrc:64x64@20', pacing: realtime}"
  /// For tests of something else, on a machine that has much else to do.
  private static let patient = "{min_realtime_ratio: 0.1}"

  private func soak(_ pipeline: String, duration: String = "3s") async throws -> (Tool.Result, SoakReport) {
    let result = try await Tool.eyrie.run([
      "soak", pipeline, "--duration", duration, "--interval", "100ms", "--warmup", "300ms", "--report",
      fixture.reportPath,
    ])
    return (result, try fixture.written())
  }

  @Test("of a pipeline that keeps up passes, and reports what it measured")
  func passes() async throws {
    let pipeline = try fixture.pipeline(
      ["cam": Self.camera, "file": "{input: 'testsrc:64x64@20'}"], model: TinyDetector.path,
      soak: Self.patient)
    let (result, report) = try await soak(pipeline)
    #expect(result.code == 0, "\(result.output)\(result.errors)")
    #expect(result.errors.isEmpty && result.output.contains("PASS"))
    #expect(report.schema == "eyrie.soak/1" && report.verdict == .pass && !report.cutShort)
    #expect(report.durationS == 3 && report.warmUpS == 0.3 && report.intervalS == 0.1 && report.ranS >= 2.9)
    let camera = try #require(report.sources["cam"])
    #expect(camera.hasOwnPace && camera.fps.source == 20 && camera.reconnects == 0 && camera.errors == 0)
    #expect(camera.realtimeRatio != nil && camera.fps.mean != nil && camera.fps.p05 != nil)
    #expect(camera.decoded == camera.inferred && camera.published == camera.inferred && camera.decoded > 0)
    let minute = try #require(camera.latencyPerMinute.first)
    #expect(camera.latencyPerMinute.count == 1 && minute.atS == 0 && minute.frames <= camera.published)
    #expect(minute.latencyMs.p99 != nil && camera.latencyMs.max != nil)
    #expect(camera.fpsOverTime.points.count > 1 && camera.fpsOverTime.points.allSatisfy { $0.count == 4 })
    // Of limits that nobody asked for, those hold that make sense for every soak.
    let names = Set(report.limits.filter(\.isDefault).map(\.name))
    #expect(
      names == [
        "duration_s", "frames", "max_fd_growth", "max_thread_growth", "uncounted_items", "uncounted_frames",
      ])
    #expect(Set(report.results("frames").map(\.source)) == ["cam", "file"])
    #expect(report.queues.keys.sorted() == ["detect", "publish", "resize"])
    #expect(report.process.cpuCores.overTime.points.count > 1)
    #if os(Linux)
      #expect(try #require(report.process.rssMb.max) > 1)
      #expect(try #require(report.process.threads.max) > 1)
      #expect(try #require(report.process.descriptors.max) >= 3)
    #endif
  }

  /// A limit that is broken whatever the machine does, by what was asked.
  struct Broken: Sendable, CustomTestStringConvertible {
    let limit: String
    let value: Double
    var source = SoakRunTests.camera
    var testDescription: String { limit }
  }

  /// Faster than anything can take it.
  private static let flood = "{input: 'testsrc:64x64@1000'}"

  @Test(
    "fails where a limit is broken, and names it",
    arguments: [
      Broken(limit: "min_realtime_ratio", value: 1000), Broken(limit: "min_fps", value: 100_000),
      Broken(limit: "max_drop_rate", value: 0, source: flood), Broken(limit: "max_latency_p99_ms", value: 0),
    ])
  func broken(_ broken: Broken) async throws {
    let pipeline = try fixture.pipeline(
      ["cam": broken.source], from: "{name: cam, capacity: 1, overflow: dropOldest}",
      model: TinyDetector.path,
      soak: "{\(broken.limit): \(broken.value)}")
    let (result, report) = try await soak(pipeline)
    let limit = try #require(report.results(broken.limit).first)
    #expect(limit.source == "cam" && limit.verdict == .broken && limit.measured != nil)
    #expect(limit.limit == broken.value && !limit.isDefault)
    #expect(report.verdict == .fail && result.code == 1 && result.errorLines.count == 1)
    #expect(result.output.contains("FAIL") && result.output.contains("broken"))
    #expect(result.output.contains("cam: \(broken.limit): measured"))
    #expect(try fixture.page().contains("<td>\(broken.limit)</td>"))
  }

  @Test("that keeps no real time fails by default; a file as fast as it goes has none to keep")
  func tooSlow() async throws {
    // 25 MB a frame, a hundred times a second.
    let pipeline = try fixture.pipeline(
      [
        "cam": "{input: 'testsrc:4096x4096@100', pacing: realtime}",
        "file": "{input: 'testsrc:4096x4096@100'}",
      ],
      model: TinyDetector.path)
    let (result, report) = try await soak(pipeline)
    #expect(result.code == 1)
    let ratios = report.results("min_realtime_ratio")
    #expect(ratios.map(\.source) == ["cam"] && ratios.map(\.verdict) == [.broken])
    #expect(ratios.first?.isDefault == true && ratios.first?.limit == 0.98)
    #expect(result.output.contains("cam: min_realtime_ratio"))
  }

  @Test("counts how often a camera was lost")
  func reconnects() async throws {
    let address = try Occupied.freeEndpoint().replacing("tcp://", with: "rtsp://")
    let pipeline = try fixture.pipeline(
      ["away": "{input: '\(address)/x', reconnect: {min_delay: 10ms, max_delay: 20ms}}", "cam": Self.camera],
      model: TinyDetector.path, soak: "{min_realtime_ratio: 0.1, max_errors: 1, max_reconnects: 0}")
    let (result, report) = try await soak(pipeline)
    #expect(result.code == 1)
    #expect(
      Set(report.broken.map { "\($0.source ?? "") \($0.name)" }).isSuperset(of: [
        "away frames", "away max_errors",
      ]))
    #expect(report.results("max_reconnects").map(\.verdict) == [.held, .held])
    #expect(report.sources["away"]?.realtimeRatio == nil)
  }

  @Test("whose inputs end before its time has not seen what it was to see")
  func endedEarly() async throws {
    let pipeline = try fixture.pipeline(
      ["cam": "{input: 'testsrc:64x64@20', max_frames: 12}"], model: TinyDetector.path)
    let (result, report) = try await soak(pipeline)
    #expect(result.code == 1)
    #expect(report.results("duration_s").map(\.verdict) == [.broken])
    #expect(result.output.contains("loop: true"))
  }

  @Test("reports what it has when the run fails")
  func failure() async throws {
    let clip = fixture.scratch.path("no.mp4")
    let pipeline = try fixture.pipeline(["cam": "{input: '\(clip)'}"], model: TinyDetector.path)
    let (result, report) = try await soak(pipeline)
    #expect(result.code == 1 && result.errorLines.count == 1 && result.errors.contains("no.mp4"))
    #expect(report.verdict == .fail && report.failure?.contains("no.mp4") == true)
    #expect(try fixture.page().contains("The run failed"))
  }
}
