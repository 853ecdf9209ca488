import Synchronization

/// Lends a fixed set of resources, first come first served. Safe from any task.
final class LendingPool<Resource: Sendable>: Sendable {
  private struct Waiter {
    let id: UInt64
    /// Unsafe, that is without an allocation for each wait: it is taken out under the lock, once.
    let continuation: UnsafeContinuation<Resource?, Never>
  }

  private struct State {
    var idle: [Resource]
    var waiters: [Waiter] = []
    /// Waiters cancelled before they were enqueued: the handler may run first. It may also run after
    /// the waiter was served, so `take` takes its own entry out again.
    var cancelledEarly: Set<UInt64> = []
    var nextID: UInt64 = 0
  }

  private let state: Mutex<State>

  init(_ resources: [Resource]) {
    state = Mutex(State(idle: resources))
  }

  var idleCount: Int { state.withLock { $0.idle.count } }
  var waiterCount: Int { state.withLock { $0.waiters.count } }

  /// Takes a resource, waiting for one if need be; whoever has it gives it back.
  func take() async throws(CancellationError) -> Resource {
    if Task.isCancelled { throw CancellationError() }
    let (resource, id) = state.withLock { state -> (Resource?, UInt64) in
      // A resource is idle only while nobody waits: `giveBack` serves waiters first.
      if let resource = state.idle.popLast() { return (resource, 0) }
      state.nextID &+= 1
      return (nil, state.nextID)
    }
    if let resource { return resource }
    let lent = await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        enqueue(Waiter(id: id, continuation: continuation))
      }
    } onCancel: {
      cancel(id)
    }
    state.withLock { _ = $0.cancelledEarly.remove(id) }
    guard let lent else { throw CancellationError() }
    return lent
  }

  private func enqueue(_ waiter: Waiter) {
    let outcome = state.withLock { state -> (resume: Bool, resource: Resource?) in
      if state.cancelledEarly.remove(waiter.id) != nil { return (true, nil) }
      if let resource = state.idle.popLast() { return (true, resource) }
      state.waiters.append(waiter)
      return (false, nil)
    }
    guard outcome.resume else { return }
    waiter.continuation.resume(returning: outcome.resource)
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

  func giveBack(_ resource: Resource) {
    let waiter = state.withLock { state -> Waiter? in
      guard !state.waiters.isEmpty else {
        state.idle.append(resource)
        return nil
      }
      return state.waiters.removeFirst()
    }
    waiter?.continuation.resume(returning: resource)
  }
}
