import Synchronization

/// Lets concurrent work on one stream finish in any order and leave in the order in which it came.
///
/// Each item takes a ticket when it arrives, awaits its turn before it leaves and then passes the turn on.
/// Tickets must be passed on also when the work failed, or those behind wait for ever.
///
/// What is under way is little: a list is searched faster than a table, and allocates nothing once it has grown.
final class OrderGate: Sendable {
  struct Ticket: Sendable {
    fileprivate let stream: String
    fileprivate let number: UInt64
  }

  private struct Entry {
    let ticket: Ticket
    /// Unsafe, that is without an allocation for each wait: it is taken out under the lock, once.
    var waiter: UnsafeContinuation<Void, Never>?
  }

  private struct State {
    var nextNumber: UInt64 = 0
    /// The tickets that were not passed on, in the order in which they were given.
    var underWay: [Entry] = []

    func isTurn(_ ticket: Ticket) -> Bool {
      underWay.first { $0.ticket.stream == ticket.stream }?.ticket.number == ticket.number
    }

    func index(of ticket: Ticket) -> Int? { underWay.firstIndex { $0.ticket.number == ticket.number } }
  }

  private let state = Mutex(State())

  func ticket(for stream: String) -> Ticket {
    state.withLock { state in
      let ticket = Ticket(stream: stream, number: state.nextNumber)
      state.nextNumber += 1
      state.underWay.append(Entry(ticket: ticket))
      return ticket
    }
  }

  /// Waits until every earlier ticket of the stream was passed on.
  func waitTurn(_ ticket: Ticket) async {
    let isTurn = state.withLock { $0.isTurn(ticket) }
    if isTurn { return }
    await withUnsafeContinuation { continuation in
      let isTurn = state.withLock { state in
        guard !state.isTurn(ticket), let index = state.index(of: ticket) else { return true }
        state.underWay[index].waiter = continuation
        return false
      }
      if isTurn { continuation.resume() }
    }
  }

  /// Passes the turn to the next ticket of the stream.
  func passTurn(_ ticket: Ticket) {
    let next = state.withLock { state -> UnsafeContinuation<Void, Never>? in
      guard let index = state.index(of: ticket) else { return nil }
      state.underWay.remove(at: index)
      guard let next = state.underWay.firstIndex(where: { $0.ticket.stream == ticket.stream }) else {
        return nil
      }
      return state.underWay[next].waiter.take()
    }
    next?.resume()
  }
}
