import ArgumentParser
import EyriePipeline
import Foundation

struct GraphCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "graph",
    abstract: "Print the graph of a pipeline file as a Mermaid flowchart.",
    discussion: """
      EXAMPLE
        eyrie graph pipelines/camera.yaml

      Edges bear the capacity of their queue and what happens when it is full. Credentials and values of
      variables are left out.
      """)

  @Argument(help: ArgumentHelp("A pipeline file; - is stdin.", valueName: "pipeline.yaml"))
  var file: String

  func run() throws {
    let pipeline = try PipelineFile.open(file, environment: ProcessInfo.processInfo.environment)
    try Terminal.result(Terminal.printable(pipeline.mermaid))
  }
}
