import EyrieGraph
import EyrieTestSupport
import Foundation
import Testing

@testable import EyrieMedia

/// One connection to a real RTSP server, and how each kind of failure is told.
@Suite(
  "A reader of a camera", .serialized, .timeLimit(.minutes(5)),
  .enabled(if: RTSPServer.isPresent, "\(RTSPServer.absence)"))
struct LiveReaderTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private static let userInfo = "user:p%40ss%3Aw%2Frd%23%3F%25"
  /// The password as it is, encoded once, and what is left when part of it is taken for something else.
  private static let secrets = [
    RTSPServer.password, "p%40ss", "ss:w", "ss%3Aw", "w/rd", "w%2Frd", "%23%3F%25",
  ]

  private func server(
    transport: String = "both", authentication: RTSPServer.Authentication = .none
  ) async throws -> RTSPServer {
    try await Clip.recording(scratch.path("clip.mp4"))
    return try RTSPServer(
      clip: scratch.path("clip.mp4"), transport: transport, authentication: authentication)
  }

  /// Reads frames on a thread of its own.
  private func read(
    _ url: String, frames: Int, options: VideoReader.Options = .init()
  ) async throws -> [VideoFrame] {
    try await withBlockingThread(named: "read") { () throws -> [VideoFrame] in
      let reader = try VideoReader(MediaInput(url), options: options)
      return try (0..<frames).compactMap { _ in try reader.nextFrame() }
    }
  }

  private func failure(_ url: String, options: VideoReader.Options = .init()) async -> MediaError? {
    await #expect(throws: MediaError.self) { _ = try await read(url, frames: 1, options: options) }
  }

  @Test("undoes the encoding of a password once", arguments: [RTSPServer.Authentication.basic, .digest])
  func authentication(method: RTSPServer.Authentication) async throws {
    let server = try await server(authentication: method)
    let frames = try await read(server.url(userInfo: Self.userInfo), frames: 5)
    #expect(frames.count == 5)
    // Encoded twice it is another password.
    let twice = Self.userInfo.replacingOccurrences(of: "%", with: "%25")
    for userInfo in [twice, "user:" + "p%40ss%3Aw%2Frd%23%3F", "other" + Self.userInfo.dropFirst(4), nil] {
      let error = try #require(await failure(server.url(userInfo: userInfo)))
      #expect(error.reason == .unauthorized)
      #expect(error.recovery == .slowly)
      for secret in Self.secrets { #expect(!String(reflecting: error).contains(secret)) }
    }
  }

  @Test("uses the transport that both sides can", arguments: ["tcp", "udp"])
  func transport(offered: String) async throws {
    let server = try await server(transport: offered)
    let wanted = try #require(RTSPTransport(rawValue: offered))
    for transport in [wanted, .auto] {
      let frames = try await read(server.url(), frames: 5, options: .init(rtspTransport: transport))
      #expect(frames.count == 5)
    }
    let other = wanted == .tcp ? RTSPTransport.udp : .tcp
    let error = await failure(server.url(), options: .init(rtspTransport: other))
    #expect(error?.reason == .transportRefused, "\(String(describing: error))")
  }

  @Test("tells an unknown path from a server that is not there")
  func unknownPathAndRefused() async throws {
    let server = try await server()
    #expect(await failure(server.url(path: "nothing"))?.reason == .notFound)
    server.kill()
    #expect(await failure(server.url())?.reason == .refused)
  }

  @Test("notices a server that accepts and says nothing, and one that falls silent")
  func silence() async throws {
    let server = try await server()
    let options = VideoReader.Options(openTimeout: .milliseconds(300), readTimeout: .milliseconds(300))
    let reason = try await withBlockingThread(named: "read") { () throws -> MediaError.Reason? in
      let reader = try VideoReader(
        MediaInput(server.url()), options: .init(readTimeout: .milliseconds(300)))
      _ = try reader.nextFrame()
      server.freeze()
      do throws(MediaError) {
        while try reader.nextFrame() != nil {}
        return nil
      } catch {
        return error.reason
      }
    }
    #expect(reason == .stalled)
    #expect(await failure(server.url(), options: options)?.reason == .timedOut)
    server.thaw()
    #expect(try await read(server.url(), frames: 1).count == 1)
  }

  @Test("connects again, with indices and times that go on")
  func reconnection() async throws {
    let server = try await server()
    let (frames, failures) = try await withBlockingThread(named: "read") {
      () throws -> ([VideoFrame], [MediaError.Reason?]) in
      let reader = try VideoReader(MediaInput(server.url()))
      var frames: [VideoFrame] = []
      var failures: [MediaError.Reason?] = []
      /// What an attempt fails with; nil if it does not.
      func reason(_ attempt: () throws(MediaError) -> Void) -> MediaError.Reason? {
        do throws(MediaError) {
          try attempt()
          return nil
        } catch {
          return error.reason
        }
      }
      for _ in 0..<3 {
        for _ in 0..<8 { if let frame = try reader.nextFrame() { frames.append(frame) } }
        server.kill()
        // A connection that is closed is an end, one that is reset an error.
        let loss = reason { () throws(MediaError) in while try reader.nextFrame() != nil {} }
        failures.append(loss ?? .disconnected)
        failures.append(reason { () throws(MediaError) in try reader.reconnect() })
        if try reader.isConnected || reader.nextFrame() != nil { failures.append(nil) }
        try server.restart()
        try reader.reconnect()
      }
      return (frames, failures)
    }
    #expect(failures == Array(repeating: [.disconnected, .refused], count: 3).flatMap(\.self))
    #expect(frames.count == 24)
    for (before, after) in zip(frames, frames.dropFirst()) {
      #expect(after.index > before.index)
      #expect(after.ptsNanoseconds > before.ptsNanoseconds)
    }
    // The time without a connection is time of the stream, too. (Frames that were read to the end are missing.)
    for first in [8, 16] {
      let away = frames[first].arrival - frames[first - 1].arrival
      #expect(.nanoseconds(frames[first].ptsNanoseconds - frames[first - 1].ptsNanoseconds) >= away * 0.5)
    }
  }
}
