import Synchronization

/// Which compiled model may keep its threads on cores of their own: one at a time.
///
/// OpenVINO ties the threads of each compiled model to cores, counted from the first, whatever others do. A model that
/// computes alone gains by it (4 % more frames a second on two cores, as its caches stay warm). But of two, two
/// threads can sit on one core while the other has nothing to do: six sources of three aspects got 67 frames a second
/// so, with half a core idle, and 73 to 80 where only one of the models was tied. What is not tied makes room.
///
/// And only with the throughput hint, where each thread has an inference of its own. With the latency hint threads wait
/// for one another in each layer: where another process has one of the cores, all wait for it. Two runs side by side
/// that were tied had a p95 of 400 to 490 ms, of 40 to 110 where they were not; alone the gain was 5 %.
final class CorePinning: Sendable {
  /// Of this process.
  static let shared = CorePinning()

  private let isTaken = Atomic(false)

  /// The right to pin, until it is released.
  final class Right: Sendable {
    private let pinning: CorePinning

    fileprivate init(_ pinning: CorePinning) { self.pinning = pinning }

    deinit { pinning.isTaken.store(false, ordering: .releasing) }
  }

  /// - Returns: nil if another model has it, or the hint asks for none.
  func take(for performance: CompileOptions.Performance) -> Right? {
    guard performance == .throughput, !isTaken.exchange(true, ordering: .acquiring) else { return nil }
    return Right(self)
  }
}
