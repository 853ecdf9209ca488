import ArgumentParser
import EyriePipeline

struct ModelCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "model",
    abstract: "Inspect and fetch models.",
    discussion: """
      EXAMPLES
        eyrie model inspect yolov8n_openvino_model
        eyrie model fetch yolov8n
      """,
    subcommands: [Inspect.self, Fetch.self])

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
