import Synchronization

/// Asks the sources of a run to stop, from any thread; the run then drains what is in flight.
///
/// Stopping is not cancelling: a stopped run delivers what it had accepted.
public final class StopSignal: Sendable {
  private struct State {
    var isRequested = false
    var actions: [@Sendable () -> Void] = []
    var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    var nextWaiter = 0
  }

  private let state = Mutex(State())

  /// A signal that nobody has given yet.
  public init() {}

  /// A signal that is also given when another one is, but not the other way round.
  public convenience init(linkedTo other: StopSignal) {
    self.init()
    other.onRequest { [weak self] in self?.request() }
  }

  /// Whether the stop was asked for.
  public var isRequested: Bool { state.withLock(\.isRequested) }

  /// Asks for the stop. Asking again does nothing.
  public func request() {
    let (actions, waiters) = state.withLock { state in
      state.isRequested = true
      defer {
        state.actions = []
        state.waiters = [:]
      }
      return (state.actions, state.waiters.values)
    }
    for action in actions { action() }
    for waiter in waiters { waiter.resume() }
  }

  /// Runs an action once when the stop is asked for, or at once if it was. The action must not block: it
  /// runs on whatever thread asked.
  public func onRequest(_ action: @escaping @Sendable () -> Void) {
    let isLate = state.withLock { state in
      if !state.isRequested { state.actions.append(action) }
      return state.isRequested
    }
    if isLate { action() }
  }

  /// Waits for the stop, or for cancellation of the calling task.
  public func wait() async {
    let number = state.withLock { state in
      state.nextWaiter += 1
      return state.nextWaiter
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if state.isRequested || Task.isCancelled { return true }
          state.waiters[number] = continuation
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      let waiter = state.withLock { $0.waiters.removeValue(forKey: number) }
      waiter?.resume()
    }
  }
}
