import CZeroMQ
import Foundation

/// One message as it came off the wire, from whomever.
public struct ReceivedMessage: Sendable, Equatable {
  /// The first frame; bytes that are not UTF-8 are replaced.
  public let topic: String
  /// The second frame; empty if there was none.
  public let payload: [UInt8]
  /// How many frames the message had. An Eyrie event has 2.
  public let frameCount: Int

  /// The event in the payload.
  /// - Throws: `EventError` (`malformedEvent`) if the message is no Eyrie event, or comes under a topic
  ///   that is not its own.
  public func event(_ decoder: EventDecoder = EventDecoder()) throws(EventError) -> Event {
    let shown = topic.prefix(80)
    guard frameCount == 2 else {
      throw EventError(
        .malformedEvent, "the message under topic \"\(shown)\" has \(frameCount) frames; an event has 2")
    }
    let event = try decoder.decode(payload)
    guard event.topic == topic else {
      throw EventError(.malformedEvent, "an event of topic \"\(event.topic)\" came under topic \"\(shown)\"")
    }
    return event
  }
}

/// Receives events from ZeroMQ publishers.
///
/// Not thread-safe: one owner at a time; only `interrupter` may be used from elsewhere.
public final class EventSubscriber {
  /// What a subscriber can be told beyond its endpoint.
  public struct Options: Sendable, Equatable {
    /// Connect (the default) or bind, for publishers that connect.
    public var role = SocketRole.connect
    /// How many events are kept here before the publisher has to keep them; 1 or more.
    public var highWaterMark = 1000
    /// A publisher that sends a longer frame is disconnected.
    public var maximumMessageBytes = 16 * 1024 * 1024

    /// The defaults.
    public init() {}
  }

  /// The endpoint, with the address and port that were chosen if it is bound.
  public let endpoint: String
  /// Ends `receive` from another thread.
  public let interrupter: Interrupter

  private let socket: ZeroMQSocket

  /// Opens the socket, subscribes, and connects (or binds) it. The publisher need not be there yet.
  ///
  /// - Parameters:
  ///   - endpoint: `tcp://HOST:PORT`, `ipc://PATH` or `inproc://NAME`.
  ///   - topics: what to receive; a message that matches several comes once.
  ///   - context: shared by the sockets of a process.
  /// - Throws: `EventError`: `malformed`, `unknownTransport` or `system`, and what binding can throw.
  public init(
    _ endpoint: String, topics: [TopicFilter] = [.all], options: Options = Options(), context: ZeroMQContext
  ) throws(EventError) {
    guard (1...Int(Int32.max)).contains(options.highWaterMark), options.maximumMessageBytes > 0 else {
      throw EventError(
        .malformed,
        "the high-water mark (\(options.highWaterMark)) and the largest message "
          + "(\(options.maximumMessageBytes) bytes) must be 1 or more")
    }
    let checked = try Endpoint(endpoint, for: options.role)
    interrupter = try Interrupter()
    socket = try ZeroMQSocket(ZMQ_SUB, context: context, name: "the subscriber at \(checked.shown)")
    try socket.setCommonOptions(
      linger: .zero, maximumMessageSize: Int64(options.maximumMessageBytes), for: checked)
    try socket.set(ZMQ_RCVHWM, Int32(options.highWaterMark))
    for topic in Set(topics) { try socket.set(ZMQ_SUBSCRIBE, topic.prefix) }
    self.endpoint = try socket.attach(to: checked, options.role)
  }

  /// Waits for the next message.
  /// - Returns: `nil` after the timeout (`nil`: none; zero: do not wait) or once interrupted; see
  ///   `interrupter.isInterrupted`.
  /// - Throws: `EventError` (`closed`, `system`).
  public func receive(timeout: Duration? = nil) throws(EventError) -> ReceivedMessage? {
    let deadline = timeout.map { ContinuousClock.now.advanced(by: $0) }
    while !interrupter.isInterrupted {
      if let message = try receiveNow() { return message }
      guard case .ready = try socket.waitForInput(until: deadline, interrupter) else { return nil }
    }
    return nil
  }

  /// Closes the socket at once; what was not received is lost. Does nothing the second time.
  public func close() { socket.close() }

  /// A whole message, since libzmq hands over its frames together.
  private func receiveNow() throws(EventError) -> ReceivedMessage? {
    let first = try socket.receive { bytes, more in (String(decoding: bytes, as: UTF8.self), more) }
    guard let first else { return nil }
    let topic = first.0
    var more = first.1
    var payload: [UInt8] = []
    var frameCount = 1
    while more {
      frameCount += 1
      let isPayload = frameCount == 2
      let frame = try socket.receive { bytes, more in (isPayload ? Array(bytes) : [], more) }
      guard let frame else { break }
      if isPayload { payload = frame.0 }
      more = frame.1
    }
    return ReceivedMessage(topic: topic, payload: payload, frameCount: frameCount)
  }
}
