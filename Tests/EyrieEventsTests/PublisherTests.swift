import EyrieEvents
import Foundation
import Testing

@Suite(.timeLimit(.minutes(1))) struct PublisherTests {
  @Test(arguments: ["tcp://127.0.0.1:0", "tcp://localhost:*", "ipc://*", "inproc://events"])
  func eventsArriveAsTheyWereSent(endpoint: String) throws {
    let context = try ZeroMQContext()
    let publisher = try EventPublisher(endpoint, context: context)
    let subscriber = try EventSubscriber(publisher.endpoint, context: context)
    #expect(try publisher.waitForSubscriptions(1, timeout: .seconds(20)))
    var encoder = EventEncoder()
    for event in [try Sample.detections(), try Sample.stream(), try Sample.stats()] {
      let encoded = encoder.encode(event)
      #expect(try publisher.publish(encoded) == .queued)
      let message = try #require(try subscriber.receive(timeout: .seconds(20)))
      #expect(message.topic == event.topic)
      #expect(message.payload == encoded.payload)
      #expect(message.frameCount == 2)
      let received = try message.event()
      #expect(received.type == event.type)
      #expect(received.sequence == event.sequence)
    }
    #expect(publisher.published == 3)
    #expect(publisher.droppedAtHighWaterMark == 0)
    publisher.close()
    subscriber.close()
    try context.close()
  }
}
