import ArgumentParser
import EyriePipeline
import Foundation

/// The command line. It has no logic of its own: it turns arguments into options, runs them, and turns errors
/// into one line and an exit code.
@main
struct Eyrie: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eyrie",
    abstract: "Streaming video analytics: decode, detect, publish.",
    discussion: """
      EXAMPLE
        eyrie run street.mp4 --model models/yolov3-tiny --publish tcp://127.0.0.1:5555
        eyrie subscribe tcp://127.0.0.1:5555

      EXIT CODES
        0 done   1 the run failed   2 wrong usage or configuration   130, 143 after a signal
      """,
    version: "0.1.0",
    subcommands: [
      RunCommand.self, SubscribeCommand.self, ProbeCommand.self, ModelCommand.self, BenchCommand.self,
      SoakCommand.self, ValidateCommand.self, GraphCommand.self,
    ])

  static func main() async {
    // A reader that goes away (`eyrie … | head`) ends the output, not the process in the middle of its work.
    signal(SIGPIPE, SIG_IGN)
    openStandardStreams()
    do {
      var command = try parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch let failure as EyrieFailure {
      Terminal.error(failure.description)
      Foundation.exit(exitCode(of: failure))
    } catch let code as ExitCode {
      Foundation.exit(code.rawValue)
    } catch {
      exitForParser(error)
    }
  }

  private static func exitCode(of failure: EyrieFailure) -> Int32 {
    let code = failure.kind.rawValue
    return failure.kind == .stopped ? SignalStop.shared.exitCode ?? code : code
  }

  /// Started without one of them (`eyrie … >&-`), the next file that is opened would take its place, and the
  /// summary would be printed into the events.
  private static func openStandardStreams() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
      _ = open("/dev/null", O_RDWR)
    }
  }

  /// Help and version go to stdout with code 0; a wrong argument is one line and code 2.
  private static func exitForParser(_ error: any Error) -> Never {
    if exitCode(for: error) == .success {
      do throws(EyrieFailure) {
        try Terminal.result(fullMessage(for: error))
        Foundation.exit(0)
      } catch {
        Terminal.error(error.description)
        Foundation.exit(error.kind.rawValue)
      }
    }
    Terminal.error(message(for: error) + " (see 'eyrie --help')")
    Foundation.exit(EyrieFailure.Kind.usage.rawValue)
  }
}
