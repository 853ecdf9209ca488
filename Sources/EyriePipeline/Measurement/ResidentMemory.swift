import Foundation

/// What a process holds in memory, in MiB, and of what kind.
struct ResidentMemory: Sendable, Codable, Equatable {
  /// All resident pages.
  var totalMb = 0.0
  /// Private memory: weights, tensors, frames, heaps, stacks.
  var anonymousMb = 0.0
  /// Pages of libraries and mapped files, which the system can drop and share.
  var fileMb = 0.0
  /// The most that was resident at any time since the program was loaded. Not `ru_maxrss`, which begins at what
  /// the process that started this one held.
  var peakMb = 0.0

  /// Of this process now; zeros where there is no `/proc`.
  static func current() -> ResidentMemory { of("self") ?? ResidentMemory() }

  /// The most that this process held, also where there is no `/proc`: then by `ru_maxrss`.
  static func peakMb() -> Double {
    let peak = current().peakMb
    guard peak == 0 else { return peak }
    var usage = rusage()
    #if os(Linux)
      _ = getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
      let unit = 1_024.0  // kilobytes
    #else
      _ = getrusage(RUSAGE_SELF, &usage)
      let unit = 1.0  // bytes
    #endif
    return Double(usage.ru_maxrss) * unit / 1_048_576
  }

  /// Of another process now; nil when it has ended.
  static func of(process identifier: Int32) -> ResidentMemory? { of("\(identifier)") }

  private static func of(_ name: String) -> ResidentMemory? {
    guard let status = try? String(contentsOfFile: "/proc/\(name)/status", encoding: .utf8) else {
      return nil
    }
    var memory = ResidentMemory()
    for line in status.split(separator: "\n") {
      let words = line.split(whereSeparator: \.isWhitespace)
      guard words.count >= 2, let kilobytes = Double(words[1]) else { continue }
      switch words[0] {
      case "VmRSS:": memory.totalMb = kilobytes / 1_024
      case "VmHWM:": memory.peakMb = kilobytes / 1_024
      case "RssAnon:": memory.anonymousMb = kilobytes / 1_024
      case "RssFile:": memory.fileMb = kilobytes / 1_024
      default: break
      }
    }
    // One that has ended and was not waited for has no memory any more.
    return memory.totalMb > 0 ? memory : nil
  }
}
