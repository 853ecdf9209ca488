import ArgumentParser
import EyriePipeline
import Foundation

struct SoakCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "soak",
    abstract: "Run a pipeline for long, measure it, and say whether it kept to its limits.",
    discussion: """
      EXAMPLES
        eyrie soak pipelines/soak.yaml --duration 10m --report soak
        eyrie soak pipelines/cameras.yaml --duration 12h --report soak --chaos
        eyrie soak pipelines/soak.yaml --duration 30s --report soak --streams find

      Limits are in the pipeline file, under soak. Writes report.json and report.html, also if the run
      fails or is stopped. Ends with code 1 if a limit is broken.
      """)

  /// What to do with the number of streams.
  enum Streams: String, ExpressibleByArgument {
    case find
  }

  @Argument(help: ArgumentHelp("A pipeline file; - is stdin.", valueName: "pipeline.yaml"))
  var file: String

  @Option(
    help: ArgumentHelp(
      "How long: 90s, 10m, 2h. With --streams find: how long each try is judged.", valueName: "time"))
  var duration: String

  @Option(help: ArgumentHelp("The directory of the report; made if it is not there.", valueName: "dir"))
  var report: String

  @Flag(help: "Sever and delay sources, stall the subscriber, and see that all recover.")
  var chaos = false

  @Option(help: ArgumentHelp("Make the schedule of --chaos of this number, to repeat one.", valueName: "n"))
  var seed: UInt64?

  @Option(help: "find: add streams until one falls under real time.")
  var streams: Streams?

  @Option(
    help: ArgumentHelp(
      "What is not judged at the beginning (default: a tenth of the duration, at most 60s).",
      valueName: "time"))
  var warmup: String?

  @Option(help: ArgumentHelp("The time between two samples (default: 1s).", valueName: "time"))
  var interval: String?

  @Sendable private static func showProgress(_ line: String) {
    Terminal.showProgress(Terminal.printable(line))
  }

  func run() async throws {
    var options = SoakOptions(
      pipeline: file, duration: try SoakOptions.seconds(duration, option: "--duration"), report: report)
    if let warmup { options.warmUp = try SoakOptions.seconds(warmup, option: "--warmup") }
    if let interval { options.interval = try SoakOptions.seconds(interval, option: "--interval") }
    options.chaos = chaos
    options.seed = seed
    options.findStreams = streams == .find
    let reporter = SoakReporter(
      log: { Terminal.log($0) },
      progress: Terminal.hasInteractiveErrorOutput ? Self.showProgress : nil)
    let signals = SignalStop.shared
    let outcome = try await SoakRun(options, environment: ProcessInfo.processInfo.environment).run(
      stop: signals.stop, reporter: reporter)
    Terminal.clearProgress()
    let table = Terminal.printable(SoakTable(outcome.report).description)
    if outcome.usesStandardOutput { Terminal.log(table) } else { try Terminal.result(table) }
    if let failure = outcome.failure { throw failure }
    if outcome.leftBehind > 0, let code = signals.exitCode { throw ExitCode(code) }
  }
}
