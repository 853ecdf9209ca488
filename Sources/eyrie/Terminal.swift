import EyriePipeline
import Foundation
import Synchronization

/// Output to a person. Results go to stdout, everything else to stderr.
enum Terminal {
  /// Whether a person sees what goes to stderr.
  static let hasInteractiveErrorOutput = isatty(STDERR_FILENO) == 1

  /// Whether a progress line stands on the terminal that the next line must replace.
  private static let progressLineIsShown = Mutex(false)

  /// Writes a line to stdout at once.
  /// - Returns: false when nobody reads it any more (`eyrie … | head`).
  /// - Throws: `EyrieFailure` when it cannot be written, as on a full disk.
  @discardableResult
  static func result(_ line: String) throws(EyrieFailure) -> Bool {
    let bytes = Array((line + "\n").utf8)
    let failure = bytes.withUnsafeBytes { bytes -> Int32? in
      var position = 0
      while position < bytes.count {
        let count = Foundation.write(
          STDOUT_FILENO, bytes.baseAddress?.advanced(by: position), bytes.count - position)
        if count >= 0 {
          position += count
        } else if errno == EAGAIN {
          var item = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
          _ = poll(&item, 1, -1)
        } else if errno != EINTR {
          return errno
        }
      }
      return nil
    }
    switch failure {
    case nil: return true
    case EPIPE: return false
    case let code?: throw EyrieFailure(.run, "stdout: cannot be written: \(String(cString: strerror(code)))")
    }
  }

  /// Writes lines to stderr.
  static func log(_ lines: String) {
    write(printable(lines) + "\n")
  }

  /// Writes one line of error to stderr.
  static func error(_ line: String) {
    let oneLine = line.split(whereSeparator: \.isNewline).joined(separator: " ")
    write("eyrie: \(printable(oneLine))\n")
  }

  /// The text with control characters but line feeds written as `\u{…}`: file names, labels and messages of
  /// strangers cannot drive the terminal.
  static func printable(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x0A: result.unicodeScalars.append(scalar)
      case 0..<0x20, 0x7F..<0xA0: result += "\\u{\(String(scalar.value, radix: 16))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
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
