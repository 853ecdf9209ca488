import Foundation

extension Endpoint {
  /// Checks what libzmq does not before it binds an `ipc` endpoint: it would unlink a live
  /// publisher's socket, or any other file, without a word. A socket that nobody listens on, left by
  /// a dead process, is fine: libzmq replaces it.
  func checkPathBeforeBinding() throws(EventError) {
    guard let path else { return }
    var status = stat()
    guard lstat(path, &status) == 0 else {
      let failure = errno
      if failure == ENOENT {
        let directory = path.contains("/") ? (path as NSString).deletingLastPathComponent : "."
        guard access(directory.isEmpty ? "/" : directory, F_OK) == 0 else {
          throw EventError(
            .notFound, "cannot bind \(shown): directory \"\(directory)\" does not exist; create it first")
        }
        return
      }
      throw Self.error(failure, binding: shown)
    }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw EventError(
        .wrongFileKind, "cannot bind \(shown): that path exists and is no socket; choose another one")
    }
    switch Self.probe(path) {
    case 0, EAGAIN: throw Self.error(EADDRINUSE, binding: shown)
    case EACCES, EPERM: throw Self.error(EACCES, binding: shown)
    default: return
    }
  }

  /// The `errno` of a connection to a Unix socket; 0 if somebody answered.
  private static func probe(_ path: String) -> Int32 {
    #if canImport(Darwin)
      let type = SOCK_STREAM
    #else
      let type = Int32(SOCK_STREAM.rawValue)
    #endif
    let descriptor = socket(AF_UNIX, type, 0)
    guard descriptor >= 0 else { return errno }
    defer { close(descriptor) }
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(maximumPathLength)) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    return result == 0 ? 0 : errno
  }

  /// The error for an `errno` of `zmq_bind`.
  static func error(_ failure: Int32, binding endpoint: String) -> EventError {
    let prefix = "cannot bind \(endpoint):"
    switch failure {
    case EADDRINUSE:
      return EventError(
        .endpointInUse,
        "\(prefix) the endpoint is in use, probably by another publisher; stop that one or choose another endpoint"
      )
    case EACCES, EPERM:
      return EventError(
        .permissionDenied,
        "\(prefix) permission denied; ports below 1024 and foreign directories need rights that this user lacks"
      )
    case ENODEV, EADDRNOTAVAIL:
      return EventError(
        .notFound,
        "\(prefix) this machine has no such address or interface; use one of its own, 127.0.0.1, or * for all"
      )
    case ENOENT, ENOTDIR:
      return EventError(.notFound, "\(prefix) the directory does not exist; create it first")
    case EROFS: return EventError(.permissionDenied, "\(prefix) the file system is read-only")
    default: return systemError(failure, "\(prefix)")
    }
  }
}

/// A socket file as it was when it was bound. libzmq 4.3 leaves it behind when it closes.
struct SocketFile {
  private let path: String
  private let device: dev_t
  private let inode: ino_t

  /// `nil` if there is no such file.
  init?(path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    self.path = path
    device = status.st_dev
    inode = status.st_ino
  }

  /// Removes the file, unless somebody has put another one in its place.
  func remove() {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_dev == device, status.st_ino == inode else { return }
    unlink(path)
  }
}
