import Foundation
import Synchronization

/// Output to a person. Results go to stdout, everything else to stderr.
enum Terminal {
  /// Whether a person sees what goes to stderr.
  static let hasInteractiveErrorOutput = isatty(STDERR_FILENO) == 1

  /// Whether a progress line stands on the terminal that the next line must replace.
  private static let progressLineIsShown = Mutex(false)

  /// Writes a line to stdout at once.
  /// - Returns: false when nobody reads it any more.
  static func result(_ line: String) -> Bool {
    do {
      try FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8))
      return true
    } catch {
      return false
    }
  }

  /// Writes a line to stderr.
  static func log(_ line: String) {
    write(line + "\n")
  }

  /// Writes one line of error to stderr.
  static func error(_ line: String) {
    let oneLine = line.split(whereSeparator: \.isNewline).joined(separator: " ")
    write("eyrie: \(oneLine)\n")
  }

  /// Replaces the progress line.
  static func showProgress(_ line: String) {
    progressLineIsShown.withLock { shown in
      shown = true
      writeBytes("\r\u{1B}[2K" + line)
    }
  }

  /// Removes the progress line.
  static func clearProgress() {
    write("")
  }

  private static func write(_ text: String) {
    progressLineIsShown.withLock { shown in
      writeBytes((shown ? "\r\u{1B}[2K" : "") + text)
      shown = false
    }
  }

  private static func writeBytes(_ text: String) {
    // A closed stderr leaves nobody to tell.
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }
}
