/// What carries the pictures of an RTSP stream. `rtsps` always goes over TCP.
public enum RTSPTransport: String, Sendable, CaseIterable {
  /// Inside the RTSP connection: nothing is lost, and no firewall is in the way.
  case tcp
  /// Datagrams: less delay, and pictures with damage where some are lost.
  case udp
  /// Datagrams first; TCP if the server refuses them or none comes.
  case auto

  /// FFmpeg's options. With `auto` it waits half of the time for opening for a first datagram.
  func options(_ openTimeout: Duration) -> [String: String] {
    switch self {
    case .tcp: ["rtsp_transport": "tcp"]
    case .udp: ["rtsp_transport": "udp"]
    case .auto:
      // In microseconds; it bounds FFmpeg's own wait, after which it tries TCP.
      ["rtsp_transport": "udp+tcp", "timeout": String(Int(min(openTimeout / .seconds(2), 1e6) * 1e6))]
    }
  }
}
