import EyrieEvents
import Foundation
import Testing

private let patience = Duration.seconds(30)

/// A subscriber must survive whatever it is sent.
@Suite(.timeLimit(.minutes(10))) struct ForeignPublisherTests {
  @Test func messagesThatAreNoEventsAreReportedOneByOne() throws {
    let context = try ZeroMQContext()
    var options = EventSubscriber.Options()
    options.role = .bind
    let subscriber = try EventSubscriber("tcp://127.0.0.1:0", options: options, context: context)
    let peer = try ForeignPeer(subscriber.endpoint, as: "PUB")
    try awaitSubscription(of: subscriber, at: peer)
    var encoder = EventEncoder()
    let good = encoder.encode(try Sample.detections()).payload
    let topic = Array("detections/cam1/".utf8)
    let messages: [[[UInt8]]] = [
      [topic], [[]], [topic, []], [topic, [0xff, 0xfe]], [topic, good, good], [[0xc3, 0x28], good],
      [Array("detections/cam2/".utf8), good], [topic, Array(good.dropLast())], [topic, Array("null".utf8)],
      [topic, Array("[]".utf8)], [topic, Array("{\"schema\":\"eyrie.event/1\"}".utf8)],
      [topic, Array(repeating: UInt8(ascii: "["), count: 300_000)],
    ]
    for message in messages { try peer.send(message) }
    try peer.send([topic, good])
    for expected in messages {
      let message = try #require(try subscriber.receive(timeout: patience))
      #expect(message.frameCount == expected.count)
      let error = #expect(throws: EventError.self) { try message.event() }
      #expect(error?.code == .malformedEvent)
      #expect(error?.description.contains("\n") == false)
    }
    // And the good one after all that is still read.
    let message = try #require(try subscriber.receive(timeout: patience))
    #expect(try message.event().source.value == "cam1")
  }

  /// libzmq sends the subscriptions of a socket that binds from within calls on that socket.
  private func awaitSubscription(of subscriber: EventSubscriber, at peer: ForeignPeer) throws {
    while !peer.hasInput { #expect(try subscriber.receive(timeout: .milliseconds(5)) == nil) }
    try peer.readFrame()
  }

  @Test func aFrameThatIsTooLongIsNotTakenIn() throws {
    let context = try ZeroMQContext()
    var options = EventSubscriber.Options()
    options.role = .bind
    options.maximumMessageBytes = 1000
    let subscriber = try EventSubscriber("tcp://127.0.0.1:0", options: options, context: context)
    let flood = try ForeignPeer(subscriber.endpoint, as: "PUB")
    try awaitSubscription(of: subscriber, at: flood)
    try flood.send([Array("stats/a/".utf8), Array(repeating: 0, count: 1001)])
    // libzmq hangs up.
    #expect(throws: ForeignPeer.Failure.self) { while true { try flood.readFrame() } }
    let honest = try ForeignPeer(subscriber.endpoint, as: "PUB")
    try awaitSubscription(of: subscriber, at: honest)
    try honest.send([Array("stats/a/".utf8), [1]])
    #expect(try subscriber.receive(timeout: patience)?.payload == [1])
  }

  @Test func subscriptionsOfAForeignPeerAreServed() throws {
    let context = try ZeroMQContext()
    let publisher = try EventPublisher("tcp://127.0.0.1:0", context: context)
    let peer = try ForeignPeer(publisher.endpoint, as: "SUB")
    // A message that is no subscription, one that cancels what was never asked for, and a real one.
    try peer.send([[7, 7]])
    try peer.send([[0] + Array("nothing".utf8)])
    try peer.send([[1] + Array("stats/".utf8)])
    #expect(try publisher.waitForSubscriptions(1, timeout: patience))
    try publisher.publish(EncodedEvent(topic: "stream/a/", payload: [1]))
    try publisher.publish(EncodedEvent(topic: "stats/a/", payload: [2]))
    #expect(try peer.readFrame() == Array("stats/a/".utf8))
    #expect(try peer.readFrame() == [2])
  }
}
