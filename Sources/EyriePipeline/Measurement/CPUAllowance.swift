import Foundation

/// How many cores this process may use: those it may be scheduled on, or less where a control group has a quota.
/// The threads of a core that has several count as cores, as the system counts them.
struct CPUAllowance: Sendable, Equatable {
  /// Cores that the scheduler may put it on.
  var schedulable: Int
  /// Cores' worth of time that its control groups allow; nil without a limit.
  var quota: Double?

  /// What there is to use at once.
  var cores: Double { min(Double(schedulable), quota ?? .infinity) }

  /// Of this process, now.
  static func current() -> CPUAllowance {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let groups = (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? ""
    return CPUAllowance(
      schedulable: schedulable(status: status) ?? max(1, ProcessInfo.processInfo.activeProcessorCount),
      quota: quota(groups: groups, root: "/sys/fs/cgroup"))
  }

  /// Reads `Cpus_allowed_list: 0-3,8` in `/proc/self/status`, which is what `sched_getaffinity` tells.
  static func schedulable(status: String) -> Int? {
    guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("Cpus_allowed_list:") }),
      let list = line.split(separator: ":").last
    else { return nil }
    var count = 0
    for range in list.split(separator: ",") {
      let ends = range.split(separator: "-").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
      guard let first = ends.first, let last = ends.last, last >= first, last < 1 << 20 else { return nil }
      count += last - first + 1
    }
    return count > 0 ? count : nil
  }

  /// The least quota of a control group and of those around it: `cpu.max` of version 2, `cpu.cfs_quota_us` of
  /// version 1. In a container the names of groups may be those of the host: then only the root is looked at.
  static func quota(groups: String, root: String) -> Double? {
    var quotas: [Double] = []
    for line in groups.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let isUnified = fields[1].isEmpty
      guard isUnified || fields[1].split(separator: ",").contains("cpu") else { continue }
      let base = isUnified ? root : "\(root)/\(fields[1])"
      var parts = fields[2].split(separator: "/")
      while true {
        let directory = ([base] + parts.map(String.init)).joined(separator: "/")
        if let quota = isUnified ? unified(directory) : legacy(directory) { quotas.append(quota) }
        if parts.popLast() == nil { break }
      }
    }
    return quotas.min()
  }

  /// `max 100000`, or `150000 100000` for one and a half cores.
  private static func unified(_ directory: String) -> Double? {
    let words = text("\(directory)/cpu.max")?.split(whereSeparator: \.isWhitespace).map { Double($0) } ?? []
    guard words.count == 2, let quota = words[0], let period = words[1] else { return nil }
    return ratio(quota, period)
  }

  private static func legacy(_ directory: String) -> Double? {
    guard let quota = number("\(directory)/cpu.cfs_quota_us"),
      let period = number("\(directory)/cpu.cfs_period_us")
    else { return nil }
    return ratio(quota, period)
  }

  private static func ratio(_ quota: Double, _ period: Double) -> Double? {
    quota > 0 && period > 0 && quota.isFinite ? quota / period : nil
  }

  private static func number(_ path: String) -> Double? {
    text(path).flatMap { Double($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
  }

  private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
}
