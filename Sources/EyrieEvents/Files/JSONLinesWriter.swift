import Foundation

/// Writes events to a file, one JSON document a line.
///
/// Lines are buffered: they reach the file when 64 KiB have gathered, when an event is written a
/// second (`flushInterval`) or more after the last flush, and on `close`. Stats events come once a second, so a reader
/// that follows the file is never further behind than that.
///
/// If the disk fills up, the writer throws, cuts the file after its last whole line, and throws again
/// on further use; it never leaves half a line in a regular file.
///
/// Not thread-safe: one owner at a time. Calls may block as long as the file system does.
public final class JSONLinesWriter {
  /// The path as given.
  public let path: String
  /// Events written, to the file or to the buffer.
  public private(set) var written = 0

  private static let flushSize = 64 * 1024

  private let flushInterval: Duration
  private var descriptor: Int32
  private let isRegularFile: Bool
  private var buffer: [UInt8] = []
  private var lastFlush = ContinuousClock.now
  private var failure: EventError?

  /// Creates the file, or empties it if it exists. A named pipe or `/dev/stdout` will do.
  /// - Parameter flushInterval: how long an event waits at most for the next one to push it out; zero
  ///   writes each event through.
  /// - Throws: `EventError`: `malformed`, `notFound`, `permissionDenied`, `wrongFileKind`, `noSpace` or
  ///   `system`.
  public init(path: String, flushInterval: Duration = .seconds(1)) throws(EventError) {
    guard !path.isEmpty, !path.utf8.contains(0) else {
      throw EventError(.malformed, "the path of the events file is empty or holds a zero byte")
    }
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Self.error(errno, "create", path) }
    var status = stat()
    fstat(descriptor, &status)
    self.path = path
    self.flushInterval = flushInterval
    self.descriptor = descriptor
    isRegularFile = status.st_mode & S_IFMT == S_IFREG
    buffer.reserveCapacity(Self.flushSize * 2)
  }

  deinit {
    try? close()
  }

  /// Adds one event.
  /// - Throws: `EventError`: `noSpace`, `readerGone`, `closed` or `system`.
  public func write(_ event: EncodedEvent) throws(EventError) {
    try checkUsable()
    buffer.append(contentsOf: event.payload)
    buffer.append(UInt8(ascii: "\n"))
    written += 1
    if buffer.count >= Self.flushSize || lastFlush.duration(to: .now) >= flushInterval { try flush() }
  }

  /// Hands everything buffered to the operating system, where readers see it.
  /// - Throws: as `write`.
  public func flush() throws(EventError) {
    try checkUsable()
    lastFlush = .now
    guard !buffer.isEmpty else { return }
    do throws(EventError) {
      try withoutWriteSignals { () throws(EventError) in try writeBuffer() }
    } catch {
      failure = error
      throw error
    }
    buffer.removeAll(keepingCapacity: true)
  }

  /// Flushes, waits until the file is on disk, and closes it. Does nothing the second time.
  /// - Throws: as `write`; the file is closed all the same.
  public func close() throws(EventError) {
    guard descriptor >= 0 else { return }
    defer {
      _ = Foundation.close(descriptor)
      descriptor = -1
    }
    guard failure == nil else { return }
    try flush()
    // Pipes and terminals have no disk: EINVAL.
    if fsync(descriptor) != 0, errno != EINVAL, errno != ENOTSUP, errno != EROFS {
      throw Self.error(errno, "write", path)
    }
  }

  private func checkUsable() throws(EventError) {
    guard descriptor >= 0 else { throw EventError(.closed, "events file \"\(path)\" was closed before") }
    if let failure { throw failure }
  }

  private func writeBuffer() throws(EventError) {
    var position = 0
    while position < buffer.count {
      let count = buffer.withUnsafeBytes { bytes in
        Foundation.write(descriptor, bytes.baseAddress?.advanced(by: position), bytes.count - position)
      }
      if count >= 0 {
        position += count
      } else if errno == EAGAIN {
        // A pipe that somebody made non-blocking: wait for its reader.
        var item = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&item, 1, -1)
      } else if errno != EINTR {
        let failure = errno
        cutHalfLine(after: position)
        throw Self.error(failure, "write", path)
      }
    }
  }

  /// Takes the line off the file of which only the first part was written; `position` bytes of the
  /// buffer were.
  private func cutHalfLine(after position: Int) {
    guard isRegularFile else { return }
    let wholeLines = buffer[..<position].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    let end = lseek(descriptor, 0, SEEK_CUR)
    if end >= 0 { _ = ftruncate(descriptor, end - off_t(position - wholeLines)) }
  }

  private static func error(_ failure: Int32, _ verb: String, _ path: String) -> EventError {
    let prefix = "cannot \(verb) events file \"\(path)\":"
    switch failure {
    case EISDIR: return EventError(.wrongFileKind, "\(prefix) it is a directory; name a file in it")
    case ENOENT, ENOTDIR:
      return EventError(.notFound, "\(prefix) its directory does not exist; create it first")
    case EACCES, EPERM: return EventError(.permissionDenied, "\(prefix) permission denied")
    case EROFS: return EventError(.permissionDenied, "\(prefix) the file system is read-only")
    case ENOSPC, EDQUOT, EFBIG:
      return EventError(.noSpace, "\(prefix) no space is left; free some or choose another place")
    case EPIPE: return EventError(.readerGone, "\(prefix) its reader has gone")
    default: return systemError(failure, prefix)
    }
  }
}

/// Runs `body` so that a write fails with EPIPE or EFBIG where it would end the process with SIGPIPE (no
/// reader) or SIGXFSZ (file size limit). What the process does with these signals is not ours to
/// change, so they are held back in this thread, to which a write sends them, and taken off.
private func withoutWriteSignals(_ body: () throws(EventError) -> Void) throws(EventError) {
  let signals = [SIGPIPE, SIGXFSZ]
  var held = sigset_t()
  sigemptyset(&held)
  for signal in signals { sigaddset(&held, signal) }
  let before = pendingSignals(of: signals)
  var oldMask = sigset_t()
  pthread_sigmask(SIG_BLOCK, &held, &oldMask)
  defer {
    for signal in pendingSignals(of: signals).subtracting(before) {
      var one = sigset_t()
      sigemptyset(&one)
      sigaddset(&one, signal)
      var taken: Int32 = 0
      sigwait(&one, &taken)
    }
    pthread_sigmask(SIG_SETMASK, &oldMask, nil)
  }
  try body()
}

private func pendingSignals(of signals: [Int32]) -> Set<Int32> {
  var pending = sigset_t()
  sigpending(&pending)
  return Set(signals.filter { sigismember(&pending, $0) == 1 })
}
