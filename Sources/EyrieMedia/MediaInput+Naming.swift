import Foundation

extension MediaInput {
  /// Whether frames come at their own pace and cannot be made to wait: a camera or a broadcast, not a file,
  /// wherever that lies.
  public var isLive: Bool {
    let locator = locate()
    if case .device = locator { return true }
    guard case .url(let address) = locator, let colon = address.firstIndex(of: ":") else { return false }
    return Self.liveSchemes.contains(address[..<colon].lowercased())
  }

  /// Whether it is an address, not a file, a pipe or a pattern.
  public var isRemote: Bool {
    if case .url = locate() { true } else { false }
  }

  /// Checks what can be known of an address, a camera's name or a pattern without opening it. Files pass.
  /// - Throws: `MediaError` with `.unsupportedURL` for an unknown scheme or a malformed address.
  public func checkAddress() throws(MediaError) {
    switch locate() {
    case .unknownScheme(let scheme): throw .unknownScheme(scheme, input: description)
    case .url(let url):
      let scheme = url.prefix { $0 != ":" }.lowercased()
      // Only listeners (`udp://:5000`) have no host.
      let needsHost = ["rtsp", "http", "rtmp"].contains { scheme.hasPrefix($0) }
      guard let parsed = URLComponents(string: url), !needsHost || parsed.host?.isEmpty == false else {
        throw MediaError(
          .unsupportedURL, description, "malformed URL; percent-encode special characters in the password")
      }
    case .device(let name):
      if VideoDevice(name) == nil { throw .malformedDevice(description) }
    case .testPattern(let name):
      if TestPattern(name) == nil { throw .malformedPattern(description) }
    case .file, .imageSequence: break
    }
  }

  /// A short name for people and events: the file's name without its extension, or the host, port and path of
  /// an address, without credentials. Never empty.
  public var shortName: String {
    let name: String
    switch locate() {
    case .file where argument == "-": return "stdin"
    case .testPattern: return TestPattern.name
    case .device(let path):
      name = (VideoDevice(path)?.path ?? path).split(separator: "/").last.map(String.init) ?? ""
    case .file(let path), .imageSequence(let path):
      let last = URL(fileURLWithPath: path).lastPathComponent
      let stem = (last as NSString).deletingPathExtension
      name = stem.isEmpty ? last : stem
    case .url(let address), .unknownScheme(let address):
      let parts = URLComponents(string: address)
      // Two cameras behind one gateway differ by nothing else.
      let port = parts?.port.flatMap {
        Self.usualPorts[parts?.scheme?.lowercased() ?? ""] == $0 ? nil : ":\($0)"
      }
      name = Redaction.secretValues([parts?.host, port, parts?.path].compactMap { $0 }.joined())
        .trimmingCharacters(in: CharacterSet(charactersIn: "/"))
    }
    return name.isEmpty ? "source" : String(name.prefix(100))
  }

  private static let usualPorts = ["rtsp": 554, "rtsps": 322, "rtmp": 1935, "http": 80, "https": 443]
  private static let liveSchemes: Set<String> = [
    "rtsp", "rtsps", "rtspu", "rtspt", "udp", "rtp", "srtp", "rtmp", "rtmps", "rtmpt", "srt", "mmsh", "mmst",
    "rist",
  ]
}
