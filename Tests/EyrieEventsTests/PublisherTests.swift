import EyrieEvents
import Foundation
import Testing

/// How long a test waits for what has to happen; only a failure takes that long.
private let patience = Duration.seconds(30)

@Suite(.timeLimit(.minutes(10))) struct PublisherTests {
  @Test(arguments: [
    "tcp://127.0.0.1:0", "tcp://localhost:*", "tcp://*:*", "ipc://\(Sample.path(".sock"))", "inproc://events",
  ])
  func eventsArriveAsTheyWereSent(endpoint: String) throws {
    let context = try ZeroMQContext()
    let publisher = try EventPublisher(endpoint, context: context)
    let subscriber = try EventSubscriber(publisher.endpoint, context: context)
    #expect(try publisher.waitForSubscriptions(1, timeout: patience))
    var encoder = EventEncoder()
    for event in [try Sample.detections(), try Sample.stream(), try Sample.stats()] {
      let encoded = encoder.encode(event)
      #expect(try publisher.publish(encoded) == .queued)
      let message = try #require(try subscriber.receive(timeout: patience))
      #expect(message.topic == event.topic)
      #expect(message.payload == encoded.payload)
      #expect(message.frameCount == 2)
      #expect(try message.event().topic == event.topic)
    }
    #expect(publisher.published == 3)
    #expect(publisher.droppedAtHighWaterMark == 0)
    publisher.close()
    subscriber.close()
    try context.close()
  }

  @Test func aPathIsBoundAndItsFileIsGoneAfterwards() throws {
    let path = Sample.path(" ü.sock")
    let context = try ZeroMQContext()
    let publisher = try EventPublisher("ipc://\(path)", context: context)
    let subscriber = try EventSubscriber("ipc://\(path)", context: context)
    #expect(try publisher.waitForSubscriptions(1, timeout: patience))
    subscriber.close()
    publisher.close()
    try context.close()
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func anIPv6Endpoint() throws {
    let context = try ZeroMQContext()
    let publisher: EventPublisher
    do {
      publisher = try EventPublisher("tcp://[::1]:0", context: context)
    } catch  where error.code == .notFound {
      return  // This machine has no IPv6.
    }
    let subscriber = try EventSubscriber(publisher.endpoint, context: context)
    #expect(try publisher.waitForSubscriptions(1, timeout: patience))
    subscriber.close()
  }

  @Test func aTopicMatchesOneSourceOnly() throws {
    let context = try ZeroMQContext()
    let publisher = try EventPublisher("tcp://127.0.0.1:0", context: context)
    let topics = [try TopicFilter(parsing: "detections/cam1"), try TopicFilter(parsing: "stats")]
    let subscriber = try EventSubscriber(publisher.endpoint, topics: topics, context: context)
    #expect(try publisher.waitForSubscriptions(2, timeout: patience))
    var encoder = EventEncoder()
    let sent = [
      try Sample.detections("cam10"), try Sample.detections("cam1/a"), try Sample.stream("cam1"),
      try Sample.detections("cam1"), try Sample.stats("cam10"),
    ]
    for event in sent { try publisher.publish(encoder.encode(event)) }
    let received = try (0..<2).map { _ in try subscriber.receive(timeout: patience)?.topic }
    #expect(received == ["detections/cam1/", "stats/cam10/"])
    // The last event sent has arrived, so nothing else is on its way.
    #expect(try subscriber.receive(timeout: .zero) == nil)
  }

  @Test func subscriptionsAreCountedAndUncounted() throws {
    let context = try ZeroMQContext()
    let publisher = try EventPublisher("tcp://127.0.0.1:0", context: context)
    #expect(try !publisher.waitForSubscriptions(1, timeout: .zero))
    let first = try EventSubscriber(publisher.endpoint, context: context)
    let second = try EventSubscriber(
      publisher.endpoint, topics: [.all, TopicFilter(.stats)], context: context)
    #expect(try publisher.waitForSubscriptions(3, timeout: patience))
    second.close()
    while try publisher.subscriptionCount > 1 {
      try publisher.publish(EncodedEvent(topic: "x/", payload: []))
    }
    #expect(try publisher.subscriptionCount == 1)
    first.close()
  }

  @Test func aPublisherMayConnectToASubscriberThatBinds() throws {
    let context = try ZeroMQContext()
    var bind = EventSubscriber.Options()
    bind.role = .bind
    let subscriber = try EventSubscriber("tcp://127.0.0.1:*", options: bind, context: context)
    var connect = EventPublisher.Options()
    connect.role = .connect
    let publisher = try EventPublisher(subscriber.endpoint, options: connect, context: context)
    // libzmq sends the subscriptions of a socket that binds from within calls on that socket.
    while try publisher.subscriptionCount < 1 {
      #expect(try subscriber.receive(timeout: .milliseconds(5)) == nil)
    }
    try publisher.publish(EncodedEvent(topic: "stats/a/", payload: [1]))
    #expect(try subscriber.receive(timeout: patience)?.payload == [1])
  }

  @Test func aClosedPublisherSaysSo() throws {
    let context = try ZeroMQContext()
    let publisher = try EventPublisher("inproc://closed", context: context)
    #expect(throws: EventError.self) { try context.close() }
    publisher.close()
    publisher.close()
    let error = #expect(throws: EventError.self) {
      try publisher.publish(EncodedEvent(topic: "stats/a/", payload: []))
    }
    #expect(error?.code == .closed)
    try context.close()
    try context.close()
    let late = #expect(throws: EventError.self) { try EventPublisher("inproc://closed", context: context) }
    #expect(late?.code == .closed)
  }

  @Test func waitingEndsFromAnotherThread() throws {
    let context = try ZeroMQContext()
    let publisher = try EventPublisher("tcp://127.0.0.1:0", context: context)
    let subscriber = try EventSubscriber(publisher.endpoint, topics: [], context: context)
    let interrupters = [publisher.interrupter, subscriber.interrupter]
    Thread.detachNewThread { for interrupter in interrupters { interrupter.interrupt() } }
    #expect(try !publisher.waitForSubscriptions(1))
    #expect(try subscriber.receive() == nil)
    #expect(subscriber.interrupter.isInterrupted)
    // For good, and harmless twice.
    subscriber.interrupter.interrupt()
    #expect(try subscriber.receive() == nil)
  }

  @Test func optionsOutOfRangeAreRefused() throws {
    let context = try ZeroMQContext()
    for mark in [0, -1, Int.max] {
      var options = EventPublisher.Options()
      options.highWaterMark = mark
      let error = #expect(throws: EventError.self) {
        try EventPublisher("inproc://o", options: options, context: context)
      }
      #expect(error?.code == .malformed)
    }
    for linger in [Duration.seconds(3), .seconds(-1)] {
      var options = EventPublisher.Options()
      options.linger = linger
      #expect(throws: EventError.self) {
        try EventPublisher("inproc://o", options: options, context: context)
      }
    }
  }
}
