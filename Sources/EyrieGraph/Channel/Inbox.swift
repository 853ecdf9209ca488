import Synchronization

/// Where a stage receives its items: one bounded lane for each incoming edge, one receiver.
///
/// Of the lanes that hold items the one is served that was served the longest ago, so that an edge that is full
/// never starves another, and those that are busy get equal shares, however their items happen to arrive.
/// Lanes can be added at any time until the inbox is over, and one that is closed and empty is forgotten: memory does
/// not depend on how many there were, and an item costs no more for lanes that are empty. All methods are safe from
/// any task; items are destroyed, waiters resumed and callbacks called outside the lock.
final class Inbox<Element: Sendable>: Sendable {
  // Unsafe, that is without an allocation for each wait: whoever takes one out, under the lock, resumes it.
  fileprivate typealias SenderWait = UnsafeContinuation<SendOutcome, Never>
  private typealias ReceiverWait = UnsafeContinuation<Element?, Never>

  /// One incoming edge of an inbox, for whoever sends over it. It keeps its counts after the inbox has
  /// forgotten it.
  ///
  /// `@unchecked Sendable` because the queue in it is touched only under the lock of its inbox.
  final class Entrance: @unchecked Sendable {
    fileprivate var lane: Lane<Element, SenderWait>
    /// The number of the item that it gave last, among those of all lanes.
    fileprivate var lastTurn: UInt64
    fileprivate let onFinish: @Sendable () -> Void

    fileprivate init(
      lane: Lane<Element, SenderWait>, lastTurn: UInt64, onFinish: @escaping @Sendable () -> Void
    ) {
      self.lane = lane
      self.lastTurn = lastTurn
      self.onFinish = onFinish
    }
  }

  private struct State {
    /// The lanes that hold items, each once, in the order in which they will be served.
    var ready = Ring<Entrance>(capacity: 4)
    /// Counts the items that were given.
    var turn: UInt64 = 0
    /// The lanes that are not finished.
    var open: [ObjectIdentifier: Entrance] = [:]
    var receiver: ReceiverWait?
    /// Whether the inbox goes on without lanes, because some may still be added.
    var isHeldOpen = false
    /// Whether the receiver was told that nothing more will come, or will be.
    var isOver = false

    /// The next item in turn, the sender that got its place, and the lane if that was its last.
    mutating func take() -> (element: Element, admitted: SenderWait?, finished: Entrance?)? {
      guard let entrance = ready.popFirst(), let taken = entrance.lane.take() else { return nil }
      noteTurn(of: entrance)
      if entrance.lane.depth > 0 {
        ready.append(entrance)
      } else if entrance.lane.isFinished {
        return (taken.element, taken.admitted, open.removeValue(forKey: ObjectIdentifier(entrance)))
      }
      return (taken.element, taken.admitted, nil)
    }

    mutating func offer(_ element: Element, to entrance: Entrance) -> Lane<Element, SenderWait>.Offer {
      let offer = entrance.lane.offer(element)
      if case .stored = offer, entrance.lane.depth == 1 {
        // Open lanes are in the ring once at most, so that it is as large as they are many. A camera whose next
        // frame comes right after its turn must not have another one before those whose turn is longer ago.
        ready.insert(entrance) { $0.lastTurn > entrance.lastTurn }
      }
      return offer
    }

    mutating func noteTurn(of entrance: Entrance) {
      turn &+= 1
      entrance.lastTurn = turn
    }

    /// Whether nothing more will come; once it is said, no lane can be added.
    mutating func endsNow() -> Bool {
      if !isHeldOpen, open.isEmpty { isOver = true }
      return isOver
    }
  }

  /// The stage that receives.
  private let stage: String
  private let state = Mutex(State())

  init(stage: String) {
    self.stage = stage
  }

  /// Adds the lane of one incoming edge.
  /// - Parameter onFinish: called once, when the lane is closed and empty.
  /// - Returns: nil when the inbox is over: its receiver has ended or is about to.
  func addLane(
    capacity: Int, policy: OverflowPolicy, onFinish: @escaping @Sendable () -> Void = {}
  ) -> Entrance? {
    state.withLock { state in
      guard !state.isOver else { return nil }
      let entrance = Entrance(
        lane: Lane(capacity: capacity, policy: policy), lastTurn: state.turn, onFinish: onFinish)
      state.open[ObjectIdentifier(entrance)] = entrance
      state.ready.makeRoom(for: state.open.count)
      return entrance
    }
  }

  /// Sends one item over a lane; waits for room where the lane's policy is `suspend`.
  func send(_ element: Element, through entrance: Entrance) async -> SendOutcome {
    if let outcome = offer(element, to: entrance) { return outcome }
    return await withUnsafeContinuation { continuation in
      parkOrStore(element, in: entrance, continuation: continuation)
    }
  }

