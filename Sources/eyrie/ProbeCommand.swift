import ArgumentParser
import EyriePipeline

struct ProbeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe",
    abstract: "Say what a file or stream is, as JSON.",
    discussion: """
      EXAMPLES
        eyrie probe street.mp4
        eyrie probe street.mp4 --decode

      width and height are those of the picture as it is shown: after rotation and sample aspect ratio.
      """)

  @Argument(
    help: ArgumentHelp("A video file, an image, an image sequence or an address.", valueName: "input"))
  var input: String

  @Flag(help: "Decode every frame: adds frames, first_pts_s, last_pts_s, sizes and warnings.")
  var decode = false

  func run() async throws {
    let report = try await Inspection.probe(input, decode: decode, stop: SignalStop.shared.stop)
    try Terminal.result(report)
  }
}
