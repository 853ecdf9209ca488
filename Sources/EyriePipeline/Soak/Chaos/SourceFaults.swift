import EyrieMedia
import Synchronization

/// The switch by which a soak does harm to one source. It is asked by the stage that decodes, between two frames.
/// Safe from any thread.
final class SourceFaults: Sendable {
  enum Order: Sendable, Equatable {
    /// Close the connection or file, and open nothing for so long.
    case sever(Duration)
    /// Read nothing for so long.
    case delay(Duration)
  }

  /// A fault that took effect.
  struct Effect: Sendable {
    let order: Order
    let start: ContinuousClock.Instant
    /// When frames came again.
    var recovered: ContinuousClock.Instant?

    /// When it is over, and recovering begins.
    var end: ContinuousClock.Instant {
      switch order {
      case .sever(let length), .delay(let length): start + length
      }
    }
  }

  private struct State {
    var pending: Order?
    var downUntil: ContinuousClock.Instant?
    var effects: [Effect] = []
  }

  private let state = Mutex(State())

  /// Whether the source must not be opened now.
  var isDown: Bool { state.withLock { $0.downUntil.map { $0 > .now } ?? false } }

  /// All that took effect so far, in their order.
  var effects: [Effect] { state.withLock(\.effects) }

  /// Asks for a fault at the next frame.
  func order(_ order: Order) {
    state.withLock { $0.pending = order }
  }

  /// Takes an order back that has not taken effect.
  func cancel() {
    state.withLock { $0.pending = nil }
  }

  /// What is to be done now; it counts as done.
  func take() -> Order? {
    state.withLock { state in
      guard let order = state.pending.take() else { return nil }
      let effect = Effect(order: order, start: .now)
      if case .sever = order { state.downUntil = effect.end }
      state.effects.append(effect)
      return order
    }
  }

  /// Says that the source gives frames again after the last fault.
  func noteRecovery(at time: ContinuousClock.Instant) {
    state.withLock { state in
      guard !state.effects.isEmpty else { return }
      state.effects[state.effects.count - 1].recovered = time
    }
  }
}

/// A source that a soak severed.
struct SeveredSource: Error, CustomStringConvertible {
  static let reason = "severed"

  let input: MediaInput

  var description: String { "\(input): severed by the soak" }
}
