import EyrieGraph
import Synchronization

/// Logs what went wrong without ending the run: the first of each kind in full, the rest as a count, so that a
/// camera with a bad cable does not fill the disk.
final class IncidentLog: Sendable {
  private struct Kind: Hashable {
    let stage: String
    let reason: String
  }

  private let reporter: RunReporter
  private let kinds = Mutex<[Kind: (count: Int, first: String)]>([:])

  init(_ reporter: RunReporter) {
    self.reporter = reporter
  }

  func record(_ incident: Incident) {
    record(stage: incident.stage, reason: incident.reason, message: incident.message)
  }

  func record(stage: String, reason: String, message: String) {
    let kind = Kind(stage: stage, reason: reason)
    let count = kinds.withLock { kinds in
      let count = (kinds[kind]?.count ?? 0) + 1
      kinds[kind] = (count, kinds[kind]?.first ?? message)
      return count
    }
    if Self.isWorthALine(count) {
      let times = count == 1 ? "" : " (\(count) times by now)"
      reporter.log("\(stage): \(message)\(times)")
    }
  }

  /// Whether the n-th time of the same trouble is logged: 1, 10, 100, … Still alive, no flood.
  static func isWorthALine(_ count: Int) -> Bool {
    let digits = String(count)
    return digits.first == "1" && digits.dropFirst().allSatisfy { $0 == "0" }
  }

  /// One line for each kind.
  var lines: [String] {
    kinds.withLock { kinds in
      kinds.map { "\($0.key.stage): \($0.key.reason) × \($0.value.count), first: \($0.value.first)" }.sorted()
    }
  }
}
