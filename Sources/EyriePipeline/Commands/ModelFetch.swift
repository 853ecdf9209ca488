import Foundation

/// Fetches a known model and converts it, by the Python converters (`converters/`).
public enum ModelFetch {
  /// Replaces this process by the converter.
  /// - Parameters:
  ///   - name: the model, such as `yolov8n`.
  ///   - outputDirectory: where the package goes.
  ///   - checkpoint: a local checkpoint to convert instead of fetching one.
  /// - Throws: `EyrieFailure` when the converters are not installed; otherwise it does not return.
  public static func run(name: String, outputDirectory: String, checkpoint: String?) throws(EyrieFailure) {
    var arguments = ["fetch", name, "--output-dir", outputDirectory]
    if let checkpoint { arguments += ["--checkpoint", checkpoint] }
    for command in commands() { replaceProcess(command + arguments) }
    throw EyrieFailure(
      .usage,
      "model fetch \(name): the converters are not installed: run scripts/setup in Eyrie's repository, "
        + "or 'pip install ./converters', and try again")
  }

  /// The ways to start the converters, the nearest first.
  private static func commands() -> [[String]] {
    let python = ".cache/venv/bin/python"
    var places = [FileManager.default.currentDirectoryPath]
    // The binary of a checkout lies in .build/<triple>/<configuration>.
    if let binary = Bundle.main.executableURL?.resolvingSymlinksInPath() {
      var directory = binary.deletingLastPathComponent()
      for _ in 0..<4 {
        places.append(directory.path)
        directory.deleteLastPathComponent()
      }
    }
    return places.map { ["\($0)/\(python)", "-m", "eyrie_convert"] } + [["eyrie-convert"]]
  }

  /// Returns only when the command cannot be started.
  private static func replaceProcess(_ command: [String]) {
    let copies = command.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    guard let program = copies.first ?? nil else { return }
    // The converter is to die of a closed pipe like any program.
    signal(SIGPIPE, SIG_DFL)
    _ = execvp(program, copies + [nil])
    signal(SIGPIPE, SIG_IGN)
  }
}
