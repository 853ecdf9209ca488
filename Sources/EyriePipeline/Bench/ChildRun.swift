import EyrieGraph
import EyrieInference
import Foundation

/// A run of this program in a process of its own, which holds nothing but what a run needs.
struct ChildRun: Sendable {
  /// What it did.
  struct Result: Sendable {
    let summary: RunSummary
    let memory: ChildProcess.Result

    /// Frames a second, from the first to the last event.
    var fps: Double { summary.fps.mean ?? 0 }
    /// The most that it ever held, in MiB. Its own word counts too: on a machine that is very busy, nobody may have
    /// looked at it in time.
    var peakMb: Double { max(memory.peakMb, summary.rssPeakMb) }
    /// CPU time of a frame, in milliseconds. Loading the model is not in it.
    var cpuMsPerFrame: Double {
      summary.frames.published > 0 ? summary.cpuS * 1_000 / Double(summary.frames.published) : 0
    }
    /// Detections in a frame, in the mean.
    var detectionsPerFrame: Double {
      summary.frames.published > 0 ? Double(summary.detections) / Double(summary.frames.published) : 0
    }
  }

  private let executable: String

  /// - Parameter executable: the `eyrie` to run; nil for the program that this is.
  /// - Throws: `EyrieFailure` when it cannot be found.
  init(executable: String?) throws(EyrieFailure) {
    let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    guard let path = executable ?? own ?? Bundle.main.executablePath else {
      throw EyrieFailure(.run, "the file of this program cannot be found, so it cannot be started again")
    }
    self.executable = path
  }

  /// Plays for as long as the options say.
  func run(_ options: RunOptions, stop: StopSignal) async throws(EyrieFailure) -> Result {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let file = folder.file("summary.json")
    let child = ChildProcess(
      program: executable, arguments: Self.arguments(options) + ["--summary", file.path],
      // Opening and compiling may take long, but not for ever.
      limit: .seconds((options.duration ?? 0) + 600))
    let result = try await child.run(stop: stop)
    guard result.code == 0 else {
      throw EyrieFailure(
        .run, "eyrie run in a process of its own: \(ChildProcess.Result.lastLine(result.errors))")
    }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
      let summary = try decoder.decode(RunSummary.self, from: Data(contentsOf: file))
      return Result(summary: summary, memory: result)
    } catch {
      throw EyrieFailure(.run, "eyrie run in a process of its own: its summary cannot be read: \(error)")
    }
  }

  /// The command that says the same as the options, as far as a benchmark sets them.
  static func arguments(_ options: RunOptions) -> [String] {
    var arguments = ["run"] + options.inputs + ["--model", options.model]
    arguments += ["--precision", options.precision.rawValue]
    if let requests = options.requests { arguments += ["--requests", "\(requests)"] }
    if let size = options.inputSize { arguments += ["--input-size", size.description] }
    if !options.rect { arguments.append("--no-rect") }
    if let duration = options.duration { arguments += ["--duration", "\(duration)"] }
    if let path = options.jsonl { arguments += ["--jsonl", path] }
    if options.loop { arguments.append("--loop") }
    return arguments
  }
}
