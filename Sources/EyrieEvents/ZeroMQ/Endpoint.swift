import Foundation

/// Whether a socket waits at an endpoint or goes to it.
public enum Attachment: Sendable, Hashable {
  /// The endpoint is ours; peers come to it. The usual one for a publisher.
  case bind
  /// Somebody else is bound there, now or later. The usual one for a subscriber.
  case connect
}

/// A ZeroMQ endpoint that was checked before libzmq sees it, because libzmq reports most mistakes as
/// "Invalid argument", some as success, and deletes whatever file an `ipc` endpoint names.
struct Endpoint {
  enum Transport {
    case tcp(host: String, port: String)
    case ipc(path: String)
    case inproc
  }

  /// What libzmq is given.
  let address: String
  /// What the user wrote, for messages; without credentials, in case it is no endpoint but a URL.
  let shown: String
  let transport: Transport

  init(_ text: String, for attachment: Attachment) throws(EventError) {
    let shown = Self.withoutCredentials(text)
    func malformed(_ reason: String) -> EventError {
      EventError(.malformed, "endpoint \"\(shown)\" is malformed: \(reason)")
    }
    self.shown = shown
    guard !text.isEmpty else { throw malformed("it is empty; write for example tcp://127.0.0.1:5556") }
    guard !text.unicodeScalars.contains(where: { $0.value <= 0x20 || $0.value == 0x7f }) else {
      throw malformed("it holds a space or control character")
    }
    guard let separator = text.range(of: "://") else {
      throw malformed("it has no transport; write for example tcp://127.0.0.1:5556 or ipc:///run/eyrie.sock")
    }
    let rest = String(text[separator.upperBound...])
    switch text[..<separator.lowerBound] {
    case "tcp":
      let (host, port) = try Self.tcp(rest, for: attachment, malformed)
      transport = .tcp(host: host, port: port)
      address = "tcp://\(host):\(port)"
    case "ipc":
      guard !rest.isEmpty else {
        throw malformed("the path is missing; write for example ipc:///run/eyrie.sock")
      }
      guard rest != "*" || attachment == .bind else {
        throw malformed("only a socket that binds can use ipc://*")
      }
      guard rest.utf8.count <= Self.maximumPathLength else {
        throw malformed(
          "the path has \(rest.utf8.count) bytes; a socket path has at most \(Self.maximumPathLength)")
      }
      transport = .ipc(path: rest)
      address = text
    case "inproc":
      guard !rest.isEmpty, rest.utf8.count <= 255 else {
        throw malformed("an inproc name has 1 to 255 bytes")
      }
      transport = .inproc
      address = text
    case let scheme:
      throw EventError(
        .unknownTransport,
        "endpoint \"\(shown)\" names the unknown transport \"\(scheme)\"; Eyrie speaks tcp, ipc and inproc")
    }
  }

  /// `sockaddr_un.sun_path` less its closing zero: 107 on Linux, 103 on Darwin.
  static let maximumPathLength = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

  /// Whether the host is a literal IPv6 address, for which libzmq has to be switched to IPv6.
  var isIPv6: Bool {
    if case .tcp(let host, _) = transport { host.hasPrefix("[") } else { false }
  }

  private static func tcp(
    _ text: String, for attachment: Attachment, _ malformed: (String) -> EventError
  ) throws(EventError) -> (host: String, port: String) {
    guard let colon = text.lastIndex(of: ":"), !(text.hasPrefix("[") && text.hasSuffix("]")) else {
      throw malformed("the port is missing; write tcp://HOST:PORT")
    }
    var host = String(text[..<colon])
    let port = String(text[text.index(after: colon)...])
    guard !host.isEmpty else {
      throw malformed("the host is missing; write tcp://127.0.0.1:\(port)")
    }
    guard !host.contains(where: { ";/@?#".contains($0) }) else {
      throw malformed("a host is a name, an address or *, without path or credentials")
    }
    let bracketed = host.hasPrefix("[") && host.hasSuffix("]")
    guard bracketed || !host.contains(where: { ":[]".contains($0) }) else {
      throw malformed("write an IPv6 address in brackets, as in tcp://[::1]:5556")
    }
    let number = port.utf8.allSatisfy { (48...57).contains($0) } && port.utf8.count <= 5 ? Int(port) : nil
    switch (attachment, number) {
    case (.bind, _) where port == "*": break
    case (.bind, 0?), (_, (1...65535)?): break
    case (.bind, _): throw malformed("the port is 1 to 65535, or 0 or * for a free one")
    case (.connect, _): throw malformed("the port is 1 to 65535")
    }
    switch (attachment, host) {
    case (.connect, "*"), (.connect, "[*]"):
      throw malformed("* stands for every interface when binding; to connect, name the host")
    // libzmq binds to addresses and interface names only; everybody writes localhost.
    case (.bind, "localhost"): host = "127.0.0.1"
    default: break
    }
    return (host, port)
  }

  /// Takes `user:password@` out of anything that looks like a URL.
  static func withoutCredentials(_ text: String) -> String {
    guard let scheme = text.range(of: "://"), let at = text.lastIndex(of: "@"), at >= scheme.upperBound else {
      return text
    }
    let path = String(text[scheme.upperBound...])
    // An abstract socket, ipc://@name, holds no credentials.
    if text.hasPrefix("ipc://"), path.hasPrefix("@") { return text }
    return text[..<scheme.upperBound] + "…" + text[at...]
  }
}

extension Endpoint {
  /// Checks what libzmq does not before it binds an `ipc` endpoint: it would unlink a live
  /// publisher's socket, or any other file, without a word. A socket that nobody listens on, left by
  /// a dead process, is fine: libzmq replaces it.
  func checkPathBeforeBinding() throws(EventError) {
    guard case .ipc(let path) = transport, path != "*", !path.hasPrefix("@") else { return }
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
