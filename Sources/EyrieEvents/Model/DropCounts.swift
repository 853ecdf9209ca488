/// How many frames or events were dropped so far in a run, by stage and by reason.
///
/// Cumulative: a consumer takes differences, and loses nothing when it misses an event.
public struct DropCounts: Sendable, Equatable {
  /// The counts: stage, then reason. Entries that are zero may be absent.
  public private(set) var counts: [String: [String: Int]]

  /// Nothing dropped.
  public init() { counts = [:] }

  /// Takes counts as they are.
  public init(_ counts: [String: [String: Int]]) { self.counts = counts }

  /// Adds to a count; stops at the largest `Int` rather than overflow.
  public mutating func add(_ count: Int = 1, stage: String, reason: String) {
    let old = counts[stage]?[reason] ?? 0
    let (sum, overflow) = old.addingReportingOverflow(count)
    counts[stage, default: [:]][reason] = overflow ? Int.max : sum
  }

  /// The count of one stage and reason; 0 if it has none.
  public subscript(stage: String, reason: String) -> Int { counts[stage]?[reason] ?? 0 }

  /// The sum over all stages and reasons.
  public var total: Int {
    counts.values.reduce(0) { sum, reasons in
      reasons.values.reduce(sum) { $0.addingReportingOverflow($1).overflow ? Int.max : $0 + $1 }
    }
  }

  /// Whether nothing was dropped.
  public var isEmpty: Bool { counts.isEmpty }
}
