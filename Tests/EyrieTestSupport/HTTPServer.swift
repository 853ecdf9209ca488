public import Foundation

/// A real HTTP server on 127.0.0.1 that serves a directory and fails where it is told to: see
/// `scripts/lib/http_server.py`. It never outlives this object.
public final class HTTPServer: Sendable {
  /// Where it listens.
  public let port: Int
  private let process: Process

  /// Starts it at a free port, and returns when it listens.
  /// - Parameter authentication: with the user `user` and `RTSPServer.password`.
  public init(_ directory: URL, authentication: RTSPServer.Authentication = .none) throws {
    process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      "python3", SharedMaterial.package.appendingPathComponent("scripts/lib/http_server.py").path,
      directory.path, "--auth", authentication.rawValue, "--password", RTSPServer.password,
    ]
    let output = Pipe()
    // It ends when its input does: with this process, whatever ends that.
    process.standardInput = Pipe()
    process.standardOutput = output
    try process.run()
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    guard line.hasPrefix("port "),
      let port = Int(line.dropFirst(5).trimmingCharacters(in: .whitespacesAndNewlines))
    else { throw RTSPServer.Failure(description: "http_server.py did not start: \(line)") }
    self.port = port
  }

  deinit {
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// An address on it.
  public func url(_ path: String, userInfo: String? = nil) -> String {
    "http://\(userInfo.map { $0 + "@" } ?? "")127.0.0.1:\(port)/\(path)"
  }
}
