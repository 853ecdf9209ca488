import EyrieEvents
import EyrieGraph
import Synchronization

/// What a model says of one crop.
enum CropResult: Sendable, Equatable {
  /// Labels, the most likely first.
  case labels([Classification])
  case embedding([Float])
}

/// A crop on its way through a model, and its result, which the frames of a whole track may refer to.
/// Safe from any thread.
final class CropTicket: Sendable {
  enum Outcome: Sendable, Equatable {
    case result(CropResult)
    /// The reason under which it is counted.
    case failed(String)
  }

  private struct State {
    var pixels: CropPixels?
    var outcome: Outcome?
  }

  /// When it was made, by the monotonic clock.
  let since = ContinuousClock.now
  private let state: Mutex<State>
  private let settled = StopSignal()

  init(_ pixels: CropPixels) {
    state = Mutex(State(pixels: pixels))
  }

  /// nil while it is not known.
  var outcome: Outcome? { state.withLock(\.outcome) }

  /// The result; nil while it is not known, and where there is none.
  var result: CropResult? {
    if case .result(let result)? = outcome { result } else { nil }
  }

  /// Whether its pixels are still here: it has not had its turn.
  var isQueued: Bool { state.withLock { $0.pixels != nil } }

  /// Gives away the pixels, once; nil where nobody waits for a result any more.
  func takePixels() -> CropPixels? {
    state.withLock { $0.pixels.take() }
  }

  /// Sets the outcome; the first one holds.
  func settle(_ outcome: Outcome) {
    // Pixels go outside the lock: their pool has one of its own.
    let pixels = state.withLock { state in
      state.outcome = state.outcome ?? outcome
      return state.pixels.take()
    }
    settled.request()
    withExtendedLifetime(pixels) {}
  }

  /// Waits for the outcome.
  /// - Parameter deadline: nil waits as long as it takes.
  /// - Returns: nil when the time is over, or the task was cancelled.
  func wait(until deadline: ContinuousClock.Instant?) async -> Outcome? {
    if let outcome { return outcome }
    await settled.wait(until: deadline)
    return outcome
  }
}

/// An object's claim to a result.
struct CropLook: Sendable {
  /// The object's place in its frame; nil for the frame as a whole.
  let object: Int?
  let ticket: CropTicket
  /// Whether the crop is of this frame, and not of an earlier one of the same track.
  let isNew: Bool
  /// Whether later frames may refer to it.
  let isOfTrack: Bool
  /// The look at the same track before; nil for none.
  let before: CropTicket?
}

extension CropLook {
  /// A claim to what is known of a track.
  init(_ known: TrackMemory.Known, object: Int) {
    self.init(object: object, ticket: known.ticket, isNew: false, isOfTrack: true, before: known.before)
  }
}
