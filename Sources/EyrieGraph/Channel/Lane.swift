/// The queue of one edge, as a pure state machine: no locks, no concurrency, tested by hand.
///
/// An `Inbox` guards its lanes with a lock and acts on what they answer outside of it.
///
/// Invariant: `offered == delivered + dropped + queued.count + waiting.count`.
struct Lane<Element: Sendable, Waiter: Sendable>: Sendable {
  /// What the caller has to do after offering an item.
  enum Offer {
    case stored
    case storedDropping(Element)
    case refused(Element)
    case mustWait(Element)
    case closed(Element)
  }

  let capacity: Int
  let policy: OverflowPolicy
  private(set) var offered = 0
  private(set) var delivered = 0
  /// Items dropped because the queue was full.
  private(set) var overflowed = 0
  /// Items dropped because the edge was closed or the run aborted.
  private(set) var discarded = 0
  private(set) var highWaterMark = 0
  private(set) var isClosed = false
  private var queued: Ring<Element>
  private var waiting = Ring<Parked>(capacity: 1)

  private struct Parked {
    let element: Element
    let waiter: Waiter
  }

  /// - Parameter capacity: the number of items that wait here at most; values under 1 count as 1.
  init(capacity: Int, policy: OverflowPolicy) {
    self.capacity = max(1, capacity)
    self.policy = policy
    queued = Ring(capacity: self.capacity)
  }

  var dropped: Int { overflowed + discarded }
  /// The items held now: queued ones and those of senders that wait.
  var inFlight: Int { queued.count + waiting.count }
  var depth: Int { queued.count }
  /// Nothing is here, and nothing will come.
  var isFinished: Bool { isClosed && inFlight == 0 }

  mutating func offer(_ element: Element) -> Offer {
    if isClosed {
      offered += 1
      discarded += 1
      return .closed(element)
    }
    guard queued.isFull else {
      offered += 1
      store(element)
      return .stored
    }
    switch policy {
    case .suspend:
      // Counted when it is parked: the sender calls `park` under the same lock.
      return .mustWait(element)
    case .dropOldest:
      offered += 1
      overflowed += 1
      let oldest = queued.popFirst()
      store(element)
      guard let oldest else { return .stored }
      return .storedDropping(oldest)
    case .dropNewest:
      offered += 1
      overflowed += 1
      return .refused(element)
    }
  }

  /// Counts an item that goes to a receiver that was already waiting, past the queue.
  mutating func recordHandOver() {
    offered += 1
    delivered += 1
    highWaterMark = max(highWaterMark, 1)
  }

  /// Keeps an item whose sender waits for room.
  mutating func park(_ element: Element, waiter: Waiter) {
    offered += 1
    waiting.makeRoom(for: waiting.count + 1)
    waiting.append(Parked(element: element, waiter: waiter))
  }

  /// Takes the oldest item, and names the sender that now got its place in the queue, if one waited.
  mutating func take() -> (element: Element, admitted: Waiter?)? {
    guard let element = queued.popFirst() else { return nil }
    delivered += 1
    guard let next = waiting.popFirst() else { return (element, nil) }
    store(next.element)
    return (element, next.waiter)
  }

  /// No more items are accepted; what is held is still delivered.
  mutating func close() {
    isClosed = true
  }

  /// Gives up everything held. The caller destroys the items and resumes the waiters outside its lock.
  mutating func abort() -> (discarded: [Element], waiters: [Waiter]) {
    isClosed = true
    var discarded: [Element] = []
    var waiters: [Waiter] = []
    while let element = queued.popFirst() { discarded.append(element) }
    while let parked = waiting.popFirst() {
      discarded.append(parked.element)
      waiters.append(parked.waiter)
    }
    self.discarded += discarded.count
    return (discarded, waiters)
  }

  private mutating func store(_ element: Element) {
    queued.append(element)
    highWaterMark = max(highWaterMark, queued.count)
  }
}
