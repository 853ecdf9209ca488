/// Limits how many inferences of one detector are under way, whatever sessions they run in: a model that is compiled
/// for several sizes has a session for each, and all of them share the cores. Safe from any task.
public final class SlotPool: Sendable {
  /// How many slots there are.
  public let count: Int
  private let pool: LendingPool<Void>

  /// - Parameter count: at least 1.
  public init(count: Int) {
    self.count = max(1, count)
    pool = LendingPool(Array(repeating: (), count: max(1, count)))
  }

  /// Takes a slot, waiting for a free one if need be. Those who wait are served in the order in which they came.
  /// - Throws: `CancellationError` when the task is cancelled before a slot was free.
  public func acquire() async throws(CancellationError) -> Slot {
    try await pool.take()
    return Slot(pool)
  }
}

/// The right to run one inference, until the slot is dropped.
public final class Slot: Sendable {
  private let pool: LendingPool<Void>

  fileprivate init(_ pool: LendingPool<Void>) {
    self.pool = pool
  }

  deinit { pool.giveBack(()) }
}
