import ArgumentParser
import EyriePipeline
import Foundation

struct ValidateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate",
    abstract: "Find every mistake in a pipeline file.",
    discussion: """
      EXAMPLES
        eyrie validate pipelines/camera.yaml
        eyrie validate pipelines/camera.yaml --json

      A mistake is a line FILE:LINE:COLUMN: KEY: what is wrong, what was expected. Nothing that the file names
      is opened. Ends with code 2 if there is a mistake.
      """)

  @Argument(help: ArgumentHelp("A pipeline file; - is stdin.", valueName: "pipeline.yaml"))
  var file: String

  @Flag(help: "Print the mistakes as JSON.")
  var json = false

  func run() throws {
    let report = PipelineValidation(file, environment: ProcessInfo.processInfo.environment)
    let text = json ? try report.json() : Terminal.printable(report.lines.joined(separator: "\n"))
    try Terminal.result(text)
    if let failure = report.failure { throw failure }
  }
}
