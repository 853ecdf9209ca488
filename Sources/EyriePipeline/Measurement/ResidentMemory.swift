import Foundation

/// What the process holds in memory now, in MiB, and of what kind.
struct ResidentMemory: Sendable, Codable, Equatable {
  /// All resident pages.
  var totalMb = 0.0
  /// Private memory: weights, tensors, frames, heaps, stacks.
  var anonymousMb = 0.0
  /// Pages of libraries and mapped files, which the system can drop and share.
  var fileMb = 0.0

  /// Reads `/proc/self/status`; zeros where there is none.
  static func current() -> ResidentMemory {
    var memory = ResidentMemory()
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    for line in status.split(separator: "\n") {
      let words = line.split(whereSeparator: \.isWhitespace)
      guard words.count >= 2, let kilobytes = Double(words[1]) else { continue }
      switch words[0] {
      case "VmRSS:": memory.totalMb = kilobytes / 1_024
      case "RssAnon:": memory.anonymousMb = kilobytes / 1_024
      case "RssFile:": memory.fileMb = kilobytes / 1_024
      default: break
      }
    }
    return memory
  }
}
