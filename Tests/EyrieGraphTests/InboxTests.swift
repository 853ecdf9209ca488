import Testing

@testable import EyrieGraph

@Suite("An inbox", .timeLimit(.minutes(10)))
struct InboxTests {
  @Test("keeps the order of a lane and loses nothing under concurrent use")
  func lossless() async throws {
    let inbox = Inbox<Int>(stage: "taker")
    let lanes = try (0..<4).map { _ in try #require(inbox.addLane(capacity: 3, policy: .suspend)) }
    await withTaskGroup { group in
      for (number, lane) in lanes.enumerated() {
        group.addTask {
          for item in 0..<500 { _ = await inbox.send(number * 1_000 + item, through: lane) }
          inbox.close(lane)
        }
      }
      var seen: [[Int]] = Array(repeating: [], count: lanes.count)
      while let item = await inbox.receive() { seen[item / 1_000].append(item % 1_000) }
      for items in seen { #expect(items == Array(0..<500)) }
    }
    for lane in lanes {
      let counts = inbox.counts(lane)
      #expect(counts.offered == 500)
      #expect(counts.delivered == 500)
      #expect(counts.highWaterMark <= 3)
    }
  }

  @Test("serves lanes round robin, so that a full one starves nobody")
  func roundRobin() async throws {
    let inbox = Inbox<String>(stage: "taker")
    let busy = try #require(inbox.addLane(capacity: 10, policy: .suspend))
    let quiet = try #require(inbox.addLane(capacity: 10, policy: .suspend))
    for number in 0..<6 { _ = await inbox.send("busy \(number)", through: busy) }
    for number in 0..<2 { _ = await inbox.send("quiet \(number)", through: quiet) }
    var order: [String] = []
    for _ in 0..<4 { order.append(await inbox.receive() ?? "") }
    #expect(order == ["busy 0", "quiet 0", "busy 1", "quiet 1"])
  }

  @Test("lets a sender wait for room")
  func backpressure() async throws {
    let inbox = Inbox<Int>(stage: "taker")
    let lane = try #require(inbox.addLane(capacity: 1, policy: .suspend))
    _ = await inbox.send(1, through: lane)
    let sent = Tally()
    async let waiting: SendOutcome = {
      let outcome = await inbox.send(2, through: lane)
      sent.add()
      return outcome
    }()
    await eventually { inbox.counts(lane).inFlight == 2 }
    #expect(sent.value == 0)
    #expect(await inbox.receive() == 1)
    #expect(await waiting == .accepted)
    #expect(await inbox.receive() == 2)
  }

  @Test("releases senders and the receiver when it is aborted, and counts what it drops")
  func abort() async throws {
    let inbox = Inbox<Int>(stage: "taker")
    let lane = try #require(inbox.addLane(capacity: 1, policy: .suspend))
    _ = await inbox.send(1, through: lane)
    async let waiting = inbox.send(2, through: lane)
    await eventually { inbox.counts(lane).inFlight == 2 }
    inbox.abort()
    #expect(await waiting == .closed)
    #expect(await inbox.receive() == nil)
    #expect(await inbox.send(3, through: lane) == .closed)
    let counts = inbox.counts(lane)
    #expect(counts.offered == 3)
    #expect(counts.discarded == 3)
    #expect(counts.inFlight == 0)
  }

  @Test("destroys dropped items outside its lock")
  func destruction() async throws {
    // An item that looks at its inbox when it dies would deadlock under the lock.
    final class Item: Sendable {
      let onEnd: @Sendable () -> Void
      init(_ onEnd: @escaping @Sendable () -> Void) { self.onEnd = onEnd }
      deinit { onEnd() }
    }
    let inbox = Inbox<Item>(stage: "taker")
    let lane = try #require(inbox.addLane(capacity: 1, policy: .dropOldest))
    let ended = Tally()
    for _ in 0..<5 {
      let item = Item { [weak inbox] in
        _ = inbox?.counts(lane)
        ended.add()
      }
      _ = await inbox.send(item, through: lane)
    }
    #expect(ended.value == 4)
    inbox.abort()
    #expect(ended.value == 5)
  }
}
