import COpenVINO
import Foundation
import Synchronization

/// Turns OpenVINO's status codes into errors with its own words.
enum OpenVINOStatus {
  /// OpenVINO keeps one last message for the process. Holding this from a call to the reading of its message
  /// keeps the messages of two models apart. Taken while loading only, never while inferring.
  private static let lastMessage = Mutex(())

  /// Makes a call, and throws if it fails.
  static func check(
    _ code: ModelError.Code, _ path: String, _ what: String, _ call: () -> ov_status_e
  ) throws(ModelError) {
    let failure = lastMessage.withLock { _ -> String? in
      let status = call()
      return status == OK ? nil : message(for: status)
    }
    if let failure { throw ModelError(code, path, "\(what): \(failure)") }
  }

  /// What OpenVINO says about the failure that has just happened.
  static func message(for status: ov_status_e) -> String {
    let text = takeString(ov_get_last_err_msg()).map(telling) ?? ""
    if !text.isEmpty { return text }
    guard let name = ov_get_error_info(status) else { return "status \(status.rawValue)" }
    return String(cString: name)
  }

  /// The part of a message that is for users. OpenVINO strings together one line for each level that
  /// the exception passed ("Exception from src/…:84:", "Check '…' failed at src/…:117:") and ends with what
  /// was wrong.
  static func telling(_ message: String) -> String {
    let lines = message.split(whereSeparator: \.isNewline).map { trimmed($0) }
    let useful = lines.filter { line in
      !line.isEmpty && !isLocation(line) && line != "Summary:"
        && !line.hasPrefix("FrontEnd API failed with ")
    }
    let text = useful.prefix(4).map { $0.hasPrefix("-- ") ? String($0.dropFirst(3)) : $0 }
      .joined(separator: " ")
    if text.isEmpty {
      // Only a failed check is left: its condition says more than nothing.
      return lines.first { $0.hasPrefix("Check '") }.map { String($0.prefix(200)) } ?? ""
    }
    let plain = text.replacing(/Exception from \S+:\d+: */, with: "")
      .replacing(/\ failed at \S+:\d+:/, with: " failed:")
    // The list of formats that OpenVINO knows does not help anyone with a damaged file.
    let end = plain.range(of: " Available frontends:")?.lowerBound ?? plain.endIndex
    return String(plain[..<end].prefix(400))
  }

  private static func isLocation(_ line: String) -> Bool {
    if line.hasPrefix("Exception from ") { return true }
    return line.hasPrefix("Check '") && line.contains("' failed at ") && line.hasSuffix(":")
  }

  private static func trimmed(_ line: Substring) -> String {
    var line = line
    while let first = line.first, first.isWhitespace { line = line.dropFirst() }
    while let last = line.last, last.isWhitespace { line = line.dropLast() }
    return String(line)
  }
}
