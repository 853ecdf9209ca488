public import ArgumentParser
import EyrieGraph
public import EyriePipeline

extension BenchOptions.Peer: ExpressibleByArgument {}

struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure how near the pipeline comes to what the machine could do, and what limits it.",
    discussion: """
      EXAMPLES
        eyrie bench street.mp4 --model models/yolov3-tiny
        eyrie bench street.mp4 --model models/yolov3-tiny --sources 4
        eyrie bench street.mp4 --model models/yolo-v8n-openvino --against ultralytics --python venv/bin/python

      Inference, decoding and scaling are measured alone, and then the pipeline, in turns in one run; only ratios
      mean something.
      """)

  @Argument(help: ArgumentHelp("Video files; they are played in a loop, side by side.", valueName: "input"))
  var inputs: [String]

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "A model package, an exported model directory, an .xml or an .onnx file.", valueName: "dir|file"))
  var model: String

  @OptionGroup var inference: InferenceOptions

  @Option(help: ArgumentHelp("Play the inputs so many times side by side.", valueName: "n"))
  var sources = 1

  @Option(help: ArgumentHelp("How many rounds.", valueName: "n"))
  var rounds = 5

  @Option(
    help: ArgumentHelp("How long inference alone and the pipeline run in each round.", valueName: "s"))
  var seconds = 5.0

  @Flag(help: "Run 1, 4 and 16 sources too: what each adds in CPU time and memory.")
  var scaling = false

  @Option(help: ArgumentHelp("Run another program on the same video too: ultralytics.", valueName: "program"))
  var against: BenchOptions.Peer?

  @Option(help: ArgumentHelp("The Python that has Ultralytics.", valueName: "file"))
  var python = "python3"

  @Option(
    help: ArgumentHelp("What Ultralytics is to run, such as a .pt (default: the model).", valueName: "file"))
  var weights: String?

  @Flag(help: "Print JSON instead of a table.")
  var json = false

  func run() async throws {
    var run = RunOptions(inputs: inputs, model: model)
    inference.apply(to: &run)
    var options = BenchOptions(run)
    options.copies = sources
    options.rounds = rounds
    options.seconds = seconds
    options.scaling = scaling
    options.peer = against
    options.python = python
    options.weights = weights
    let report = try await BenchRun(options).run(stop: SignalStop.shared.stop) { Terminal.log($0) }
    try Terminal.result(json ? try report.json() : Terminal.printable(BenchTable(report).description))
  }
}
