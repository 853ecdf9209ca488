import Synchronization

/// The counters of one node. Safe from any task.
///
/// Invariant: `received == emitted + consumed + dropped + failed + inProgress` (for sources, `received` counts
/// what they made).
final class NodeMeter: Sendable {
  struct State: Sendable {
    var received = 0
    var emitted = 0
    var consumed = 0
    var dropped: [String: Int] = [:]
    var failed: [String: Int] = [:]
    var restarts = 0
    var inProgress = 0
    var service = LatencyHistogram()
  }

  private let state = Mutex(State())

  func read() -> State { state.withLock { $0 } }

  /// Items dropped or failed, by reason.
  func losses() -> [String: Int] {
    state.withLock { $0.dropped.merging($0.failed, uniquingKeysWith: +) }
  }

  func recordReceived() {
    state.withLock {
      $0.received += 1
      $0.inProgress += 1
    }
  }

  func recordService(_ duration: Duration) {
    state.withLock { $0.service.record(duration) }
  }

  /// A source made an item and sent it.
  func recordEmitted() {
    state.withLock {
      $0.received += 1
      $0.emitted += 1
    }
  }

  /// A source made an item and gave it up.
  func recordSourceDrop(reason: String) {
    state.withLock {
      $0.received += 1
      $0.dropped[reason, default: 0] += 1
    }
  }

  func recordRestart() {
    state.withLock { $0.restarts += 1 }
  }

  /// How an item in progress ended.
  func recordEnd(_ end: ItemEnd) {
    state.withLock { state in
      state.inProgress -= 1
      switch end {
      case .emitted: state.emitted += 1
      case .consumed: state.consumed += 1
      case .dropped(let reason): state.dropped[reason, default: 0] += 1
      case .failed(let reason): state.failed[reason, default: 0] += 1
      }
    }
  }

  enum ItemEnd {
    case emitted
    case consumed
    case dropped(reason: String)
    case failed(reason: String)
  }
}
