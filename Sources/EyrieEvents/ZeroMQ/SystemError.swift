import CZeroMQ
import Foundation

/// The error for an `errno` for which there is no better message; `zmq_strerror` knows those of
/// libzmq too.
func systemError(_ failure: Int32, _ prefix: String) -> EventError {
  switch failure {
  case ETERM: return EventError(.closed, "\(prefix) the ZeroMQ context was closed")
  case EMFILE, ENFILE:
    return EventError(.system, "\(prefix) too many open files or sockets; raise the limit (ulimit -n)")
  default:
    let text = zmq_strerror(failure).map { String(cString: $0) } ?? "error \(failure)"
    return EventError(.system, "\(prefix) \(text)")
  }
}
