import EyrieTestSupport
import Foundation
import Testing

@testable import EyriePipeline

/// `eyrie soak` as a person runs it.
@Suite("The soak command", .timeLimit(.minutes(5)))
struct SoakCommandTests {
  private let fixture: SoakFixture
  private let pipeline: String

  init() throws {
    fixture = try SoakFixture()
    pipeline = try fixture.pipeline(model: TinyDetector.path, soak: "{min_realtime_ratio: 0.1}")
  }

  @Test("prints a table, and ends with 0 or with 1 and one line that says why")
  func exitCodes() async throws {
    let arguments = [
      "soak", pipeline, "--duration", "2s", "--interval", "100ms", "--report", fixture.reportPath,
    ]
    let passed = try await Tool.eyrie.run(arguments)
    #expect(passed.code == 0, "\(passed.output)\(passed.errors)")
    #expect(passed.output.hasPrefix("soak") && passed.output.contains("PASS") && passed.errors.isEmpty)
    let text = try String(contentsOfFile: pipeline, encoding: .utf8).replacing("0.1}", with: "7}")
    _ = try fixture.scratch.write(Array(text.utf8), to: "pipeline.yaml")
    let failed = try await Tool.eyrie.run(arguments)
    #expect(failed.code == 1)
    #expect(failed.output.contains("FAIL") && failed.output.contains("cam: min_realtime_ratio: measured"))
    #expect(failed.errorLines.count == 1 && failed.errors.contains("1 limit is broken"))
    #expect(failed.errors.contains("report.html"))
    #expect(try fixture.written().verdict == .fail)
  }

  @Test("writes a report when it is stopped by a signal", arguments: [SIGINT, SIGTERM])
  func signals(number: Int32) async throws {
    let run = try Tool.eyrie.start([
      "soak", pipeline, "--duration", "1h", "--report", fixture.reportPath, "--chaos", "--seed", "1",
    ])
    // It publishes nothing and writes nothing before its end: its first samples show in its CPU time.
    while run.isRunning, try processorTicks(of: run.processIdentifier) < 40 { await Task.yield() }
    run.send(signal: number)
    let result = await run.result()
    // Before the first frame it ends with the signal's code, and reports that too. Faults come only after a minute.
    #expect([0, 128 + number].contains(result.code), "\(result.errors)")
    let report = try fixture.written()
    #expect(report.cutShort || report.failure == "stopped before the first frame")
    #expect(report.durationS == 3600 && report.ranS < 1800)
    #expect(try fixture.page().contains("</html>"))
  }

  private func processorTicks(of process: Int32) throws -> Int {
    let stat = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
    let fields = stat.split(separator: ")").last?.split(separator: " ") ?? []
    guard fields.count > 12 else { return 0 }
    return (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
  }

  @Test(
    "refuses what is wrong in one line, before anything begins",
    arguments: [
      (["--duration", "0s"], "--duration"), (["--duration", "ten"], "is no duration"),
      (["--duration", "1000h"], "--duration"), (["--interval", "0"], "--interval"),
      (["--interval", "5s"], "--interval"), (["--warmup", "9s"], "--warmup"),
      (["--warmup", "-1s"], "--warmup"),
      (["--seed", "1"], "--chaos"), (["--chaos", "--streams", "find"], "--streams find"),
      (["--streams", "seek"], "seek"), (["--seed", "x", "--chaos"], "seed"), (["--report", ""], "--report"),
      (["--report", "/proc/eyrie"], "no files can be written"), (["--report", "/dev/null"], "is a file"),
    ] as [([String], String)])
  func wrongOptions(options: [String], expected: String) async throws {
    var arguments = ["soak", pipeline]
    if !options.contains("--duration") { arguments += ["--duration", "10s"] }
    if !options.contains("--report") { arguments += ["--report", fixture.reportPath] }
    let result = try await Tool.eyrie.run(arguments + options)
    #expect(result.code == 2)
    #expect(result.errorLines.count == 1 && result.errors.contains(expected), "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: fixture.scratch.path("report/report.json")))
  }

  @Test("refuses a pipeline that is none, and one without a model")
  func wrongPipelines() async throws {
    let end = ["--duration", "2s", "--report", fixture.reportPath]
    for path in [
      fixture.scratch.path("no.yaml"), try fixture.scratch.write(Array("sources: {".utf8), to: "x.yaml"),
    ] {
      let result = try await Tool.eyrie.run(["soak", path] + end)
      #expect(result.code == 2 && result.errorLines.count == 1, "\(result.errors)")
    }
    let missing = try fixture.pipeline()
    let result = try await Tool.eyrie.run(["soak", missing] + end)
    #expect(result.code == 2 && result.errorLines.count == 1, "\(result.errors)")
    #expect(try fixture.written().failure != nil)
  }
}
