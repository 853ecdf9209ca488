import EyrieGraph
import EyrieTestSupport
import Foundation
import Synchronization
import Testing

@testable import EyriePipeline

/// What the tests of soaks share.
struct SoakFixture {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  var reportPath: String { scratch.path("report") }

  /// A pipeline of test patterns that play in real time.
  func pipeline(
    _ sources: [String: String] = ["cam": "{input: 'testsrc:64x64@20', pacing: realtime}"],
    from: String? = nil, model: String = "fake", sinks: String = "jsonl: {from: detect, path: /dev/null}",
    soak: String? = nil
  ) throws -> String {
    let lines = sources.sorted { $0.key < $1.key }
    let edges = from ?? lines.map { "'\($0.key)'" }.joined(separator: ", ")
    let text = """
      sources:
      \(lines.map { "  '\($0.key)': \($0.value)" }.joined(separator: "\n"))
      stages:
        detect: {from: [\(edges)], model: '\(model)'}
      sinks:
        \(sinks)
      \(soak.map { "soak: \($0)" } ?? "")

      """
    return try scratch.write(Array(text.utf8), to: "pipeline.yaml")
  }

  func options(_ pipeline: String, duration: Double = 1.5) -> SoakOptions {
    var options = SoakOptions(pipeline: pipeline, duration: duration, report: reportPath)
    options.interval = 0.1
    options.warmUp = 0.3
    return options
  }

  /// Soaks with a model that finds nothing, at once.
  func soak(
    _ options: SoakOptions, faults: FaultSchedule.Settings = FaultSchedule.Settings(),
    stop: StopSignal = StopSignal(),
    body: @escaping @Sendable (UnsafeRawBufferPointer) async throws -> [Float] = { _ in FakeModel.nothing }
  ) async throws -> SoakRun.Outcome {
    let run = SoakRun(options, environment: [:], backend: try FakeModel.backend(body), faults: faults)
    return try await run.run(stop: stop, reporter: SoakReporter(log: { _ in }))
  }

  /// `report.json` as it was written.
  func written() throws -> SoakReport {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let path = scratch.path("report/report.json")
    return try decoder.decode(SoakReport.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
  }

  func page() throws -> String {
    try String(contentsOfFile: scratch.path("report/report.html"), encoding: .utf8)
  }
}

extension SoakReport {
  /// The limits of a name.
  func results(_ name: String) -> [LimitResult] { limits.filter { $0.name == name } }
}