  /// The next item; waits for one.
  /// - Returns: nil when every lane is closed and empty, or after `abort`.
  func receive() async -> Element? {
    switch takeNow() {
    case .item(let element): return element
    case .finished: return nil
    case .empty:
      return await withUnsafeContinuation { continuation in
        // Something may have come between the look above and here.
        switch takeNow(orRegister: continuation) {
        case .item(let element): continuation.resume(returning: element)
        case .finished: continuation.resume(returning: nil)
        case .empty: break
        }
      }
    }
  }

  /// Lets the receiver wait although there is no lane, until `release`.
  func holdOpen() {
    state.withLock { $0.isHeldOpen = true }
  }

  /// The inbox is over as soon as its last lane is closed and empty.
  func release() {
    let receiver = state.withLock { state -> ReceiverWait? in
      state.isHeldOpen = false
      return state.receiver != nil && state.endsNow() ? state.receiver.take() : nil
    }
    receiver?.resume(returning: nil)
  }

  /// Closes one lane: what it holds is still delivered.
  func close(_ entrance: Entrance) {
    let (finished, receiver) = state.withLock { state -> (Entrance?, ReceiverWait?) in
      entrance.lane.close()
      guard entrance.lane.isFinished else { return (nil, nil) }
      let finished = state.open.removeValue(forKey: ObjectIdentifier(entrance))
      return (finished, state.receiver != nil && state.endsNow() ? state.receiver.take() : nil)
    }
    receiver?.resume(returning: nil)
    finished?.onFinish()
  }

  /// Ends everything now: queued items count as dropped, waiting senders and the receiver are released.
  func abort() {
    let (ended, receiver) = state.withLock { state -> (Aborted, ReceiverWait?) in
      state.isOver = true
      var ended = Aborted()
      for entrance in state.open.values {
        let given = entrance.lane.abort()
        ended.discarded += given.discarded
        ended.senders += given.waiters
        ended.lanes.append(entrance)
      }
      while state.ready.popFirst() != nil {}
      state.open = [:]
      return (ended, state.receiver.take())
    }
    for sender in ended.senders { sender.resume(returning: .closed) }
    receiver?.resume(returning: nil)
    for entrance in ended.lanes { entrance.onFinish() }
    // Outside the lock, as is their end: items may own locks themselves.
    for item in ended.discarded { tellLoss(of: item, at: stage, reason: LossReason.shutdown) }
  }

  private struct Aborted {
    var discarded: [Element] = []
    var senders: [SenderWait] = []
    var lanes: [Entrance] = []
  }

  /// What one lane has counted so far.
  func counts(_ entrance: Entrance) -> LaneCounts {
    state.withLock { _ in
      let lane = entrance.lane
      return LaneCounts(
        capacity: lane.capacity, policy: lane.policy, offered: lane.offered, delivered: lane.delivered,
        overflowed: lane.overflowed, discarded: lane.discarded, inFlight: lane.inFlight, depth: lane.depth,
        highWaterMark: lane.highWaterMark, isFinished: lane.isFinished)
    }
  }

  /// How many lanes are not finished.
  var openLanes: Int { state.withLock { $0.open.count } }

  // MARK: - One look under the lock

  private enum Taken {
    case item(Element)
    case finished
    case empty
  }

  private func takeNow(orRegister continuation: ReceiverWait? = nil) -> Taken {
    let (taken, admitted, finished) = state.withLock { state -> (Taken, SenderWait?, Entrance?) in
      if let next = state.take() { return (.item(next.element), next.admitted, next.finished) }
      if state.endsNow() { return (.finished, nil, nil) }
      state.receiver = continuation
      return (.empty, nil, nil)
    }
    admitted?.resume(returning: .accepted)
    finished?.onFinish()
    return taken
  }

  /// What can be said without waiting; nil where the sender has to wait.
  private func offer(_ element: Element, to entrance: Entrance) -> SendOutcome? {
    let (outcome, receiver, lost) = state.withLock { state -> (SendOutcome?, ReceiverWait?, Element?) in
      if let receiver = handOver(&state, entrance) { return (.accepted, receiver, nil) }
      switch state.offer(element, to: entrance) {
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

  private func parkOrStore(_ element: Element, in entrance: Entrance, continuation: SenderWait) {
    let (outcome, receiver) = state.withLock { state -> (SendOutcome?, ReceiverWait?) in
      if let receiver = handOver(&state, entrance) { return (.accepted, receiver) }
      switch state.offer(element, to: entrance) {
      case .mustWait:
        entrance.lane.park(element, waiter: continuation)
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
  private func handOver(_ state: inout State, _ entrance: Entrance) -> ReceiverWait? {
    guard !entrance.lane.isClosed, let receiver = state.receiver.take() else { return nil }
    entrance.lane.recordHandOver()
    state.noteTurn(of: entrance)
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
  /// Whether the lane is closed and empty.
  let isFinished: Bool
}
