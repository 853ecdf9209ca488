import Foundation

/// Who reads a source, in plain text. It prints as nothing of it, whatever prints it.
struct Credentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  var username: String?
  var password: String?

  var description: String { isEmpty ? "none" : "***" }
  var debugDescription: String { description }
  var customMirror: Mirror { Mirror(self, children: [] as [Mirror.Child]) }

  var isEmpty: Bool { username == nil && password == nil }

  private static let schemes: Set<String> = [
    "rtsp", "rtsps", "rtspu", "rtspt", "http", "https", "rtmp", "rtmps", "rtmpt",
  ]

  /// The address with the credentials in it, percent-encoded once: FFmpeg undoes that once.
  func address(_ url: String, input: String) throws(MediaError) -> String {
    guard !isEmpty else { return url }
    guard let username else {
      throw MediaError(.unsupportedURL, input, "a password without a user name; give both")
    }
    guard let separator = url.range(of: "://"),
      Self.schemes.contains(url[..<separator.lowerBound].lowercased())
    else { throw Self.useless(input) }
    let rest = url[separator.upperBound...]
    if rest.prefix(while: { !"/?#".contains($0) }).contains("@") {
      throw MediaError(
        .unsupportedURL, input, "has a user name in the address and another beside it; give one of them")
    }
    let userInfo = [username, password].compactMap { $0 }.map(Self.encoded).joined(separator: ":")
    return url[..<separator.upperBound] + userInfo + "@" + rest
  }

  /// The error of credentials for what takes none.
  static func useless(_ input: String) -> MediaError {
    MediaError(
      .unsupportedURL, input, "takes no user name and password; they are for rtsp, http and rtmp addresses")
  }

  /// All but unreserved characters encoded (RFC 3986, 2.3).
  private static func encoded(_ text: String) -> String {
    text.utf8.map { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: String(UnicodeScalar(byte))
      default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
      }
    }.joined()
  }
}

extension MediaInput {
  /// Checks what can be known of an address and of how it is to be read, without opening it.
  /// - Throws: `MediaError` with `.unsupportedURL` for an unknown scheme, a malformed address, and credentials that
  ///   do not go with it.
  public func check(_ options: VideoReader.Options) throws(MediaError) {
    try checkAddress()
    guard !options.credentials.isEmpty else { return }
    guard case .url(let url) = locate() else { throw Credentials.useless(description) }
    _ = try options.credentials.address(url, input: description)
  }
}

extension VideoReader.Options {
  /// The user name of the source, in plain text: not percent-encoded. For `rtsp`, `http` and `rtmp` addresses,
  /// with or without their secure forms, that have none in them; opening anything else fails with
  /// `.unsupportedURL`. A `:` in it cannot be sent and ends the user name.
  public var username: String? {
    get { credentials.username }
    set { credentials.username = newValue }
  }

  /// The password that goes with `username`, in plain text. It appears in no description, error or log.
  public var password: String? {
    get { credentials.password }
    set { credentials.password = newValue }
  }
}
