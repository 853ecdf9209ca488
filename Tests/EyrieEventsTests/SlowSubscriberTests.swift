import EyrieEvents
import Foundation
import Testing

private let patience = Duration.seconds(30)

/// What happens when a subscriber cannot keep up, with real queues and real TCP buffers.
@Suite(.timeLimit(.minutes(10))) struct SlowSubscriberTests {
  private let payload = [UInt8](repeating: 0x20, count: 20_000)

  private func publisher(
    _ context: ZeroMQContext, _ endpoint: String = "tcp://127.0.0.1:0", highWaterMark: Int
  ) throws -> EventPublisher {
    var options = EventPublisher.Options()
    options.highWaterMark = highWaterMark
    options.linger = .milliseconds(100)
    return try EventPublisher(endpoint, options: options, context: context)
  }

  private func subscriber(_ endpoint: String, _ context: ZeroMQContext) throws -> EventSubscriber {
    var options = EventSubscriber.Options()
    options.highWaterMark = 10
    return try EventSubscriber(endpoint, options: options, context: context)
  }

  /// An event whose sequence number can be read back, of about 20 kB.
  private func event(_ sequence: UInt64) -> EncodedEvent {
    EncodedEvent(topic: "detections/cam1/", payload: Array("\(sequence)".utf8) + payload)
  }

  private func sequence(_ message: ReceivedMessage) throws -> UInt64 {
    let digits = String(decoding: message.payload.prefix { $0 != 0x20 }, as: UTF8.self)
    return try #require(UInt64(digits))
  }

  @Test(arguments: ["tcp://127.0.0.1:0", "ipc://\(Sample.path(".sock"))", "inproc://slow"])
  func whatOneSubscriberLosesIsCountedAndSeenAsGaps(endpoint: String) throws {
    let context = try ZeroMQContext()
    let publisher = try publisher(context, endpoint, highWaterMark: 10)
    let subscriber = try subscriber(publisher.endpoint, context)
    #expect(try publisher.waitForSubscriptions(1, timeout: patience))
    let source = try Sample.source()
    var sequencer = EventSequencer()
    var tracker = SequenceTracker()
    func take(_ message: ReceivedMessage) throws {
      _ = tracker.observe(.detections, from: source, runID: "a", sequence: try sequence(message))
    }
    // 200 MB that nobody reads; then again, with a reader ten times slower than the publisher.
    for _ in 0..<10_000 { try publisher.publish(event(sequencer.next(.detections, from: source))) }
    #expect(publisher.droppedAtHighWaterMark > 5000)
    for round in 0..<2000 {
      try publisher.publish(event(sequencer.next(.detections, from: source)))
      if round % 10 == 0 { try take(try #require(try subscriber.receive(timeout: patience))) }
    }
    // At last one event that gets through, so that the last gap shows, and all that is queued before it.
    var last = sequencer.next(.detections, from: source)
    while try publisher.publish(event(last)) != .queued {
      try take(try #require(try subscriber.receive(timeout: patience)))
      last = sequencer.next(.detections, from: source)
    }
    var received: ReceivedMessage
    repeat {
      received = try #require(try subscriber.receive(timeout: patience))
      try take(received)
    } while try sequence(received) < last
    #expect(publisher.published == tracker.received + publisher.droppedAtHighWaterMark)
    #expect(tracker.missed == UInt64(publisher.droppedAtHighWaterMark))
    #expect(tracker.repeated == 0)
    subscriber.close()
    publisher.close()
    try context.close()
  }

  @Test func aSlowSubscriberCostsAFastOneNothing() throws {
    let context = try ZeroMQContext()
    let publisher = try publisher(context, highWaterMark: 100)
    let slow = try ForeignPeer(publisher.endpoint, as: "SUB", receiveBuffer: 4096)
    try slow.send([[1]])
    let fast = try EventSubscriber(publisher.endpoint, context: context)
    #expect(try publisher.waitForSubscriptions(2, timeout: patience))
    for number in UInt64(0)..<3000 {
      try publisher.publish(event(number))
      let message = try #require(try fast.receive(timeout: patience))
      #expect(try sequence(message) == number)
    }
    #expect(publisher.droppedAtHighWaterMark > 0)
    withExtendedLifetime(slow) {}
  }

  @Test func closingWithUnsentEventsEndsWithinTheLingerTime() throws {
    let context = try ZeroMQContext()
    let publisher = try publisher(context, highWaterMark: 1000)
    let stuck = try ForeignPeer(publisher.endpoint, as: "SUB", receiveBuffer: 4096)
    try stuck.send([[1]])
    #expect(try publisher.waitForSubscriptions(1, timeout: patience))
    var number: UInt64 = 0
    while try publisher.publish(event(number)) == .queued { number += 1 }
    publisher.close()
    // Without a linger time this would wait for ever, and the time limit of the suite would end it.
    try context.close()
    withExtendedLifetime(stuck) {}
  }

  @Test func whatIsQueuedAtTheEndIsStillSent() throws {
    let sending = try ZeroMQContext()
    let receiving = try ZeroMQContext()
    let publisher = try EventPublisher("tcp://127.0.0.1:0", context: sending)
    let subscriber = try EventSubscriber(publisher.endpoint, context: receiving)
    #expect(try publisher.waitForSubscriptions(1, timeout: patience))
    for number in UInt64(0)..<100 { try publisher.publish(event(number)) }
    publisher.close()
    try sending.close()
    for number in UInt64(0)..<100 {
      #expect(try sequence(try #require(try subscriber.receive(timeout: patience))) == number)
    }
  }

  // In a process of its own: the memory of this one is also that of the tests that run beside.
  @Test func aSubscriberThatNeverReadsCostsBoundedMemory() async {
    await #expect(processExitsWith: .success) {
      let tests = SlowSubscriberTests()
      let context = try ZeroMQContext()
      let publisher = try tests.publisher(context, highWaterMark: 10)
      let subscriber = try tests.subscriber(publisher.endpoint, context)
      #expect(try publisher.waitForSubscriptions(1, timeout: patience))
      let before = residentBytes()
      // 200 MB.
      for number in UInt64(0)..<10_000 { try publisher.publish(tests.event(number)) }
      if let before, let after = residentBytes() { #expect(after - before < 20_000_000) }
      subscriber.close()
      publisher.close()
      try context.close()
    }
  }
}

/// The memory of this process that is in RAM, where the system tells.
private func residentBytes() -> Int? {
  guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
  return text.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * Int(getpagesize()) }
}
