import ArgumentParser
import EyrieGraph
import EyrieInference
import EyriePipeline

struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure how much of the speed of bare inference the whole pipeline keeps.",
    discussion: """
      EXAMPLE
        eyrie bench street.mp4 --model models/yolov3-tiny

      Both are measured in turns in one run; only their ratio means something.
      """)

  @Argument(help: ArgumentHelp("A video file; it is played in a loop.", valueName: "input"))
  var input: String

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "A model package, an exported model directory, an .xml or an .onnx file.", valueName: "dir|file"))
  var model: String

  @Option(help: "The arithmetic of inference: auto, f32, bf16 or f16.")
  var precision: ExecutionPrecision = .auto

  @Option(help: ArgumentHelp("How many inferences may be under way at once.", valueName: "n"))
  var requests: Int?

  @Option(help: ArgumentHelp("How many turns.", valueName: "n"))
  var rounds = 5

  @Option(help: ArgumentHelp("How long each half of a turn takes.", valueName: "s"))
  var seconds = 5.0

  @Flag(help: "Print JSON instead of a table.")
  var json = false

  func run() async throws {
    var options = RunOptions(input: input, model: model)
    options.precision = precision
    options.requests = requests
    let bench = try BenchRun(options, rounds: rounds, secondsPerTurn: seconds)
    let report = try await bench.run(stop: SignalStop.shared.stop) { Terminal.log($0) }
    try Terminal.result(json ? try report.json() : BenchTable(report).description)
  }
}
