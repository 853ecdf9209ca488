import Foundation
import Synchronization

/// Ends the waiting of one publisher or subscriber from any thread, for good.
public final class Interrupter: Sendable {
  private let interrupted = Atomic(false)
  private let writeEnd: Int32
  /// Becomes readable, and stays so, once interrupted.
  let descriptor: Int32

  init() throws(EventError) {
    var ends: (Int32, Int32) = (-1, -1)
    let failed = withUnsafeMutablePointer(to: &ends) {
      $0.withMemoryRebound(to: Int32.self, capacity: 2) { pipe($0) != 0 }
    }
    guard !failed else { throw systemError(errno, "cannot open a pipe:") }
    descriptor = ends.0
    writeEnd = ends.1
    for end in [ends.0, ends.1] {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
  }

  deinit {
    close(descriptor)
    close(writeEnd)
  }

  /// Whether `interrupt` was called.
  public var isInterrupted: Bool { interrupted.load(ordering: .acquiring) }

  /// Makes the wait that goes on now, and every later one, return at once. Does not block; may be
  /// called from a signal handler.
  public func interrupt() {
    guard !interrupted.exchange(true, ordering: .acquiringAndReleasing) else { return }
    var byte: UInt8 = 1
    _ = write(writeEnd, &byte, 1)
  }
}
