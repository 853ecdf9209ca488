import EyrieTestTools
import Foundation
import Testing

@testable import EyrieMedia

/// Inputs that keep a reader waiting, and inputs that are none.
@Suite struct BlockingTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func makePipe() throws -> String {
    let path = scratch.path("pipe.ts")
    try #require(mkfifo(path, 0o600) == 0)
    return path
  }

  private func makeClip() throws -> Data {
    let path = scratch.path("clip.ts")
    try Tool.ffmpeg("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=1", "-c:v", "libx264", path)
    return try Data(contentsOf: URL(fileURLWithPath: path))
  }

  /// Runs a reader on a thread of its own, fires once it has begun, and returns how it ended.
  private func interrupted(
    _ path: String, after wait: @escaping @Sendable () -> Void = {}
  ) async -> MediaError? {
    let interrupt = MediaInterrupt()
    return await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        let error = mediaError {
          _ = try VideoReader(MediaInput(path), interrupt: interrupt).allFrames()
        }
        continuation.resume(returning: error)
      }
      Thread.detachNewThread {
        wait()
        interrupt.fire()
      }
    }
  }

  @Test(.timeLimit(.minutes(10))) func aPipeWithoutWriterIsInterrupted() async throws {
    let error = await interrupted(try makePipe())
    #expect(error?.reason == .interrupted)
  }

  @Test(.timeLimit(.minutes(10))) func aPipeWhoseWriterPausesIsInterrupted() async throws {
    let path = try makePipe()
    let clip = try makeClip()
    let written = DispatchSemaphore(value: 0)
    let over = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      // Stays open until it is read no more.
      guard let pipe = FileHandle(forWritingAtPath: path) else { return }
      try? pipe.write(contentsOf: clip.prefix(clip.count / 2))
      written.signal()
      over.wait()
      try? pipe.close()
    }
    let error = await interrupted(path) { written.wait() }
    over.signal()
    #expect(error?.reason == .interrupted)
  }

  /// More than a pipe holds, so that its writer meets every reader that comes and goes.
  @Test(.timeLimit(.minutes(10))) func theWriterOfAPipeMeetsOneReader() throws {
    let clip = scratch.path("noise.ts")
    try Tool.ffmpeg(
      "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2,noise=alls=60:allf=t", "-c:v", "libx264",
      "-preset", "ultrafast", "-qp", "10", clip)
    for attempt in 0..<8 {
      let path = scratch.path("pipe\(attempt).ts")
      try #require(mkfifo(path, 0o600) == 0)
      let writer = Process()
      writer.executableURL = URL(fileURLWithPath: "/bin/sh")
      writer.arguments = ["-c", "exec cat \"$0\" > \"$1\"", clip, path]
      try writer.run()
      #expect(try VideoReader(MediaInput(path)).allFrames().count == 50)
      writer.waitUntilExit()
      #expect(writer.terminationStatus == 0)
    }
  }

  @Test(.timeLimit(.minutes(10))) func aPipeIsReadToItsEnd() throws {
    let path = try makePipe()
    let clip = try makeClip()
    Thread.detachNewThread {
      guard let pipe = FileHandle(forWritingAtPath: path) else { return }
      try? pipe.write(contentsOf: clip)
      try? pipe.close()
    }
    let reader = try VideoReader(MediaInput(path))
    #expect(try reader.allFrames().count == 25)
    #expect(mediaError { try reader.rewind() }?.reason == .notRewindable)
  }

  @Test(.timeLimit(.minutes(10))) func aReadDeadlineEndsAPause() throws {
    let path = try makePipe()
    let clip = try makeClip()
    let over = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      guard let pipe = FileHandle(forWritingAtPath: path) else { return }
      try? pipe.write(contentsOf: clip)
      over.wait()
      try? pipe.close()
    }
    defer { over.signal() }
    // Probing takes all there is, so that the deadline has to end that, too.
    let reader = try VideoReader(MediaInput(path), options: .init(readTimeout: .milliseconds(200)))
    var count = 0
    let error = mediaError { while try reader.nextFrame() != nil { count += 1 } }
    #expect(error?.reason == .stalled)
    #expect(count == 25, "frames read before the pause are delivered first")
  }

  @Test func anInterruptThatFiredStopsEverything() throws {
    let clip = scratch.path("clip.ts")
    _ = try makeClip()
    let interrupt = MediaInterrupt()
    let reader = try VideoReader(MediaInput(clip), interrupt: interrupt)
    _ = try reader.nextFrame()
    interrupt.fire()
    #expect(mediaError { _ = try reader.nextFrame() }?.reason == .interrupted)
    #expect(
      mediaError { _ = try VideoReader(MediaInput(clip), interrupt: interrupt) }?.reason == .interrupted)
  }

  @Test(.timeLimit(.minutes(10))) func aServerThatSaysNothingTimesOut() throws {
    // Connections are taken up by the kernel and never answered.
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 4) == 0 && getsockname(listener, $0, &length) == 0
      }
    }
    try #require(bound)
    let port = UInt16(bigEndian: address.sin_port)
    for url in ["http://user:hunter2@127.0.0.1:\(port)/a.ts", "rtsp://user:hunter2@127.0.0.1:\(port)/a"] {
      let error = mediaError {
        _ = try VideoReader(MediaInput(url), options: .init(openTimeout: .milliseconds(300)))
      }
      #expect(error?.reason == .timedOut)
      #expect(error?.description.contains("hunter2") == false)
    }
  }

  struct NoMedia: Sendable, CustomTestStringConvertible {
    let name: String
    let content: [UInt8]
    let reason: MediaError.Reason
    var testDescription: String { name }
  }

  private static let random: [UInt8] = {
    var generator = SplitMix64(seed: 1)
    return (0..<20_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }()

  @Test(arguments: [
    NoMedia(name: "empty.mp4", content: [], reason: .empty),
    NoMedia(name: "random.mp4", content: random, reason: .notMedia),
    NoMedia(name: "random.ts", content: random, reason: .notMedia),
    NoMedia(name: "random.jpg", content: random, reason: .undecodable),
    NoMedia(name: "random.h264", content: random, reason: .undecodable),
    NoMedia(name: "zeros.mkv", content: .init(repeating: 0, count: 100_000), reason: .notMedia),
    NoMedia(name: "page.mp4", content: Array("\n<!DOCTYPE html><html>404</html>".utf8), reason: .notMedia),
    NoMedia(name: "notes.txt", content: Array("Dear diary".utf8), reason: .notMedia),
    NoMedia(
      name: "list.ffconcat", content: Array("ffconcat version 1.0\nfile http://127.0.0.1:9/a\n".utf8),
      reason: .notMedia),
    NoMedia(name: "head.mp4", content: [0, 0, 0, 8] + Array("ftyp".utf8), reason: .cutOff),
  ])
  func whatIsNoVideo(item: NoMedia) throws {
    let path = scratch.path(item.name)
    try Data(item.content).write(to: URL(fileURLWithPath: path))
    let error = try #require(mediaError { _ = try VideoReader(MediaInput(path)) })
    #expect(error.reason == item.reason, "\(error)")
    #expect(error.description.hasPrefix(path + ": "))
  }

  @Test func whatCannotBeOpened() throws {
    #expect(mediaError { _ = try VideoReader(MediaInput(scratch.url.path)) }?.reason == .directory)
    #expect(mediaError { _ = try VideoReader(MediaInput(scratch.path("none.mp4"))) }?.reason == .missing)
    #expect(mediaError { _ = try VideoReader(MediaInput("")) }?.reason == .missing)
    #expect(mediaError { _ = try VideoReader(MediaInput("a\0b")) }?.reason == .missing)
    #expect(mediaError { _ = try VideoReader(MediaInput("/dev/null")) } != nil)
    #expect(mediaError { _ = try VideoReader(MediaInput("gopher://x/y")) }?.reason == .unsupportedURL)
    // The super-user may read everything.
    guard geteuid() != 0 else { return }
    let locked = scratch.path("locked.mp4")
    try Data([1]).write(to: URL(fileURLWithPath: locked))
    try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: locked)
    #expect(mediaError { _ = try VideoReader(MediaInput(locked)) }?.reason == .permissionDenied)
  }

  @Test func anUnknownCodecIsNamed() throws {
    let path = scratch.path("clip.mp4")
    try Tool.ffmpeg("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=1", "-c:v", "libx264", path)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    let entry = try #require(bytes.range(of: Data("avc1".utf8), in: 40..<bytes.count))
    bytes.replaceSubrange(entry, with: Data("zz9z".utf8))
    try bytes.write(to: URL(fileURLWithPath: path))
    let error = try #require(mediaError { _ = try VideoReader(MediaInput(path)) })
    #expect(error.reason == .unsupportedCodec && error.description.contains("zz9z"))
  }
}
