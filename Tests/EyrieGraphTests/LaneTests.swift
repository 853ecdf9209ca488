import EyrieTestTools
import Testing

@testable import EyrieGraph

@Suite("A lane")
struct LaneTests {
  @Test(
    "accounts for every item whatever is done to it",
    arguments: OverflowPolicy.allCases, [1, 2, 7])
  func balance(policy: OverflowPolicy, capacity: Int) {
    var generator = SplitMix64(seed: UInt64(capacity) &* 31 &+ UInt64(policy.rawValue.count))
    var lane = Lane<Int, Int>(capacity: capacity, policy: policy)
    var delivered: [Int] = []
    for number in 0..<2_000 {
      if Bool.random(using: &generator) {
        if case .mustWait(let item) = lane.offer(number) { lane.park(item, waiter: item) }
      } else if let taken = lane.take() {
        delivered.append(taken.element)
      }
      #expect(lane.offered == lane.delivered + lane.dropped + lane.inFlight)
      #expect(lane.depth <= capacity)
      #expect(lane.highWaterMark <= capacity)
    }
    #expect(delivered == delivered.sorted(), "items must not overtake one another")
    #expect(lane.delivered == delivered.count)
    if policy == .suspend { #expect(lane.dropped == 0) }
  }

  @Test("drops the oldest for the newest")
  func dropOldest() {
    var lane = Lane<Int, Int>(capacity: 2, policy: .dropOldest)
    _ = lane.offer(1)
    _ = lane.offer(2)
    guard case .storedDropping(1) = lane.offer(3) else {
      Issue.record("the oldest item must make room")
      return
    }
    #expect(lane.take()?.element == 2)
    #expect(lane.take()?.element == 3)
  }

  @Test("refuses the newest and keeps the queue")
  func dropNewest() {
    var lane = Lane<Int, Int>(capacity: 1, policy: .dropNewest)
    _ = lane.offer(1)
    guard case .refused(2) = lane.offer(2) else {
      Issue.record("the newest item must be refused")
      return
    }
    #expect(lane.take()?.element == 1)
  }

  @Test("admits senders that wait in their order")
  func admission() {
    var lane = Lane<String, Int>(capacity: 1, policy: .suspend)
    _ = lane.offer("a")
    lane.park("b", waiter: 1)
    lane.park("c", waiter: 2)
    #expect(lane.take()?.admitted == 1)
    #expect(lane.take()?.admitted == 2)
    let last = lane.take()
    #expect(last?.element == "c")
    #expect(last?.admitted == nil)
  }

  @Test("delivers what it holds after it was closed, and takes nothing more")
  func close() {
    var lane = Lane<Int, Int>(capacity: 2, policy: .suspend)
    _ = lane.offer(1)
    lane.close()
    guard case .closed(2) = lane.offer(2) else {
      Issue.record("a closed lane takes nothing")
      return
    }
    #expect(!lane.isFinished)
    #expect(lane.take()?.element == 1)
    #expect(lane.isFinished)
    #expect(lane.dropped == 1)
  }

  @Test("counts a capacity under one as one", arguments: [0, -5])
  func smallCapacity(capacity: Int) {
    var lane = Lane<Int, Int>(capacity: capacity, policy: .suspend)
    guard case .stored = lane.offer(1) else {
      Issue.record("one item must fit")
      return
    }
  }
}
