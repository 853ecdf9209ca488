import Foundation

extension MediaInput {
  /// Whether frames come at their own pace and cannot be made to wait: a camera or a broadcast, not a file,
  /// wherever that lies.
  public var isLive: Bool {
    guard case .url(let address) = locate(), let colon = address.firstIndex(of: ":") else { return false }
    return Self.liveSchemes.contains(address[..<colon].lowercased())
  }

  /// A short name for people and events: the file's name without its extension, or the host and path of an
  /// address, without credentials. Never empty.
  public var shortName: String {
    let name: String
    switch locate() {
    case .file(let path), .imageSequence(let path):
      let last = URL(fileURLWithPath: path).lastPathComponent
      let stem = (last as NSString).deletingPathExtension
      name = stem.isEmpty ? last : stem
    case .url(let address), .unknownScheme(let address):
      let parts = URLComponents(string: address)
      name = [parts?.host, parts?.path].compactMap { $0 }.joined()
        .trimmingCharacters(in: CharacterSet(charactersIn: "/"))
    }
    return name.isEmpty ? "source" : String(name.prefix(100))
  }

  private static let liveSchemes: Set<String> = [
    "rtsp", "rtsps", "rtspu", "rtspt", "udp", "rtp", "srtp", "rtmp", "rtmps", "rtmpt", "srt", "mmsh", "mmst",
    "rist",
  ]
}
