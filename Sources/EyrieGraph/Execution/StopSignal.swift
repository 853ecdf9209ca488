import Synchronization

/// Asks the sources of a run to stop, from any thread; the run then drains what is in flight.
///
/// Stopping is not cancelling: a stopped run delivers what it had accepted.
public final class StopSignal: Sendable {
  private struct State {
    var isRequested = false
    var actions: [Int: @Sendable () -> Void] = [:]
    var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    var nextNumber = 0
    /// The signal that this one follows, and the number of its action there.
    var link: (signal: StopSignal, action: Int)?

    mutating func number() -> Int {
      nextNumber += 1
      return nextNumber
    }
  }

  private let state = Mutex(State())

  /// A signal that nobody has given yet.
  public init() {}

  /// A signal that is also given when another one is, but not the other way round. The other one forgets it
  /// when it goes: a signal that lives long can have any number of short-lived followers.
  public convenience init(linkedTo other: StopSignal) {
    self.init()
    follow(other)
  }

  deinit {
    unfollow()
  }

  /// Whether the stop was asked for.
  public var isRequested: Bool { state.withLock(\.isRequested) }

  /// Asks for the stop. Asking again does nothing.
  public func request() {
    let (actions, waiters) = state.withLock { state in
      state.isRequested = true
      defer {
        state.actions = [:]
        state.waiters = [:]
      }
      return (state.actions, state.waiters.values)
    }
    for (_, action) in actions.sorted(by: { $0.key < $1.key }) { action() }
    for waiter in waiters { waiter.resume() }
  }

  /// Runs an action once when the stop is asked for, or at once if it was. The action must not block: it
  /// runs on whatever thread asked. It is kept until then: what comes and goes follows through a signal of its
  /// own (`init(linkedTo:)`).
  public func onRequest(_ action: @escaping @Sendable () -> Void) {
    if register(action) == nil { action() }
  }

  /// Is given when another signal is, until `unfollow`. One at a time.
  func follow(_ other: StopSignal) {
    if let action = other.register({ [weak self] in self?.request() }) {
      state.withLock { $0.link = (other, action) }
    } else {
      request()
    }
  }

  /// Follows nobody any more, and is forgotten by whom it followed.
  func unfollow() {
    guard let link = state.withLock({ $0.link.take() }) else { return }
    // Destroyed outside the lock, as everything that others gave.
    let action = link.signal.state.withLock { $0.actions.removeValue(forKey: link.action) }
    withExtendedLifetime(action) {}
  }

  /// How many actions wait for the request.
  var actionCount: Int { state.withLock { $0.actions.count } }

  /// - Returns: nil when the stop was already asked for.
  private func register(_ action: @escaping @Sendable () -> Void) -> Int? {
    state.withLock { state in
      guard !state.isRequested else { return nil }
      let number = state.number()
      state.actions[number] = action
      return number
    }
  }

  /// Waits for the stop, or for cancellation of the calling task.
  public func wait() async {
    let number = state.withLock { $0.number() }
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

  /// Waits for the stop, for a moment of the monotonic clock, or for cancellation of the calling task.
  /// - Parameter deadline: nil for as long as it takes.
  public func wait(until deadline: ContinuousClock.Instant?) async {
    guard let deadline else { return await wait() }
    await withTaskGroup { group in
      group.addTask { await self.wait() }
      group.addTask { try? await Task.sleep(until: deadline, clock: .continuous) }
      await group.next()
      group.cancelAll()
    }
  }
}
