import Foundation

/// Whether a socket waits at an endpoint or goes to it.
public enum SocketRole: Sendable, Hashable {
  /// The endpoint is ours; peers come to it. The usual one for a publisher.
  case bind
  /// Somebody else is bound there, now or later. The usual one for a subscriber.
  case connect
}

/// A ZeroMQ endpoint that was checked before libzmq sees it, because libzmq reports most mistakes as
/// "Invalid argument", some as success, and deletes whatever file an `ipc` endpoint names.
struct Endpoint {
  enum Transport {
    case tcp(host: String)
    case ipc(path: String)
    case inproc
  }

  /// What libzmq is given.
  let address: String
  /// What the user wrote, for messages; without credentials, in case it is no endpoint but a URL.
  let shown: String
  let transport: Transport

  init(_ text: String, for role: SocketRole) throws(EventError) {
    let shown = Self.withoutCredentials(text)
    func malformed(_ reason: String) -> EventError {
      EventError(.malformed, "endpoint \"\(shown)\" is malformed: \(reason)")
    }
    self.shown = shown
    guard !text.isEmpty else { throw malformed("it is empty; write for example tcp://127.0.0.1:5556") }
    guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) else {
      throw malformed("it holds a control character")
    }
    guard let separator = text.range(of: "://") else {
      throw malformed("it has no transport; write for example tcp://127.0.0.1:5556 or ipc:///run/eyrie.sock")
    }
    let rest = String(text[separator.upperBound...])
    switch text[..<separator.lowerBound] {
    case "tcp":
      let (host, port) = try Self.tcp(rest, for: role, malformed)
      transport = .tcp(host: host)
      address = "tcp://\(host):\(port)"
    case "ipc":
      guard !rest.isEmpty else {
        throw malformed("the path is missing; write for example ipc:///run/eyrie.sock")
      }
      guard rest != "*" || role == .bind else {
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
    if case .tcp(let host) = transport { host.hasPrefix("[") } else { false }
  }

  /// The path of a socket file that the user named; `nil` for an abstract socket or a chosen name.
  var path: String? {
    if case .ipc(let path) = transport, path != "*", !path.hasPrefix("@") { path } else { nil }
  }

  private static func tcp(
    _ text: String, for role: SocketRole, _ malformed: (String) -> EventError
  ) throws(EventError) -> (host: String, port: String) {
    guard let colon = text.lastIndex(of: ":"), !(text.hasPrefix("[") && text.hasSuffix("]")) else {
      throw malformed("the port is missing; write tcp://HOST:PORT")
    }
    var host = String(text[..<colon])
    let port = String(text[text.index(after: colon)...])
    guard !host.isEmpty else {
      throw malformed("the host is missing; write tcp://127.0.0.1:\(port)")
    }
    guard !host.contains(where: { " ;/@?#".contains($0) }) else {
      throw malformed("a host is a name, an address or *, without spaces, path or credentials")
    }
    let bracketed = host.hasPrefix("[") && host.hasSuffix("]")
    guard bracketed || !host.contains(where: { ":[]".contains($0) }) else {
      throw malformed("write an IPv6 address in brackets, as in tcp://[::1]:5556")
    }
    let number = port.utf8.allSatisfy { (48...57).contains($0) } && port.utf8.count <= 5 ? Int(port) : nil
    switch (role, number) {
    case (.bind, _) where port == "*": break
    case (.bind, 0?), (_, (1...65535)?): break
    case (.bind, _): throw malformed("the port is 1 to 65535, or 0 or * for a free one")
    case (.connect, _): throw malformed("the port is 1 to 65535")
    }
    switch (role, host) {
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
