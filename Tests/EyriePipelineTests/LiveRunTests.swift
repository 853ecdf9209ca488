import EyrieEvents
import EyrieGraph
import EyrieTestSupport
import Foundation
import Testing

@testable import EyriePipeline

/// `eyrie run` on a real RTSP server that comes and goes.
@Suite(
  "A run on a camera", .serialized, .timeLimit(.minutes(10)),
  .enabled(if: RTSPServer.isPresent, "\(RTSPServer.absence)"))
struct LiveRunTests {
  #if DEBUG
    private static let rounds = 3
  #else
    private static let rounds = 20
  #endif

  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func server(_ authentication: RTSPServer.Authentication = .none) async throws -> RTSPServer {
    try await Clip.recording(scratch.path("clip.mp4"))
    return try RTSPServer(clip: scratch.path("clip.mp4"), authentication: authentication)
  }

  private func start(_ url: String, _ options: [String] = []) throws -> Tool.Running {
    try Tool.eyrie.start(
      [
        "run", url, "--model", TinyDetector.path, "--source", "cam", "--publish",
        "ipc://\(scratch.path("socket"))",
        "--wait-subscribers", "1", "--summary", scratch.path("summary.json"),
      ] + options)
  }

  private func summary() throws -> RunSummary {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(
      RunSummary.self, from: Data(contentsOf: URL(fileURLWithPath: scratch.path("summary.json"))))
  }

  /// Follows the events of a run on a thread of its own, and returns all of them.
  private func follow(_ scenario: @escaping @Sendable (EventWatch) throws -> Void) async throws -> [Event] {
    let endpoint = "ipc://\(scratch.path("socket"))"
    return try await withBlockingThread(named: "watch") { () throws -> [Event] in
      let watch = try EventWatch(endpoint: endpoint)
      defer { try? watch.close() }
      try scenario(watch)
      return watch.events
    }
  }

  /// What must hold of the events of any run.
  private func checkOrder(_ events: [Event]) {
    for type in EventType.allCases {
      let sequences = events.filter { $0.type == type }.map(\.sequence)
      #expect(sequences == sequences.indices.map(UInt64.init))
    }
    let detections = events.detections
    for (before, after) in zip(detections, detections.dropFirst()) {
      #expect(after.presentationTime > before.presentationTime)
      #expect(after.frame > before.frame)
    }
  }

  @Test("recovers each time the server is killed, and keeps nothing of it")
  func killedAndRestarted() async throws {
    let server = try await server()
    let run = try start(server.url())
    let samples = Samples()
    let events = try await follow { watch in
      _ = try watch.waitFor(.connected)
      for _ in 0..<Self.rounds {
        try watch.waitForDetections(5)
        samples.add(try ProcessUsage(of: run.processIdentifier))
        server.kill()
        _ = try watch.waitFor(.reconnecting)
        try server.restart()
        let back = ContinuousClock.now
        _ = try watch.waitFor(.connected)
        samples.add(ContinuousClock.now - back)
      }
      try watch.waitForDetections(5)
      samples.add(try ProcessUsage(of: run.processIdentifier))
      run.send(signal: SIGTERM)
      _ = try watch.waitFor(.ended)
    }
    let result = await run.result()
    #expect(result.code == 0, "\(result.errors)")
    checkOrder(events)
    let summary = try summary()
    #expect(summary.frames.published == events.detections.count)
    #expect(summary.sources["cam"]?.reconnects == Self.rounds)
    #expect((summary.sources["cam"]?.errors ?? 0) >= Self.rounds)
    #expect(summary.leftBehind == 0)
    let losses = events.streams.filter { $0.state == .reconnecting }
    // A socket that its server's death closes is an end or an error; until it is back it refuses.
    let reasons: [DetailValue?] = [.text("ended"), .text("disconnected"), .text("refused")]
    #expect(losses.allSatisfy { reasons.contains($0.details["reason"]) })
    // The second sample is the first that has seen a loss; what is set up once has been.
    let before = try #require(samples.usages.dropFirst().first)
    let after = try #require(samples.usages.last)
    print("recovered after", samples.recoveries.max() ?? .zero, "at most;", before, "→", after)
    #expect(after.descriptors <= before.descriptors)
    #expect(after.threads <= before.threads)
    #expect(after.residentKiB <= before.residentKiB + 2_048)
  }

  /// Where a SIGTERM meets the source.
  enum Wait: String, CaseIterable, Sendable {
    case opening, reading, retrying, credentials
  }

  @Test("ends cleanly on SIGTERM, whatever it waits for", arguments: Wait.allCases)
  func terminated(wait: Wait) async throws {
    let server = try await server(wait == .credentials ? .digest : .none)
    if wait == .opening { server.freeze() }
    if wait == .retrying { server.kill() }
    let run = try start(server.url(userInfo: wait == .credentials ? "user:hunter2" : nil))
    let samples = Samples()
    let events = try await follow { watch in
      switch wait {
      // The first heartbeat: the source has begun to open.
      case .opening: try watch.waitForStats()
      case .reading:
        try watch.waitForDetections(3)
        server.freeze()
        // Frames that were under way are through when a second brought none.
        try watch.waitForSilence()
      case .retrying, .credentials: _ = try watch.waitFor(.reconnecting)
      }
      samples.start()
      run.send(signal: SIGTERM)
      // A source that was never there has nothing to end.
      if wait != .opening { _ = try watch.waitFor(.ended) }
    }
    let result = await run.result()
    samples.stop()
    // After 3 s it would be 143.
    #expect(result.code == 0, "\(result.errors)")
    checkOrder(events)
    let summary = try summary()
    #expect(summary.leftBehind == 0)
    #expect(summary.frames.published == events.detections.count)
    #expect((summary.frames.published > 0) == (wait == .reading))
    print("SIGTERM while \(wait): ended after", samples.recoveries.first ?? .zero)
  }

