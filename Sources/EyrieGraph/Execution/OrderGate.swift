import Synchronization

/// Lets concurrent work on one stream finish in any order and leave in the order in which it came.
///
/// Each item takes a ticket when it arrives, awaits its turn before it leaves and then passes the turn on.
/// Tickets must be passed on also when the work failed, or those behind wait for ever.
final class OrderGate: Sendable {
  struct Ticket: Sendable {
    fileprivate let stream: String
    fileprivate let number: UInt64
  }

  private struct Stream {
    var nextTicket: UInt64 = 0
    var turn: UInt64 = 0
    var waiting: [UInt64: CheckedContinuation<Void, Never>] = [:]
  }

  private let streams = Mutex<[String: Stream]>([:])

  func ticket(for stream: String) -> Ticket {
    streams.withLock { streams in
      let number = streams[stream, default: Stream()].nextTicket
      streams[stream, default: Stream()].nextTicket += 1
      return Ticket(stream: stream, number: number)
    }
  }

  /// Waits until every earlier ticket of the stream was passed on.
  func waitTurn(_ ticket: Ticket) async {
    let isTurn = streams.withLock { $0[ticket.stream]?.turn == ticket.number }
    if isTurn { return }
    await withCheckedContinuation { continuation in
      let isTurn = streams.withLock { streams in
        if streams[ticket.stream]?.turn == ticket.number { return true }
        streams[ticket.stream]?.waiting[ticket.number] = continuation
        return false
      }
      if isTurn { continuation.resume() }
    }
  }

  /// Passes the turn to the next ticket of the stream. A stream without tickets under way is forgotten.
  func passTurn(_ ticket: Ticket) {
    let next = streams.withLock { streams -> CheckedContinuation<Void, Never>? in
      guard var stream = streams[ticket.stream] else { return nil }
      stream.turn += 1
      let next = stream.waiting.removeValue(forKey: stream.turn)
      streams[ticket.stream] = stream.turn == stream.nextTicket ? nil : stream
      return next
    }
    next?.resume()
  }
}

/// Bounds how many items a stage works on at once. One task acquires; any releases.
final class WorkSlots: Sendable {
  private struct State {
    var free: Int
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let state: Mutex<State>

  init(count: Int) {
    state = Mutex(State(free: max(1, count)))
  }

  func acquire() async {
    if state.withLock({ Self.take(&$0) }) { return }
    await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        if Self.take(&state) { return true }
        state.waiter = continuation
        return false
      }
      if isFree { continuation.resume() }
    }
  }

  func release() {
    let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
      // The slot goes straight to the task that waits for it.
      if let waiter = state.waiter.take() { return waiter }
      state.free += 1
      return nil
    }
    waiter?.resume()
  }

  private static func take(_ state: inout State) -> Bool {
    guard state.free > 0 else { return false }
    state.free -= 1
    return true
  }
}
