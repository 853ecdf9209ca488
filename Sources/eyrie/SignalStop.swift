import Dispatch
import EyrieGraph
import Foundation
import Synchronization

/// Turns SIGINT and SIGTERM into a stop: the first asks the run to drain, the second ends the process, and so
/// does the first when the process has not ended soon after it.
///
/// `@unchecked Sendable` because its only unchecked member is immutable and made of dispatch sources, which are
/// thread-safe.
final class SignalStop: @unchecked Sendable {
  /// The one of the process. Both signals are taken over when it is first used.
  static let shared = SignalStop()

  /// How long a stop may take: 3 s to drain, and one to write what is left. What can take longer is out of our
  /// hands: a write to a pipe that nobody empties, one long inference, a large model being compiled.
  private static let patience = DispatchTimeInterval.seconds(4)

  /// Requested by the first signal.
  let stop = StopSignal()
  private let received = Mutex<Int32?>(nil)
  private let sources: [any DispatchSourceSignal]

  private init() {
    let queue = DispatchQueue(label: "signals")
    var sources: [any DispatchSourceSignal] = []
    for number in [SIGINT, SIGTERM] {
      signal(number, SIG_IGN)
      sources.append(DispatchSource.makeSignalSource(signal: number, queue: queue))
    }
    self.sources = sources
    for (number, source) in zip([SIGINT, SIGTERM], sources) {
      source.setEventHandler { [weak self] in self?.handle(number) }
      source.resume()
    }
  }

  /// The exit code after a signal that could not be followed cleanly: 130 or 143; nil without a signal.
  var exitCode: Int32? { received.withLock { $0.map { 128 + $0 } } }

  private func handle(_ number: Int32) {
    let isSecond = received.withLock { received in
      defer { received = received ?? number }
      return received != nil
    }
    // Not `exit`: it would take down libraries whose threads are at work.
    if isSecond { _exit(128 + number) }
    DispatchQueue.global().asyncAfter(deadline: .now() + Self.patience) {
      Terminal.error("not ended 4 s after the signal: gave up what was still under way")
      _exit(128 + number)
    }
    stop.request()
  }
}
