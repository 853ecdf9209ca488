import ArgumentParser
import EyrieInference
import EyriePipeline

/// How a detector is to be run, for every command that runs one.
struct InferenceOptions: ParsableArguments {
  @Option(help: "The arithmetic of inference: auto, f32, bf16, f16 or int8 (default: auto).")
  var precision: ExecutionPrecision?

  @Option(help: ArgumentHelp("How many inferences may be under way at once.", valueName: "n"))
  var requests: Int?

  @Option(
    help: ArgumentHelp(
      "Run a dynamic model at this size: the longer side, such as 640, or width and height, such as 640x384.",
      valueName: "size"))
  var inputSize: DetectorInputSize?

  @Flag(help: "Run a dynamic model at a square, not at the least rectangle that holds the picture.")
  var noRect = false

  func apply(to options: inout RunOptions) {
    if let precision { options.precision = precision }
    options.requests = requests
    options.inputSize = inputSize
    options.rect = !noRect
  }

  /// Those that were given, for a command that refuses them.
  var given: [(option: String, isGiven: Bool)] {
    [
      ("--precision", precision != nil), ("--requests", requests != nil), ("--input-size", inputSize != nil),
      ("--no-rect", noRect),
    ]
  }
}
