import CZeroMQ
import Foundation
import Synchronization

/// The threads of libzmq that move messages; one for a process is enough. Safe to share.
///
/// Sockets on one `inproc` endpoint have to share a context.
public final class ZeroMQContext: Sendable {
  private struct State {
    /// `nil` once closed.
    var handle: UnsafeMutableRawPointer?
    var openSockets = 0
  }

  private let state: Mutex<State>

  /// Starts libzmq's input and output thread (with the first socket).
  /// - Throws: `EventError` (`system`) if the process has no file descriptors left.
  public init() throws(EventError) {
    guard let handle = zmq_ctx_new() else { throw systemError(zmq_errno(), "cannot start ZeroMQ:") }
    state = Mutex(State(handle: handle))
  }

  /// Sends what is still queued, waiting at most for the longest linger time of the sockets (2 s), and
  /// ends libzmq's threads. Does nothing the second time.
  ///
  /// Without this call, what is queued when the process ends is lost.
  /// - Throws: `EventError` (`system`) if a publisher or subscriber is still open: libzmq would wait
  ///   for it for ever, so close those first.
  public func close() throws(EventError) {
    let (handle, openSockets) = state.withLock { state -> (UInt, Int) in
      guard state.openSockets == 0 else { return (0, state.openSockets) }
      defer { state.handle = nil }
      return (UInt(bitPattern: state.handle), 0)
    }
    guard openSockets == 0 else {
      throw EventError(
        .system, "cannot close ZeroMQ: \(openSockets) of its sockets are open; close them first")
    }
    Self.terminate(handle)
  }

  deinit {
    let handle = state.withLock { UInt(bitPattern: $0.handle) }
    guard handle != 0 else { return }
    // All sockets are closed, since each holds its context. Ending it may still take their linger
    // time, which nobody who lets go of the last reference expects.
    Thread.detachNewThread { Self.terminate(handle) }
  }

  /// Waits for the linger time of the closed sockets. A signal interrupts, so try again.
  private static func terminate(_ address: UInt) {
    guard let handle = UnsafeMutableRawPointer(bitPattern: address) else { return }
    while zmq_ctx_term(handle) != 0, zmq_errno() == EINTR {}
  }

  /// A new libzmq socket, to be given back through `closeSocket`.
  func openSocket(_ type: Int32) throws(EventError) -> UnsafeMutableRawPointer {
    let (address, failure) = state.withLock { state -> (UInt, Int32) in
      guard let handle = state.handle else { return (0, ETERM) }
      guard let socket = zmq_socket(handle, type) else { return (0, zmq_errno()) }
      state.openSockets += 1
      return (UInt(bitPattern: socket), 0)
    }
    guard let socket = UnsafeMutableRawPointer(bitPattern: address) else {
      throw systemError(failure, "cannot open a ZeroMQ socket:")
    }
    return socket
  }

  /// Closes a socket that `openSocket` returned. Returns at once.
  func closeSocket(_ socket: UnsafeMutableRawPointer) {
    zmq_close(socket)
    state.withLock { $0.openSockets -= 1 }
  }
}
