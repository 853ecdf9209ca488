import CFFmpeg
import Synchronization

/// Makes a blocking open or read of a `VideoReader` return with `MediaError.Reason.interrupted`.
///
/// Any thread may fire it at any time. It stays fired: make a new one for a new reader.
public final class MediaInterrupt: Sendable {
  private let fired = Atomic<Bool>(false)

  /// An interrupt that has not fired.
  public init() {}

  /// Asks the reader to stop. Returns at once; the reader's call ends within milliseconds on files and
  /// pipes, and within FFmpeg's own polling interval (0.1 s) on sockets.
  public func fire() { fired.store(true, ordering: .releasing) }

  /// Whether `fire()` was called.
  public var isFired: Bool { fired.load(ordering: .acquiring) }
}

/// What FFmpeg asks during a blocking call: has the interrupt fired, has the deadline passed?
///
/// FFmpeg may ask from a thread of its own (some protocols read ahead), so the deadline is atomic.
final class IOGuard: Sendable {
  private let interrupt: MediaInterrupt
  private let epoch = ContinuousClock.now
  /// Nanoseconds after `epoch`.
  private let deadline = Atomic<Int64>(.max)
  private let isClosing = Atomic(false)

  init(interrupt: MediaInterrupt) { self.interrupt = interrupt }

  var isInterrupted: Bool { interrupt.isFired && !isClosing.load(ordering: .relaxed) }

  /// Whether the deadline set by `arm` has passed, on the monotonic clock.
  var isExpired: Bool {
    let limit = deadline.load(ordering: .relaxed)
    return limit != .max && Self.nanoseconds(ContinuousClock.now - epoch) >= limit
  }

  var mustStop: Bool { isInterrupted || isExpired }

  /// Starts a deadline; `nil` takes it away.
  func arm(_ timeout: Duration?) {
    let limit = timeout.map { Self.nanoseconds(ContinuousClock.now - epoch + $0) } ?? .max
    deadline.store(limit, ordering: .relaxed)
  }

  /// From now on only the deadline ends a call: an interrupted reader, too, takes its leave of the server,
  /// which would go on sending otherwise.
  func beginClosing(within limit: Duration) {
    arm(limit)
    isClosing.store(true, ordering: .relaxed)
  }

  /// The callback to install. The guard must outlive everything that holds it.
  var callback: AVIOInterruptCB {
    AVIOInterruptCB(
      callback: { opaque in
        guard let opaque else { return 0 }
        return Unmanaged<IOGuard>.fromOpaque(opaque).takeUnretainedValue().mustStop ? 1 : 0
      },
      opaque: Unmanaged.passUnretained(self).toOpaque())
  }

  private static func nanoseconds(_ duration: Duration) -> Int64 {
    let (seconds, attoseconds) = duration.components
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? (seconds < 0 ? .min : .max) : whole &+ attoseconds / 1_000_000_000
  }
}
