import Synchronization

/// Where a stage receives its items: one bounded lane for each incoming edge, one receiver.
///
/// Lanes are served round robin, so that an edge that is full never starves another. All methods are safe
/// from any task; items are destroyed and waiters resumed outside the lock.
final class Inbox<Element: Sendable>: Sendable {
  private typealias SenderWait = CheckedContinuation<SendOutcome, Never>
  private typealias ReceiverWait = CheckedContinuation<Element?, Never>

  private struct State {
    var lanes: [Lane<Element, SenderWait>] = []
    var nextLane = 0
    var receiver: ReceiverWait?
    var isAborted = false

    /// The next item in round-robin order, and the sender that got its place.
    mutating func take() -> (element: Element, admitted: SenderWait?)? {
      for step in lanes.indices {
        let index = (nextLane + step) % lanes.count
        if let taken = lanes[index].take() {
          nextLane = (index + 1) % lanes.count
          return taken
        }
      }
      return nil
    }

    var isFinished: Bool { isAborted || lanes.allSatisfy(\.isFinished) }
  }

  /// The stage that receives.
  private let stage: String
  private let state = Mutex(State())

  init(stage: String) {
    self.stage = stage
  }

  /// Adds the lane of one incoming edge.
  /// - Returns: the lane's number, for `send` and `close`.
  func addLane(capacity: Int, policy: OverflowPolicy) -> Int {
    state.withLock { state in
      state.lanes.append(Lane(capacity: capacity, policy: policy))
      return state.lanes.count - 1
    }
  }

  /// Sends one item over a lane; waits for room where the lane's policy is `suspend`.
  func send(_ element: Element, lane index: Int) async -> SendOutcome {
    if let outcome = offer(element, lane: index) { return outcome }
    return await withCheckedContinuation { continuation in
      parkOrStore(element, lane: index, continuation: continuation)
    }
  }

  /// The next item; waits for one.
  /// - Returns: nil when every lane is closed and empty, or after `abort`.
  func receive() async -> Element? {
    switch takeNow() {
    case .item(let element): return element
    case .finished: return nil
    case .empty:
      return await withCheckedContinuation { continuation in
        // Something may have come between the look above and here.
        switch takeNow(orRegister: continuation) {
        case .item(let element): continuation.resume(returning: element)
        case .finished: continuation.resume(returning: nil)
        case .empty: break
        }
      }
    }
  }

  /// Closes one lane: what it holds is still delivered.
  func close(lane index: Int) {
    let receiver = state.withLock { state -> ReceiverWait? in
      state.lanes[index].close()
      return state.isFinished ? state.receiver.take() : nil
    }
    receiver?.resume(returning: nil)
  }

  /// Ends everything now: queued items count as dropped, waiting senders and the receiver are released.
  func abort() {
    let (discarded, senders, receiver) = state.withLock { state -> ([Element], [SenderWait], ReceiverWait?) in
      state.isAborted = true
      var discarded: [Element] = []
      var senders: [SenderWait] = []
      for index in state.lanes.indices {
        let given = state.lanes[index].abort()
        discarded += given.discarded
        senders += given.waiters
      }
      return (discarded, senders, state.receiver.take())
    }
    for sender in senders { sender.resume(returning: .closed) }
    receiver?.resume(returning: nil)
    // Outside the lock, as is their end: items may own locks themselves.
    for item in discarded { tellLoss(of: item, at: stage, reason: LossReason.shutdown) }
  }

  /// What one lane has counted so far.
  func counts(lane index: Int) -> LaneCounts {
    state.withLock { state in
      let lane = state.lanes[index]
      return LaneCounts(
        capacity: lane.capacity, policy: lane.policy, offered: lane.offered, delivered: lane.delivered,
        overflowed: lane.overflowed, discarded: lane.discarded, inFlight: lane.inFlight, depth: lane.depth,
        highWaterMark: lane.highWaterMark)
    }
  }

  // MARK: - One look under the lock

  private enum Taken {
    case item(Element)
    case finished
    case empty
  }

  private func takeNow(orRegister continuation: ReceiverWait? = nil) -> Taken {
    let (taken, admitted) = state.withLock { state -> (Taken, SenderWait?) in
      if state.isAborted { return (.finished, nil) }
      if let next = state.take() { return (.item(next.element), next.admitted) }
      if state.isFinished { return (.finished, nil) }
      state.receiver = continuation
      return (.empty, nil)
    }
    admitted?.resume(returning: .accepted)
    return taken
  }

  /// What can be said without waiting; nil where the sender has to wait.
  private func offer(_ element: Element, lane index: Int) -> SendOutcome? {
    let (outcome, receiver, lost) = state.withLock { state -> (SendOutcome?, ReceiverWait?, Element?) in
      if let receiver = handOver(&state, lane: index) { return (.accepted, receiver, nil) }
      switch state.lanes[index].offer(element) {
      case .stored: return (.accepted, nil, nil)
      case .storedDropping(let oldest): return (.acceptedDroppingOldest, nil, oldest)
      case .refused(let newest): return (.dropped, nil, newest)
      case .closed(let newest): return (.closed, nil, newest)
      case .mustWait: return (nil, nil, nil)
      }
    }
    receiver?.resume(returning: element)
    if let lost {
      let reason = outcome == .closed ? LossReason.shutdown : LossReason.queueFull
      tellLoss(of: lost, at: stage, reason: reason)
    }
    return outcome
  }

  private func parkOrStore(_ element: Element, lane index: Int, continuation: SenderWait) {
    let (outcome, receiver) = state.withLock { state -> (SendOutcome?, ReceiverWait?) in
      if let receiver = handOver(&state, lane: index) { return (.accepted, receiver) }
      switch state.lanes[index].offer(element) {
      case .mustWait:
        state.lanes[index].park(element, waiter: continuation)
        return (nil, nil)
      case .closed: return (.closed, nil)
      case .stored, .storedDropping, .refused: return (.accepted, nil)
      }
    }
    receiver?.resume(returning: element)
    if outcome == .closed { tellLoss(of: element, at: stage, reason: LossReason.shutdown) }
    if let outcome { continuation.resume(returning: outcome) }
  }

  /// A receiver that waits means that every lane is empty: the item goes to it directly.
  private func handOver(_ state: inout State, lane index: Int) -> ReceiverWait? {
    guard !state.lanes[index].isClosed, let receiver = state.receiver.take() else { return nil }
    state.lanes[index].recordHandOver()
    return receiver
  }
}

/// The counts of one lane at one moment.
struct LaneCounts: Sendable {
  let capacity: Int
  let policy: OverflowPolicy
  let offered: Int
  let delivered: Int
  let overflowed: Int
  let discarded: Int
  let inFlight: Int
  let depth: Int
  let highWaterMark: Int

  var dropped: Int { overflowed + discarded }
}
