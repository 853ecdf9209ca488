import Synchronization

/// Lends a fixed set of requests, first come first served.
///
/// Leases keep the pool alive, so the requests are freed only after the last lease is gone.
final class RequestPool: Sendable {
  private struct Waiter {
    let id: UInt64
    let continuation: CheckedContinuation<RequestLease?, Never>
  }

  private struct State {
    var idle: [any InferenceRequest]
    var waiters: [Waiter] = []
    /// Waiters cancelled before they were enqueued: the handler may run first. It may also run after
    /// the waiter was served, so `acquire` takes its own entry out again.
    var cancelledEarly: Set<UInt64> = []
    var nextID: UInt64 = 0
  }

  private let state: Mutex<State>
  /// The most pictures that a request takes.
  let batch: Int

  init(_ requests: sending [any InferenceRequest], batch: Int) {
    self.batch = batch
    state = Mutex(State(idle: requests))
  }

  var idleCount: Int { state.withLock { $0.idle.count } }
  var waiterCount: Int { state.withLock { $0.waiters.count } }

  func acquire() async throws(CancellationError) -> RequestLease {
    if Task.isCancelled { throw CancellationError() }
    let (request, id) = state.withLock { state -> ((any InferenceRequest)?, UInt64) in
      // A request is idle only while nobody waits: `giveBack` serves waiters first.
      if let request = state.idle.popLast() { return (request, 0) }
      state.nextID &+= 1
      return (nil, state.nextID)
    }
    if let request { return RequestLease(request, pool: self) }
    let lease = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        enqueue(Waiter(id: id, continuation: continuation))
      }
    } onCancel: {
      cancel(id)
    }
    state.withLock { _ = $0.cancelledEarly.remove(id) }
    guard let lease else { throw CancellationError() }
    return lease
  }

  private func enqueue(_ waiter: Waiter) {
    let outcome = state.withLock { state -> (resume: Bool, request: (any InferenceRequest)?) in
      if state.cancelledEarly.remove(waiter.id) != nil { return (true, nil) }
      if let request = state.idle.popLast() { return (true, request) }
      state.waiters.append(waiter)
      return (false, nil)
    }
    guard outcome.resume else { return }
    waiter.continuation.resume(returning: outcome.request.map { RequestLease($0, pool: self) })
  }

  private func cancel(_ id: UInt64) {
    let waiter = state.withLock { state -> Waiter? in
      if let index = state.waiters.firstIndex(where: { $0.id == id }) {
        return state.waiters.remove(at: index)
      }
      state.cancelledEarly.insert(id)
      return nil
    }
    waiter?.continuation.resume(returning: nil)
  }

  func giveBack(_ request: any InferenceRequest) {
    let waiter = state.withLock { state -> Waiter? in
      guard !state.waiters.isEmpty else {
        state.idle.append(request)
        return nil
      }
      return state.waiters.removeFirst()
    }
    waiter?.continuation.resume(returning: RequestLease(request, pool: self))
  }
}
