import EyrieEvents
import EyrieGraph
import EyrieTestSupport
import Foundation
import Testing

@testable import EyriePipeline

@Suite("A subscription", .timeLimit(.minutes(1)))
struct SubscribeRunTests {
  private static let event = """
    {
     "schema": "eyrie.event/1", "type": "stream", "run_id": "r", "source": "cam", "sequence": 0,\r
     "captured_at": "2026-01-31T09:08:07.123456Z", "state": "ended", "message": "a\\nb", "details": {}
    }
    """

  /// Publishes payloads to a subscription until it has ended.
  private func receive(
    _ payloads: [String], _ change: (inout SubscribeOptions) -> Void = { _ in }, lines: Lines, log: Lines
  ) async throws -> SubscribeRun.Counts {
    let scratch = try Scratch()
    let context = try ZeroMQContext()
    let publisher = try EventPublisher("ipc://\(scratch.path("socket"))", context: context)
    var options = SubscribeOptions(endpoint: publisher.endpoint)
    change(&options)
    let run = SubscribeRun(options)
    let task = Task {
      try await run.run(
        stop: StopSignal(),
        print: { (line) throws(EyrieFailure) in
          lines.add(line)
          return true
        }, log: { log.add($0) })
    }
    while try publisher.subscriptionCount < 1 { await Task.yield() }
    for payload in payloads {
      try publisher.publish(EncodedEvent(topic: "stream/cam/", payload: Array(payload.utf8)))
    }
    let result = await task.result
    publisher.close()
    try context.close()
    return try result.get()
  }

  @Test("prints foreign JSON on one line")
  func oneLine() async throws {
    let lines = Lines()
    let counts = try await receive(
      [Self.event],
      {
        $0.count = 1; $0.format = .json
      }, lines: lines, log: Lines())
    #expect(counts.received == 1)
    #expect(lines.all.count == 1)
    let line = try #require(lines.all.first)
    #expect(!line.contains { $0.isNewline })
    #expect(try EventDecoder().decode(Array(line.utf8)).sequence == 0)
  }

  @Test("counts messages of strangers without a line for each")
  func strangers() async throws {
    let log = Lines()
    let counts = try await receive(
      Array(repeating: "no event", count: 500) + [Self.event], { $0.count = 1 }, lines: Lines(), log: log)
    #expect(counts.malformed == 500)
    #expect(log.all.count == 3, "the first, the tenth and the hundredth: \(log.all)")
  }

  @Test("fails when the source ends before the count")
  func endsEarly() async throws {
    let failure = await #expect(throws: EyrieFailure.self) {
      try await receive(
        [Self.event],
        {
          $0.count = 5; $0.untilEnd = true
        }, lines: Lines(), log: Lines())
    }
    #expect(failure?.kind == .run)
    #expect(failure?.description.hasSuffix("the source ended after 1 of 5 events") == true)
  }
}
