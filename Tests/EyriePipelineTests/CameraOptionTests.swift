import EyrieGraph
import EyrieTestSupport
import Foundation
import Testing

@testable import EyrieMedia

/// What can be set for a source on the network, against real servers.
@Suite("The options of a camera", .serialized, .timeLimit(.minutes(5)))
struct CameraOptionTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private static let present = ConditionTrait.enabled(if: RTSPServer.isPresent, "\(RTSPServer.absence)")
  /// The password as it is, encoded once, and parts of it.
  private static let secrets = [RTSPServer.password, "p%40ss", "ss:w", "ss%3Aw", "w/rd", "w%2Frd"]

  private static func options(username: String?, password: String?) -> VideoReader.Options {
    var options = VideoReader.Options()
    options.username = username
    options.password = password
    return options
  }

  private func read(
    _ input: String, _ options: VideoReader.Options, frames: Int = 5
  ) async throws -> [VideoFrame] {
    try await withBlockingThread(named: "read") { () throws -> [VideoFrame] in
      let reader = try VideoReader(MediaInput(input), options: options)
      return try (0..<frames).compactMap { _ in try reader.nextFrame() }
    }
  }

  private func failure(_ input: String, _ options: VideoReader.Options) async -> MediaError? {
    await #expect(throws: MediaError.self) { _ = try await read(input, options) }
  }

  @Test(
    "user name and password beside the address", present,
    arguments: [RTSPServer.Authentication.basic, .digest])
  func rtspCredentials(method: RTSPServer.Authentication) async throws {
    try await Clip.recording(scratch.path("clip.mp4"))
    let server = try RTSPServer(clip: scratch.path("clip.mp4"), authentication: method)
    try await check(server.url())
    withExtendedLifetime(server) {}
  }

  @Test(
    "user name and password of an HTTP server", arguments: [RTSPServer.Authentication.basic, .digest])
  func httpCredentials(method: RTSPServer.Authentication) async throws {
    try await Clip.pattern(scratch.path("clip.ts"), frames: 50)
    let server = try HTTPServer(scratch.url, authentication: method)
    try await check(server.url("clip.ts"))
    withExtendedLifetime(server) {}
  }

  private func check(_ url: String) async throws {
    let right = Self.options(username: "user", password: RTSPServer.password)
    #expect(try await read(url, right).count == 5)
    // What is encoded already is another password.
    let wrong = Self.options(username: "user", password: "p%40ss%3Aw%2Frd%23%3F%25")
    let none = VideoReader.Options()
    for options in [wrong, none, Self.options(username: "us", password: RTSPServer.password)] {
      let error = try #require(await failure(url, options))
      #expect(error.reason == .unauthorized && error.recovery == .slowly, "\(error)")
      for secret in Self.secrets { #expect(!String(reflecting: error).contains(secret)) }
    }
    let twice = url.replacingOccurrences(of: "://", with: "://other:word@")
    let conflict = try #require(await failure(twice, right))
    #expect(conflict.reason == .unsupportedURL && conflict.recovery == .never)
    #expect(!conflict.description.contains("word"))
  }

  @Test("credentials for what takes none, and options that are printed")
  func uselessCredentials() async throws {
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 5)
    let right = Self.options(username: "user", password: RTSPServer.password)
    for input in [scratch.path("clip.mp4"), "udp://127.0.0.1:9", scratch.path("none_%d.png")] {
      #expect(await failure(input, right)?.reason == .unsupportedURL)
    }
    let halves = Self.options(username: nil, password: RTSPServer.password)
    #expect(await failure("rtsp://127.0.0.1:9/", halves)?.reason == .unsupportedURL)
    var printed = "\(right)" + String(reflecting: right)
    dump(right, to: &printed)
    for secret in Self.secrets { #expect(!printed.contains(secret)) }
    #expect(right.password == RTSPServer.password && right.username == "user")
  }

  @Test("low latency over TCP and UDP, with B-frames and without", present, arguments: ["tcp", "udp"])
  func lowLatency(transport: String) async throws {
    try await Clip.recording(scratch.path("plain.mp4"))
    try await Clip.pattern(scratch.path("bframes.mp4"), frames: 200, options: ["-g", "25"])
    for clip in ["plain.mp4", "bframes.mp4"] {
      let server = try RTSPServer(clip: scratch.path(clip), transport: transport)
      var options = VideoReader.Options(rtspTransport: try #require(RTSPTransport(rawValue: transport)))
      options.lowLatency = true
      let frames = try await read(server.url(), options, frames: 40)
      #expect(frames.count == 40 && !frames.contains { $0.isCorrupt })
      let steps = zip(frames, frames.dropFirst()).map { $1.ptsNanoseconds - $0.ptsNanoseconds }
      #expect(steps.allSatisfy { abs($0 - 40_000_000) < 2_000_000 }, "\(clip): \(steps)")
    }
  }

  @Test("the time of capture by the camera's own clock", present)
  func captureClock() async throws {
    try await Clip.recording(scratch.path("clip.mp4"))
    let server = try RTSPServer(clip: scratch.path("clip.mp4"))
    let begin = Date()
    // Reports come each few seconds.
    let stamped = try await withBlockingThread(named: "read") { () throws -> [VideoFrame] in
      let reader = try VideoReader(MediaInput(server.url()))
      var frames: [VideoFrame] = []
      while frames.count < 25, let frame = try reader.nextFrame() {
        if frame.captureClock == .source { frames.append(frame) }
      }
      return frames
    }
    let last = try #require(stamped.last)
    // It is the source's time: it advances as the stream does, to a millisecond, whenever packets came.
    for (before, after) in zip(stamped, stamped.dropFirst()) {
      let step = after.capturedAt.timeIntervalSince(before.capturedAt)
      #expect(abs(step - Double(after.ptsNanoseconds - before.ptsNanoseconds) / 1e9) < 0.002)
    }
    #expect(last.capturedAt > begin && last.capturedAt <= Date())
  }

  @Test("clocks that cannot be right are not believed")
  func implausibleClocks() {
    let now = Date(timeIntervalSince1970: 1_800_000_000)
    for seconds: Double in [1_799_999_997, 1_800_000_059, 1_800_000_000.25] {
      let date = SourceClock.date(microseconds: Int64(seconds * 1e6), arrival: now)
      #expect(date == Date(timeIntervalSince1970: seconds))
    }
    // Never set, since 1900 or 1970; an hour ahead, for local time; the extremes.
    for seconds: Double in [-2_208_988_800, 0, 1_800_003_600, 1_800_000_061, 9e12, -9e12] {
      #expect(SourceClock.date(microseconds: Int64(seconds * 1e6), arrival: now) == nil)
    }
  }
}