  @Test("is slow to try wrong credentials again, and tells nobody what they were")
  func wrongPassword() async throws {
    let server = try await server(.basic)
    let secret = "s%3Aecr%40et"
    let run = try start(
      server.url(userInfo: "user:" + secret), ["--duration", "2", "--jsonl", scratch.path("events.jsonl")])
    let events = try await follow { watch in _ = try watch.waitFor(.failed) }
    let result = await run.result()
    #expect(result.code == 1)
    #expect(result.errorLines.last?.contains("refuses the user name or password") == true)
    let losses = events.streams.filter { $0.state == .reconnecting }
    #expect(losses.count == 1)
    #expect(losses.first?.details["reason"] == .text("unauthorized"))
    guard case .number(let pause)? = losses.first?.details["retry_in_s"] else {
      Issue.record("no retry_in_s")
      return
    }
    #expect(pause >= 30)
    var told = result.output + result.errors
    for name in ["events.jsonl", "summary.json"] {
      told += try String(contentsOfFile: scratch.path(name), encoding: .utf8)
    }
    for form in [secret, "s:ecr@et", "s:ecr", "ecr%40et", "user:"] {
      #expect(!told.contains(form), "\(form)")
    }
  }

  @Test("notices a server that falls silent, and goes on when it is back with another picture size")
  func silentAndOtherSize() async throws {
    let server = try await server()
    let other = scratch.path("other.mp4")
    try await Clip.recording(other, size: "96x160")
    let clip = scratch.path("clip.mp4")
    let run = try start(server.url(), ["--read-timeout", "0.5", "--open-timeout", "1"])
    let events = try await follow { watch in
      try watch.waitForDetections(3)
      server.freeze()
      while try watch.waitFor(.reconnecting).details["reason"] != .text("stalled") {}
      while try watch.waitFor(.reconnecting).details["reason"] != .text("timed_out") {}
      server.kill()
      try FileManager.default.removeItem(atPath: clip)
      try FileManager.default.moveItem(atPath: other, toPath: clip)
      try server.restart()
      _ = try watch.waitFor(.formatChanged)
      try watch.waitForDetections(3)
      run.send(signal: SIGTERM)
      _ = try watch.waitFor(.ended)
    }
    #expect(await run.result().code == 0)
    checkOrder(events)
    let states = events.streams.map(\.state).filter { $0 != .reconnecting }
    #expect(states == [.connected, .connected, .formatChanged, .ended])
    #expect(events.detections.first?.width == 160)
    #expect(events.detections.last?.width == 96)
    // The geometry was made anew: the box in the middle of the picture is in the middle of the new one.
    let box = try #require(events.detections.last?.detections.first?.box)
    #expect(abs(box.x + box.width / 2 - 48) < 1)
    #expect(abs(box.y + box.height / 2 - 80) < 1)
    #expect(try summary().sources["cam"]?.height == 160)
  }

  @Test("ends with the first failure if it must not reconnect, and at once where no attempt can be better")
  func never() async throws {
    let server = try await server()
    server.kill()
    for arguments in [
      [server.url(), "--reconnect", "never"], ["rtsp://user:hunter2@[bad/x"], ["gopher://cam/x"],
    ] {
      let result = try await Tool.eyrie.run(["run", "--model", TinyDetector.path] + arguments)
      #expect(result.code == 1)
      #expect(result.errorLines.count == 1, "\(result.errors)")
      #expect(!result.errors.contains("hunter2"))
    }
    for arguments in [["--reconnect", "always"], ["--read-timeout", "0"], ["--open-timeout", "nan"]] {
      let result = try await Tool.eyrie.run(
        ["run", scratch.path("clip.mp4"), "--model", TinyDetector.path] + arguments)
      #expect(result.code == 2)
      #expect(result.errorLines.count == 1, "\(result.errors)")
    }
  }
}

/// What a test measured on its way.
private final class Samples: @unchecked Sendable {
  // Unchecked because the test's thread writes it and the test reads it after that has ended.
  private(set) var usages: [ProcessUsage] = []
  private(set) var recoveries: [Duration] = []

  private var begin = ContinuousClock.now

  func start() { begin = .now }
  func stop() { recoveries.append(ContinuousClock.now - begin) }
  func add(_ usage: ProcessUsage) { usages.append(usage) }
  func add(_ recovery: Duration) { recoveries.append(recovery) }
}

/// What a process holds.
private struct ProcessUsage {
  let descriptors: Int
  let threads: Int
  let residentKiB: Int

  init(of process: Int32) throws {
    descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
    threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task").count
    let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
    residentKiB =
      status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
      .flatMap { Int($0.split(whereSeparator: \.isWhitespace)[1]) } ?? 0
  }
}

extension [Event] {
  var detections: [DetectionsEvent] {
    compactMap { if case .detections(let event) = $0 { event } else { nil } }
  }

  var streams: [StreamEvent] {
    compactMap { if case .stream(let event) = $0 { event } else { nil } }
  }
}
