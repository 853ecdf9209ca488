import ArgumentParser
import EyriePipeline
import Foundation

struct SubscribeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "subscribe",
    abstract: "Print the events of a publisher as they arrive, and report those that are missing.",
    discussion: """
      EXAMPLES
        eyrie subscribe tcp://127.0.0.1:5555
        eyrie subscribe tcp://127.0.0.1:5555 --topic detections/cam1 --format json --count 100

      It may be started before the publisher. Events go to stdout, gaps and counts to stderr.
      """)

  @Argument(
    help: ArgumentHelp("Where the publisher is, such as tcp://127.0.0.1:5555.", valueName: "endpoint"))
  var endpoint: String

  @Option(
    help: ArgumentHelp(
      "What to receive: detections, stream, stats, or one source's, such as detections/cam1. May be given several times.",
      valueName: "topic"))
  var topic: [String] = []

  @Option(help: ArgumentHelp("Stop after this many events.", valueName: "n"))
  var count: Int?

  @Option(help: ArgumentHelp("Stop when nothing came for this many seconds.", valueName: "s"))
  var timeout: Double?

  @Option(help: "How events are printed: text or json (the payload as it came, one a line).")
  var format: SubscribeOptions.Format = .text

  @Flag(help: "Stop when a source says that it ended.")
  var untilEnd = false

  @Option(help: ArgumentHelp("Write the counts as JSON.", valueName: "file"))
  var summary: String?

  func run() async throws {
    var options = SubscribeOptions(endpoint: endpoint)
    options.topics = topic
    options.count = count
    options.timeout = timeout
    options.format = format
    options.untilEnd = untilEnd
    options.summary = summary
    let counts = try await SubscribeRun(options).run(
      stop: SignalStop.shared.stop, print: { (line) throws(EyrieFailure) in try Terminal.result(line) },
      log: { Terminal.log($0) })
    Terminal.log(
      "received \(counts.received) events, lost \(counts.lost) in \(counts.gaps) gaps"
        + (counts.malformed > 0 ? ", \(counts.malformed) messages were no events" : ""))
  }
}
