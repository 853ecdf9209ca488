import Foundation
import Synchronization

/// A real RTSP server on 127.0.0.1, GStreamer's, that serves a clip at `/live` in real time. It can be stopped
/// with its sockets open, killed, and started again at the same port; it never outlives this object.
public final class RTSPServer: Sendable {
  /// Why a test was skipped.
  public static let absence = "needs GStreamer's RTSP server (scripts/setup --dev on Debian)"

  /// Whether the system's Python can load it.
  public static let isPresent: Bool = {
    let check = Process()
    check.executableURL = URL(fileURLWithPath: python)
    check.arguments = [
      "-c",
      "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst, GstRtspServer; "
        + "Gst.init(None); assert all(map(Gst.ElementFactory.find, ('qtdemux', 'h264parse', 'rtph264pay')))",
    ]
    check.standardOutput = FileHandle.nullDevice
    check.standardError = FileHandle.nullDevice
    guard (try? check.run()) != nil else { return false }
    check.waitUntilExit()
    return check.terminationStatus == 0
  }()

  /// How clients prove who they are.
  public enum Authentication: String, Sendable, CaseIterable {
    case none, basic, digest
  }

  /// The server did not start.
  public struct Failure: Error, CustomStringConvertible {
    /// What it said.
    public let description: String
  }

  /// A password with every character that means something in an address.
  public static let password = "p@ss:w/rd#?%"

  /// Where it listens.
  public let port: Int
  private let scheme: String
  private let arguments: [String]
  private let process: Mutex<Process?>

  private static let python = "/usr/bin/python3"
  private static let script = SharedMaterial.package.appendingPathComponent("scripts/lib/rtsp_server.py").path

  /// Starts it at a free port, and returns when it listens.
  /// - Parameters:
  ///   - clip: an MP4 file with H.264.
  ///   - transport: what clients may ask for: `tcp`, `udp` or `both`.
  ///   - authentication: with the user `user` and `password`.
  ///   - certificate: a PEM file with certificate and key; it then speaks `rtsps`.
  ///   - loss: the share of packets that never arrive, 0…1.
  public init(
    clip: String, transport: String = "both", authentication: Authentication = .none,
    certificate: String? = nil, loss: Double = 0
  ) throws {
    scheme = certificate == nil ? "rtsp" : "rtsps"
    arguments =
      [
        Self.script, clip, "--transport", transport, "--auth", authentication.rawValue, "--password",
        Self.password, "--loss", "\(loss)",
      ] + (certificate.map { ["--certificate", $0] } ?? [])
    let (started, port) = try Self.launch(arguments, port: 0)
    self.port = port
    process = Mutex(started)
  }

  deinit { kill() }

  /// The address of the stream.
  /// - Parameter userInfo: such as `user:password`, percent-encoded.
  public func url(userInfo: String? = nil, path: String = "live") -> String {
    "\(scheme)://\(userInfo.map { $0 + "@" } ?? "")127.0.0.1:\(port)/\(path)"
  }

  /// Ends it at once, as a power cut does, and returns when it is gone.
  public func kill() {
    let ended = process.withLock { process -> Process? in
      defer { process = nil }
      return process
    }
    guard let ended else { return }
    Foundation.kill(ended.processIdentifier, SIGKILL)
    ended.waitUntilExit()
  }

  /// Starts it again at its port, and returns when it listens. One that runs is killed.
  public func restart() throws {
    kill()
    let (started, _) = try Self.launch(arguments, port: port)
    process.withLock { $0 = started }
  }

  /// Stops it from running; its sockets stay open and the system still takes connections for it.
  public func freeze() { signal(SIGSTOP) }

  /// Lets it run again.
  public func thaw() { signal(SIGCONT) }

  private func signal(_ number: Int32) {
    process.withLock { if let process = $0 { Foundation.kill(process.processIdentifier, number) } }
  }

  private static func launch(_ arguments: [String], port: Int) throws -> (Process, Int) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: python)
    process.arguments = arguments + ["--port", "\(port)"]
    let output = Pipe()
    let errors = Pipe()
    // It ends when its input does: with this process, whatever ends that.
    process.standardInput = Pipe()
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    guard line.hasPrefix("port "),
      let port = Int(line.dropFirst(5).trimmingCharacters(in: .whitespacesAndNewlines))
    else {
      Foundation.kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      throw Failure(
        description:
          "rtsp_server.py: \(String(decoding: errors.fileHandleForReading.availableData, as: UTF8.self))")
    }
    return (process, port)
  }
}
