import Foundation

/// What the process has used so far.
public struct ResourceUsage: Sendable {
  /// The greatest resident set size so far, in MiB.
  public let peakResidentMiB: Double

  /// Reads the counters of this process.
  public static func current() -> ResourceUsage {
    var usage = rusage()
    #if os(Linux)
      _ = getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
      let unit = 1_024.0  // kilobytes
    #else
      _ = getrusage(RUSAGE_SELF, &usage)
      let unit = 1.0  // bytes
    #endif
    // Where it can be had otherwise: `ru_maxrss` begins at what the process that started this one held.
    let peak = ResidentMemory.current().peakMb
    return ResourceUsage(
      peakResidentMiB: peak > 0 ? peak : Double(usage.ru_maxrss) * unit / 1_048_576)
  }
}
