import Dispatch
import EyrieGraph
import Foundation
import Synchronization

/// Turns SIGINT and SIGTERM into a stop: the first asks the run to drain, the second ends the process.
///
/// `@unchecked Sendable` because its only unchecked member is immutable and made of dispatch sources, which are
/// thread-safe.
final class SignalStop: @unchecked Sendable {
  /// Requested by the first signal.
  let stop = StopSignal()
  private let received = Mutex<Int32?>(nil)
  private let sources: [any DispatchSourceSignal]

  /// Takes over both signals for the rest of the process.
  init() {
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
    if isSecond { exit(128 + number) }
    stop.request()
  }
}
