public import EyrieGraph
import Foundation

/// `eyrie soak`: runs a pipeline for a given time, measures it, and says whether it kept to its limits.
public struct SoakRun: Sendable {
  /// What came of a soak.
  public struct Outcome: Sendable {
    /// What was written.
    public let report: SoakReport
    /// Why the command fails, if it does.
    public let failure: EyrieFailure?
    /// Items in flight when the time to drain was over.
    public let leftBehind: Int
    /// Whether events of the pipeline go to stdout, where nothing else should then be printed.
    public let usesStandardOutput: Bool
  }

  private let options: SoakOptions
  private let environment: [String: String]
  private let backend: ModelBackend
  private let faults: FaultSchedule.Settings

  /// - Parameters:
  ///   - options: what to do.
  ///   - environment: what `${VARIABLE}` in the pipeline file is taken from.
  public init(_ options: SoakOptions, environment: [String: String]) {
    self.init(options, environment: environment, backend: .system)
  }

  init(
    _ options: SoakOptions, environment: [String: String], backend: ModelBackend,
    faults: FaultSchedule.Settings = FaultSchedule.Settings()
  ) {
    self.options = options
    self.environment = environment
    self.backend = backend
    self.faults = faults
  }

  /// Runs until the time is up, the run ends by itself, or the stop is requested.
  /// - Returns: the report, which has been written in any case.
  /// - Throws: `EyrieFailure` of kind usage before anything has begun: the options, the file, the directory; of
  ///   kind run if the report cannot be written.
  public func run(stop: StopSignal, reporter: SoakReporter) async throws(EyrieFailure) -> Outcome {
    try options.validate()
    let file = try PipelineFile.open(options.pipeline, environment: environment)
    let plan = try file.plan()
    let directory = try ReportDirectory(options.report)
    var report: SoakReport
    var failure: EyrieFailure?
    var leftBehind = 0
    if options.findStreams {
      (report, failure) = try await StreamSearch(
        file: file, options: options, backend: backend, reporter: reporter
      ).run(stop: stop)
    } else {
      (report, failure, leftBehind) = await soak(file, plan, stop: stop, reporter: reporter)
    }
    try directory.write(report)
    if failure == nil, report.verdict == .fail {
      let count = report.broken.count
      let streams = report.streams?.greatest == 0 ? "not even one stream holds" : nil
      failure = EyrieFailure(
        .run,
        "\(file.path): the soak failed: "
          + (streams ?? "\(count) \(count == 1 ? "limit is" : "limits are") broken")
          + "; see \(directory.pagePath)")
    }
    return Outcome(
      report: report, failure: failure, leftBehind: leftBehind, usesStandardOutput: plan.usesStandardOutput)
  }

  private func soak(
    _ file: PipelineFile, _ plan: RunPlan, stop: StopSignal, reporter: SoakReporter
  ) async -> (SoakReport, EyrieFailure?, leftBehind: Int) {
    let limits = file.definition.soak ?? SoakLimits()
    var chaos: ChaosRun?
    if options.chaos {
      let seed = options.seed ?? UInt64(UInt32.random(in: .min ... .max))
      reporter.log("chaos: seed \(seed)")
      // Sources are to be back when it ends.
      let end = options.duration - min(faults.grace, options.duration / 10)
      chaos = ChaosRun(
        seed: seed, plan: plan, span: options.effectiveWarmUp...max(end, options.effectiveWarmUp),
        maxRecovery: limits.maxRecovery ?? SoakDefaults.maxRecovery, settings: faults)
    }
    let session = SoakSession(
      plan: plan, backend: backend, duration: options.duration, warmUp: options.effectiveWarmUp,
      interval: options.effectiveInterval, chaos: chaos, reporter: reporter)
    let result = await session.run(stop: stop)
    let report = SoakReportBuilder(pipeline: file.path, session: session, result: result, limits: limits)
      .report()
    return (report, result.failure, result.leftBehind)
  }
}

/// Where a report goes.
struct ReportDirectory: Sendable {
  private let path: String

  /// Makes the directory if it is not there, and tries whether files can be made in it.
  /// - Throws: `EyrieFailure` of kind usage.
  init(_ path: String) throws(EyrieFailure) {
    guard !path.isEmpty, !path.utf8.contains(0) else {
      throw EyrieFailure(.usage, "--report is empty: name a directory")
    }
    self.path = path
    var isDirectory: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory.boolValue {
      throw EyrieFailure(.usage, "--report \(path): is a file; name a directory")
    }
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      let trial = self.path(of: ".eyrie-\(UUID().uuidString)")
      try Data().write(to: URL(fileURLWithPath: trial))
      try FileManager.default.removeItem(atPath: trial)
    } catch {
      throw EyrieFailure(
        .usage, "--report \(path): no files can be written there; choose another directory")
    }
  }

  /// The report for people.
  var pagePath: String { path(of: "report.html") }

  /// Writes both reports, each whole or not at all.
  func write(_ report: SoakReport) throws(EyrieFailure) {
    try JSONFile.write(report, to: path(of: "report.json"), option: "--report")
    try OutputFile.write(Data(SoakPage(report).html.utf8), to: pagePath, option: "--report")
  }

  private func path(of name: String) -> String {
    URL(fileURLWithPath: path).appendingPathComponent(name).path
  }
}
