import ArgumentParser
import EyrieInference
import EyriePipeline

struct ModelCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "model",
    abstract: "Inspect, check and fetch models.",
    discussion: """
      EXAMPLES
        eyrie model inspect yolov8n_openvino_model
        eyrie model check models/yolov8n
        eyrie model fetch yolov8n
      """,
    subcommands: [Inspect.self, Check.self, Fetch.self])

  struct Inspect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Say what was read and what was inferred about a model, as JSON.",
      discussion: """
        EXAMPLE
          eyrie model inspect models/yolov3-tiny
        """)

    @Argument(
      help: ArgumentHelp(
        "A model package, an exported model directory, an .xml or an .onnx file.", valueName: "dir|file"))
    var model: String

    func run() async throws {
      let report = try await Inspection.model(model)
      try Terminal.result(report)
    }
  }

  struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check that a package is undamaged and gives the results it was packed with.",
      discussion: """
        EXAMPLES
          eyrie model check models/yolov3-tiny
          eyrie model check models/yolov8n --precision f32 --json

        Compares the files with their SHA-256, and replays the package's golden file:
        an input, and the outputs that the original model gives for it.

        Exit code 1 if anything differs by more than it may, 2 if there is nothing to
        check.
        """)

    @Argument(help: ArgumentHelp("A model package.", valueName: "dir"))
    var model: String

    @Option(help: "The arithmetic to run it in: auto, f32, bf16, f16 or int8 (default: f32, then auto).")
    var precision: ExecutionPrecision?

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    func run() async throws {
      let report = try await ModelCheck(model, precision: precision).run { Terminal.log($0) }
      try Terminal.result(json ? try report.json() : Terminal.printable(ModelCheckTable(report).description))
      if let failure = report.failure { throw EyrieFailure(.run, failure) }
    }
  }

  struct Fetch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Fetch a model from its publisher and convert it.",
      discussion: """
        EXAMPLES
          eyrie model fetch yolov3-tiny
          eyrie model fetch yolov8n --output-dir models/yolov8n

        yolov8n is much the better detector; its weights are licensed AGPL-3.0.
        """)

    @Argument(help: ArgumentHelp("yolov3-tiny or yolov8n.", valueName: "name"))
    var name: String

    @Option(help: ArgumentHelp("Where the package goes (default: models/NAME).", valueName: "dir"))
    var outputDir: String?

    @Option(help: ArgumentHelp("Convert this local checkpoint instead of fetching one.", valueName: "file"))
    var checkpoint: String?

    func run() async throws {
      try ModelFetch.run(name: name, outputDirectory: outputDir ?? "models/\(name)", checkpoint: checkpoint)
    }
  }
}
