import EyrieGraph
import EyrieTestSupport
import Foundation
import Testing

@testable import EyrieMedia

/// HTTP, HLS, transport streams over UDP, `rtsps` and standard input, against real servers and senders.
@Suite("Inputs that are no files", .serialized, .timeLimit(.minutes(5)))
struct NetworkInputTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// How reading to the end, or so far, went.
  private struct Outcome: Sendable {
    var frames = 0
    var error: MediaError?
  }

  private func read(
    _ input: String, frames: Int = .max, _ options: VideoReader.Options = .init(),
    interrupt: MediaInterrupt = MediaInterrupt(), whenRead: @escaping @Sendable (Int) -> Void = { _ in }
  ) async -> Outcome {
    await withBlockingThread(named: "read") {
      var outcome = Outcome()
      do throws(MediaError) {
        let reader = try VideoReader(MediaInput(input), options: options, interrupt: interrupt)
        while outcome.frames < frames, try reader.nextFrame() != nil {
          outcome.frames += 1
          whenRead(outcome.frames)
        }
      } catch {
        outcome.error = error
      }
      return outcome
    }
  }

  /// A port of UDP that was free a moment ago.
  private func freePort() throws -> Int {
    let (descriptor, port) = try boundSocket()
    close(descriptor)
    return port
  }

  private func boundSocket() throws -> (descriptor: Int32, port: Int) {
    let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
      }
    }
    try #require(isBound)
    return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
  }

  @Test("files over HTTP, also those whose index is at their end")
  func http() async throws {
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 60)
    try await Clip.pattern(scratch.path("clip.ts"), frames: 60)
    let server = try HTTPServer(scratch.url)
    for name in ["clip.mp4", "clip.ts"] {
      let outcome = await read(server.url(name))
      #expect(outcome.frames == 60 && outcome.error == nil, "\(name): \(outcome)")
    }
    withExtendedLifetime(server) {}
  }

  @Test("each failure over HTTP by its reason")
  func httpFailures() async throws {
    try await Clip.pattern(scratch.path("clip.ts"), frames: 250)
    try Data("<html>".utf8).write(to: scratch.url.appendingPathComponent("page.html"))
    let server = try HTTPServer(scratch.url)
    let options = VideoReader.Options(readTimeout: .milliseconds(500))
    for (path, reason, recovery) in [
      ("none.ts", MediaError.Reason.notFound, MediaError.Recovery.soon), ("status/503", .serverError, .soon),
      ("status/429", .serverError, .soon), ("status/410", .serverError, .soon),
      ("status/403", .unauthorized, .slowly),
      ("page.html", .notMedia, .soon), ("cut/clip.ts", .disconnected, .soon),
      ("stall/clip.ts", .stalled, .soon),
    ] {
      let error = try #require(
        await read(server.url(path, userInfo: "me:hunter2"), options).error, "\(path)")
      #expect(error.reason == reason && error.recovery == recovery, "\(path): \(error)")
      #expect(!String(reflecting: error).contains("hunter2"))
    }
    #expect(await read("http://127.0.0.1:9/clip.ts").error?.reason == .refused)
    #expect(await read("http://nowhere.invalid/clip.ts").error?.reason == .unreachable)
    // What came before the failure is delivered.
    #expect(await read(server.url("cut/clip.ts"), options).frames > 50)
    // A wait is interrupted.
    let interrupt = MediaInterrupt()
    let waiting = await read(server.url("stall/clip.ts"), interrupt: interrupt) {
      if $0 == 50 { interrupt.fire() }
    }
    #expect(waiting.error?.reason == .interrupted)
    withExtendedLifetime(server) {}
  }

  @Test("a camera that sends JPEG after JPEG over HTTP is timed by arrival")
  func jpegPush() async throws {
    let port = try freePort()
    let sender = try Tool.ffmpeg.start([
      "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=160x96:rate=10", "-f", "mpjpeg", "-listen",
      "1",
      "http://127.0.0.1:\(port)/camera",
    ])
    var options = VideoReader.Options()
    options.every = 2
    // FFmpeg looks at five seconds of such a stream; beside other tests that can take longer than usual.
    options.openTimeout = .seconds(60)
    let settings = options
    let (frames, skipped) = try await withBlockingThread(named: "read") { () throws -> ([VideoFrame], Int) in
      var opened: VideoReader?
      while opened == nil {
        do throws(MediaError) {
          opened = try VideoReader(MediaInput("http://127.0.0.1:\(port)/camera"), options: settings)
        } catch {
          // The sender has not begun to listen.
          guard error.reason == .refused, sender.isRunning else { throw error }
        }
      }
      let reader = try #require(opened)
      return (try (0..<15).compactMap { _ in try reader.nextFrame() }, reader.undecodedFrames)
    }
    sender.send(signal: SIGKILL)
    _ = await sender.result()
    #expect(frames.map(\.index) == (0..<15).map { $0 * 2 } && skipped > 5)
    // At 25 a second it would be 1.1 s.
    let span = (frames.last?.ptsNanoseconds ?? 0) - (frames.first?.ptsNanoseconds ?? 0)
    #expect(span > 2_000_000_000, "\(span)")
  }

  private static let segments = ["-f", "hls", "-hls_time", "1", "-hls_segment_type", "mpegts"]

  @Test("HLS that is complete, from a disk and over HTTP")
  func hls() async throws {
    try await Clip.make(
      [
        "-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25", "-frames:v", "100", "-c:v", "libx264", "-g",
        "25",
      ]
        + Self.segments + ["-hls_list_size", "0", scratch.path("vod.m3u8")])
    let server = try HTTPServer(scratch.url, authentication: .basic)
    var options = VideoReader.Options()
    #expect(await read(scratch.path("vod.m3u8")).frames == 100)
    #expect(await read(server.url("vod.m3u8")).error?.reason == .unauthorized)
    (options.username, options.password) = ("user", RTSPServer.password)
    let outcome = await read(server.url("vod.m3u8"), options)
    #expect(outcome.frames == 100 && outcome.error == nil, "\(outcome)")
    withExtendedLifetime(server) {}
  }

  @Test("a playlist from elsewhere does not read this machine's files")
  func hlsThatPointsAtFiles() async throws {
    try await Clip.pattern(scratch.path("secret.ts"), frames: 30)
    let playlist =
      "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.2,\nfile://\(scratch.path("secret.ts"))\n#EXT-X-ENDLIST\n"
    try Data(playlist.utf8).write(to: scratch.url.appendingPathComponent("evil.m3u8"))
    let server = try HTTPServer(scratch.url)
    let outcome = await read(server.url("evil.m3u8"))
    #expect(outcome.frames == 0 && outcome.error != nil)
    withExtendedLifetime(server) {}
  }

  @Test("HLS that grows while it is read")
  func liveHLS() async throws {
    let sender = try Tool.ffmpeg.start(
      [
        "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25", "-c:v", "libx264",
        "-preset",
        "ultrafast", "-g", "25",
      ] + Self.segments + ["-hls_list_size", "4", scratch.path("live.m3u8")])
    let server = try HTTPServer(scratch.url)
    // The playlist is there as soon as the first segment is.
    var outcome = Outcome()
    repeat {
      outcome = await read(server.url("live.m3u8"), frames: 150)
    } while outcome.error?.reason == .notFound
    #expect(outcome.frames == 150 && outcome.error == nil, "\(outcome)")
    sender.send(signal: SIGKILL)
    _ = await sender.result()
    withExtendedLifetime(server) {}
  }

  @Test(
    "transport streams over UDP, to this machine and to a group", arguments: ["127.0.0.1", "239.255.77.9"])
  func udp(address: String) async throws {
    let port = try freePort()
    let isGroup = address.hasPrefix("239")
    let sender = try Tool.ffmpeg.start([
      "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25", "-c:v", "libx264", "-preset",
      "ultrafast", "-g", "12", "-f", "mpegts",
      "udp://\(address):\(port)?pkt_size=1316" + (isGroup ? "&localaddr=127.0.0.1" : ""),
    ])
    let input = isGroup ? "udp://@\(address):\(port)?localaddr=127.0.0.1" : "udp://@:\(port)"
    #expect(MediaInput(input).isLive)
    for lowLatency in [false, true] {
      var options = VideoReader.Options()
      options.lowLatency = lowLatency
      let outcome = await read(input, frames: 50, options)
      #expect(outcome.frames == 50 && outcome.error == nil, "\(outcome)")
    }
    // The sender falls silent.
    let outcome = await read(input, .init(readTimeout: .milliseconds(500))) {
      if $0 == 10 { sender.send(signal: SIGSTOP) }
    }
    #expect(outcome.error?.reason == .stalled && outcome.frames >= 10, "\(outcome)")
    let silence = await read(input, .init(openTimeout: .milliseconds(500)))
    #expect(silence.error?.reason == .timedOut && silence.error?.recovery == .soon, "\(silence)")
    sender.send(signal: SIGKILL)
    _ = await sender.result()
  }

  @Test("a port that another program has, and an address of another machine")
  func udpThatCannotListen() async throws {
    let (descriptor, port) = try boundSocket()
    defer { close(descriptor) }
    let busy = await read("udp://127.0.0.1:\(port)").error
    #expect(busy?.reason == .busy && busy?.recovery == .soon, "\(busy as Any)")
    let elsewhere = await read("udp://@:5000?localaddr=192.0.2.1").error
    #expect(elsewhere?.reason == .unreachable, "\(elsewhere as Any)")
  }

  @Test(
    "RTSP over TLS with a certificate that nobody has signed",
    .enabled(if: RTSPServer.isPresent, "\(RTSPServer.absence)"))
  func rtsps() async throws {
    try await Clip.recording(scratch.path("clip.mp4"))
    let certificate = scratch.path("server.pem")
    let openssl = try await Tool(path: "/usr/bin/openssl").run([
      "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout",
      certificate, "-out", scratch.path("certificate.pem"),
    ])
    try #require(openssl.code == 0, "\(openssl.errors)")
    let both = try [certificate, scratch.path("certificate.pem")].map {
      try Data(contentsOf: URL(fileURLWithPath: $0))
    }
    try both.reduce(Data(), +).write(to: URL(fileURLWithPath: certificate))
    let server = try RTSPServer(
      clip: scratch.path("clip.mp4"), authentication: .digest, certificate: certificate)
    var options = VideoReader.Options()
    #expect(server.url().hasPrefix("rtsps://"))
    #expect(await read(server.url(), frames: 1, options).error?.reason == .unauthorized)
    (options.username, options.password) = ("user", RTSPServer.password)
    for transport in RTSPTransport.allCases {
      options.rtspTransport = transport
      let outcome = await read(server.url(), frames: 30, options)
      #expect(outcome.frames == 30 && outcome.error == nil, "\(transport): \(outcome)")
    }
    // A server without TLS behind the address.
    let plain = try RTSPServer(clip: scratch.path("clip.mp4"))
    let error = await read("rtsps://127.0.0.1:\(plain.port)/live", .init(openTimeout: .seconds(3))).error
    #expect(error?.recovery == .soon, "\(error as Any)")
    withExtendedLifetime((server, plain)) {}
  }

  @Test("standard input, from a pipe and from a file")
  func standardInput() async throws {
    try await Clip.pattern(scratch.path("clip.ts"), frames: 40)
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 40)
    let shell = Tool(path: "/bin/sh")
    for command in [
      "cat \(scratch.path("clip.ts")) | \(Tool.eyrie.path) probe - --decode",
      "\(Tool.eyrie.path) probe - --decode < \(scratch.path("clip.mp4"))",
    ] {
      let result = try await shell.run(["-c", command])
      #expect(result.code == 0 && result.output.contains("\"frames\" : 40"), "\(result.errors)")
    }
    let empty = try await shell.run(["-c", "\(Tool.eyrie.path) probe - < /dev/null"])
    #expect(empty.code == 1 && empty.errorLines.count == 1 && empty.errors.contains("-: "), "\(empty.errors)")
    #expect(MediaInput("-").shortName == "stdin" && !MediaInput("-").isLive)
  }
}
