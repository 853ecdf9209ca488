import EyrieTestSupport
import Foundation
import Testing

/// What SIGINT and SIGTERM do when there is nothing, or too much, to drain.
@Suite("Signals", .timeLimit(.minutes(2)))
struct SignalTests {
  @Test("say that nothing was done when they come before the first frame", arguments: [SIGINT, SIGTERM])
  func beforeTheFirstFrame(number: Int32) async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 3)
    let run = try Tool.eyrie.start([
      "run", scratch.path("clip.mp4"), "--model", TinyDetector.path, "--publish",
      "ipc://\(scratch.path("socket"))", "--wait-subscribers", "1", "--summary", scratch.path("summary.json"),
    ])
    while !FileManager.default.fileExists(atPath: scratch.path("socket")), run.isRunning {
      await Task.yield()
    }
    run.send(signal: number)
    let result = await run.result()
    #expect(result.code == 128 + number)
    #expect(result.errorLines.last == "eyrie: stopped before the first frame")
    #expect(result.output.isEmpty)
    #expect(!FileManager.default.fileExists(atPath: scratch.path("summary.json")))
  }

  @Test("end a run whose events nobody takes any more")
  func stalledPipe() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 30)
    let pipe = scratch.path("pipe")
    #expect(mkfifo(pipe, 0o600) == 0)
    // Open, and never read: a write blocks as soon as the pipe is full.
    let reader = open(pipe, O_RDONLY | O_NONBLOCK)
    defer { close(reader) }
    let run = try Tool.eyrie.start([
      "run", scratch.path("clip.mp4"), "--model", TinyDetector.path, "--loop", "--jsonl", pipe,
    ])
    let writer = open(pipe, O_WRONLY | O_NONBLOCK)
    defer { close(writer) }
    var room = pollfd(fd: writer, events: Int16(POLLOUT), revents: 0)
    while poll(&room, 1, 0) > 0, run.isRunning { await Task.yield() }
    run.send(signal: SIGTERM)
    let result = await run.result()
    #expect(result.code == 143)
    #expect(result.errorLines.count == 1, "\(result.errors)")
  }

  @Test("fail a subscription that was to count more events")
  func unfinishedCount() async throws {
    let scratch = try Scratch()
    let subscriber = try Tool.eyrie.start(["subscribe", "ipc://\(scratch.path("socket"))", "--count", "4"])
    while subscriber.isRunning {
      subscriber.send(signal: SIGINT)
      await Task.yield()
    }
    #expect(await subscriber.result().code == 130)
  }
}
