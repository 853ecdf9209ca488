/// How many frames or events were dropped so far in a run, by stage and by reason.
///
/// Cumulative: a consumer takes differences, and loses nothing when it misses an event.
public struct DropCounts: Sendable, Equatable {
  /// One of the counts.
  public struct Entry: Sendable, Equatable {
    /// The stage that dropped.
    public let stage: String
    /// Why.
    public let reason: String
    /// How often.
    public fileprivate(set) var count: Int
  }

  /// By stage, then by reason. They are few: a sorted list is counted in and written without any other memory.
  public private(set) var entries: [Entry] = []

  /// Nothing dropped.
  public init() {}

  /// Takes counts as they are.
  public init(_ counts: [String: [String: Int]]) {
    entries = counts.flatMap { stage, reasons in
      reasons.map { Entry(stage: stage, reason: $0.key, count: $0.value) }
    }
    entries.sort { ($0.stage, $0.reason) < ($1.stage, $1.reason) }
  }

  /// Adds to a count; stops at the largest `Int` rather than overflow.
  public mutating func add(_ count: Int = 1, stage: String, reason: String) {
    var place = entries.count
    while place > 0 {
      let before = entries[place - 1]
      if before.stage == stage, before.reason == reason {
        let (sum, overflow) = before.count.addingReportingOverflow(count)
        entries[place - 1].count = overflow ? Int.max : sum
        return
      }
      if (before.stage, before.reason) < (stage, reason) { break }
      place -= 1
    }
    entries.insert(Entry(stage: stage, reason: reason, count: count), at: place)
  }

  /// Adds to counts: stage, then reason.
  public mutating func add(_ counts: [String: [String: Int]]) {
    for (stage, reasons) in counts {
      for (reason, count) in reasons { add(count, stage: stage, reason: reason) }
    }
  }

  /// Forgets the counts and keeps the memory.
  public mutating func removeAll() {
    entries.removeAll(keepingCapacity: true)
  }

  /// The count of one stage and reason; 0 if it has none.
  public subscript(stage: String, reason: String) -> Int {
    entries.first { $0.stage == stage && $0.reason == reason }?.count ?? 0
  }

  /// The sum over all stages and reasons.
  public var total: Int {
    entries.reduce(0) { $0.addingReportingOverflow($1.count).overflow ? Int.max : $0 + $1.count }
  }

  /// Whether nothing was dropped.
  public var isEmpty: Bool { entries.isEmpty }
}
