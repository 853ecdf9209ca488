import Synchronization

/// Lets the workers of a stage take items one after the other, and work on so many at once.
///
/// A worker enters, takes its item, lets the next one take (`didTake`), and says when its work is done (`didWork`).
final class WorkAdmission: Sendable {
  private struct State {
    var freeSlots: Int
    /// Whether some worker is about to take an item.
    var isTaking = false
    /// Unsafe, that is without an allocation for each wait: each is taken out under the lock, once.
    var waiting: [UnsafeContinuation<Void, Never>] = []

    /// - Returns: whether somebody may take an item now.
    mutating func admit() -> Bool {
      guard !isTaking, freeSlots > 0 else { return false }
      isTaking = true
      freeSlots -= 1
      return true
    }

    /// The worker that may go on, if there is one and it may.
    mutating func next() -> UnsafeContinuation<Void, Never>? {
      waiting.isEmpty || !admit() ? nil : waiting.removeLast()
    }
  }

  private let state: Mutex<State>

  /// - Parameter slots: how many items may be worked on at once.
  init(slots: Int) {
    state = Mutex(State(freeSlots: max(1, slots)))
  }

  /// Waits until nobody else takes an item, and a slot is free for the work on it.
  func enter() async {
    if state.withLock({ $0.admit() }) { return }
    await withUnsafeContinuation { continuation in
      let isAdmitted = state.withLock { state in
        if state.admit() { return true }
        state.waiting.append(continuation)
        return false
      }
      if isAdmitted { continuation.resume() }
    }
  }

  /// The worker that entered has its item, or knows that there is none: the next may enter.
  func didTake() {
    let next = state.withLock { state in
      state.isTaking = false
      return state.next()
    }
    next?.resume()
  }

  /// The work is done, and its slot free.
  func didWork() {
    let next = state.withLock { state in
      state.freeSlots += 1
      return state.next()
    }
    next?.resume()
  }
}
