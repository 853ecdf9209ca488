import Foundation

/// What a user named as the source of pictures: a file, a pattern of numbered pictures, an address, a camera of
/// this machine, or a generated pattern.
///
/// `-` is standard input, and `/dev/video…` or `v4l2:/dev/…?size=1280x720&rate=30&format=mjpeg` a camera (Linux;
/// each setting may be left out). Any other name that exists in the file system is a file, whatever characters it
/// has. Otherwise `testsrc`, `testsrc:1280x720@30` is a generated pattern without end that comes as fast as it is
/// read; a known network scheme (`rtsp:`, `http:`, `udp:` …) makes it a URL, a `%d` or `%03d` in its last component
/// makes it an image sequence, and anything else is a file that will be reported as missing.
public struct MediaInput: Sendable, Hashable, CustomStringConvertible {
  /// The name as given. It may hold credentials: use `description` for people and logs.
  public let argument: String

  /// Takes the name as it is; nothing is opened.
  public init(_ argument: String) {
    self.argument = argument
  }

  /// The name without user information and without secret-looking values, on one line. The name of an
  /// existing file is left as it is; anything else of the form `…:…@…` may be a URL written badly.
  public var description: String {
    let mayHoldSecrets = argument.contains("://") || argument.contains("@") && argument.contains(":")
    if mayHoldSecrets, !FileManager.default.fileExists(atPath: argument) { return Redaction.url(argument) }
    return Redaction.singleLine(argument)
  }

  /// How the name has to be opened.
  enum Locator: Equatable {
    case file(String)
    case imageSequence(String)
    case url(String)
    case device(String)
    case testPattern(String)
    case unknownScheme(String)
  }

  /// Decides what the name is by looking at the file system now.
  func locate() -> Locator {
    if argument == "-" { return .file("/dev/stdin") }
    if VideoDevice.isMeant(by: argument) { return .device(argument) }
    if FileManager.default.fileExists(atPath: argument) { return .file(argument) }
    if TestPattern.isMeant(by: argument) { return .testPattern(argument) }
    if let scheme = Self.scheme(of: argument) {
      if scheme == "file" { return .file(filePath()) }
      if Self.networkSchemes.contains(scheme) { return .url(argument) }
      if argument.contains("://") { return .unknownScheme(scheme) }
    }
    if ImageSequence(pattern: argument) != nil { return .imageSequence(argument) }
    return .file(argument)
  }

  private static let networkSchemes: Set<String> = [
    "rtsp", "rtsps", "rtspu", "rtspt", "http", "https", "udp", "rtp", "srtp", "tcp", "tls", "rtmp",
    "rtmps", "rtmpt", "srt", "mmsh", "mmst", "rist",
  ]

  /// The lower-case scheme of `scheme:rest`, or `nil` where the text before the colon is none.
  private static func scheme(of text: String) -> String? {
    guard let colon = text.firstIndex(of: ":") else { return nil }
    let head = text[..<colon]
    guard let first = head.utf8.first, head.utf8.count > 1, isLetter(first),
      head.utf8.allSatisfy({ isLetter($0) || (0x30...0x39).contains($0) || "+-.".utf8.contains($0) })
    else { return nil }
    return head.lowercased()
  }

  private static func isLetter(_ byte: UInt8) -> Bool { (0x41...0x5a).contains(byte & 0xdf) }

  /// The path of a `file:` URL. Percent escapes are decoded only if the literal name does not exist.
  private func filePath() -> String {
    var path = String(argument.dropFirst("file:".count))
    if path.hasPrefix("//localhost/") {
      path = String(path.dropFirst("//localhost".count))
    } else if path.hasPrefix("//") {
      path = String(path.dropFirst(2))
    }
    if FileManager.default.fileExists(atPath: path) { return path }
    return path.removingPercentEncoding ?? path
  }
}
