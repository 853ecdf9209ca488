import Foundation

/// What the cores of the machine have been doing since it started, to tell how much others took of a measurement.
struct MachineLoad: Sendable {
  /// CPU time of everything, in seconds of one core, with what a hypervisor gave to other machines.
  let busySeconds: Double
  /// CPU time of this process.
  let ownSeconds: Double
  /// The same and idle time.
  let totalSeconds: Double

  /// Reads `/proc/stat`; nil where there is none.
  static func current() -> MachineLoad? {
    guard let stat = try? String(contentsOfFile: "/proc/stat", encoding: .utf8) else { return nil }
    return MachineLoad(
      stat: stat, ticksPerSecond: Double(sysconf(Int32(_SC_CLK_TCK))), own: CPUClock.process())
  }

  /// - Parameter stat: the text of `/proc/stat`: `cpu` and the time spent in user, nice, system, idle, iowait, irq,
  ///   softirq and steal, and two that are already part of the first ones.
  init?(stat: String, ticksPerSecond: Double, own: Double) {
    guard let line = stat.split(separator: "\n").first, line.hasPrefix("cpu "), ticksPerSecond > 0 else {
      return nil
    }
    let ticks = line.split(separator: " ").dropFirst().prefix(8).compactMap { Double($0) }
    guard ticks.count == 8 else { return nil }
    totalSeconds = ticks.reduce(0, +) / ticksPerSecond
    busySeconds = totalSeconds - (ticks[3] + ticks[4]) / ticksPerSecond
    ownSeconds = own
  }

  /// The share of the machine's CPU time since an earlier moment that others used, 0…1.
  func othersShare(since start: MachineLoad) -> Double {
    let total = totalSeconds - start.totalSeconds
    let others = busySeconds - start.busySeconds - (ownSeconds - start.ownSeconds)
    return total > 0 ? min(1, max(0, others / total)) : 0
  }
}
