import CZeroMQ
import Foundation

/// Publishes encoded events to any number of ZeroMQ subscribers, without ever waiting for one.
///
/// A message has two frames: topic and payload. The socket is an XPUB, which speaks to SUB sockets
/// and, unlike PUB, sees their subscriptions. Each subscriber has a queue of `highWaterMark` events;
/// when it is full, that subscriber loses the event, the others do not.
///
/// Not thread-safe: one owner at a time. All calls but `waitForSubscriptions` return at once.
public final class EventPublisher {
  /// What a publisher can be told beyond its endpoint.
  public struct Options: Sendable, Equatable {
    /// Bind (the default) or connect, as to a broker.
    public var role = SocketRole.bind
    /// How many events wait for each slow subscriber; 1 or more. An event is about 200 bytes and 210
    /// more for each detection, and another 9 for each number of an embedding.
    public var highWaterMark = 1000
    /// How long `ZeroMQContext.close` waits at most for events that are still queued; 0 to 2 s.
    public var linger = Duration.seconds(2)

    /// The defaults.
    public init() {}
  }

  /// What became of an event.
  public enum Outcome: Sendable, Hashable {
    /// libzmq took it for every subscriber that it knows to have room; for none, if there is none.
    case queued
    /// The queue of at least one subscriber was full, and that one did not get the event.
    case highWaterMark
  }

  /// Events handed to `publish` so far, whatever became of them.
  public private(set) var published = 0

  /// Events with the outcome `highWaterMark`.
  ///
  /// Exact while one subscription matches the topic: then published = received + this. With more, it
  /// is the least number: libzmq passes over a full queue in silence until that subscriber has read
  /// half of it. Each subscriber counts its own loss exactly, by the gaps in `sequence`.
  public private(set) var droppedAtHighWaterMark = 0

  /// The endpoint, with the address and port that were chosen for `*` and port 0.
  public let endpoint: String
  /// Ends `waitForSubscriptions` from another thread.
  public let interrupter: Interrupter

  private let socket: ZeroMQSocket
  private var subscriptions = SubscriptionTable()

  /// Opens the socket and binds (or connects) it.
  ///
  /// - Parameters:
  ///   - endpoint: `tcp://ADDRESS:PORT`, where the address is one of this machine, an interface, or `*`
  ///     for all, and the port may be 0 or `*` for a free one; `ipc://PATH`; or `inproc://NAME`.
  ///   - context: shared by the sockets of a process.
  /// - Throws: `EventError`: `malformed`, `unknownTransport`, `endpointInUse`, `notFound`,
  ///   `permissionDenied`, `wrongFileKind` or `system`.
  public init(_ endpoint: String, options: Options = Options(), context: ZeroMQContext) throws(EventError) {
    guard (1...Int(Int32.max)).contains(options.highWaterMark) else {
      throw EventError(.malformed, "the high-water mark is \(options.highWaterMark); it must be 1 or more")
    }
    guard (.zero ... .seconds(2)).contains(options.linger) else {
      throw EventError(.malformed, "the linger time is \(options.linger); it must be 0 to 2 s")
    }
    let checked = try Endpoint(endpoint, for: options.role)
    interrupter = try Interrupter()
    socket = try ZeroMQSocket(ZMQ_XPUB, context: context, name: "the publisher at \(checked.shown)")
    // Subscribers send nothing but topic prefixes.
    try socket.setCommonOptions(linger: options.linger, maximumMessageSize: 16_384, for: checked)
    // Has to precede bind: queues get the mark that holds when their peer arrives.
    try socket.set(ZMQ_SNDHWM, Int32(options.highWaterMark))
    try socket.set(ZMQ_XPUB_VERBOSER, 1 as Int32)
    try socket.set(ZMQ_XPUB_NODROP, 1 as Int32)
    self.endpoint = try socket.attach(to: checked, options.role)
  }

  /// How many subscriptions there are now: one for each topic filter of each subscriber.
  public var subscriptionCount: Int {
    get throws(EventError) {
      try readSubscriptions()
      return subscriptions.count
    }
  }

  /// Waits until there are at least `count` subscriptions, so that no event is sent before its
  /// subscriber can get it.
  /// - Returns: whether there are; `false` after the timeout (`nil`: none) or an interruption.
  public func waitForSubscriptions(_ count: Int, timeout: Duration? = nil) throws(EventError) -> Bool {
    let deadline = timeout.map { ContinuousClock.now.advanced(by: $0) }
    while try subscriptionCount < count {
      guard case .ready = try socket.waitForInput(until: deadline, interrupter) else { return false }
    }
    return true
  }

  /// Sends an event to the subscribers of its topic.
  /// - Throws: `EventError` (`closed`, `system`).
  @discardableResult
  public func publish(_ event: EncodedEvent) throws(EventError) -> Outcome {
    try readSubscriptions()
    // Refused (NODROP) if a matching subscriber has no room, before anyone has got it.
    let sent = try send(event)
    published += 1
    guard !sent else { return .queued }
    droppedAtHighWaterMark += 1
    // A lossy second try makes libzmq pass over the full queue without a word until half of it was
    // read. So it is made only if there is anyone else to serve; otherwise the count stays exact.
    guard subscriptions.countMatching(event.topic) > 1 else { return .highWaterMark }
    try socket.set(ZMQ_XPUB_NODROP, 0 as Int32)
    _ = try send(event)
    try socket.set(ZMQ_XPUB_NODROP, 1 as Int32)
    return .highWaterMark
  }

  /// Closes the socket; what is queued is sent until the linger time is over (see
  /// `ZeroMQContext.close`). Returns at once. Does nothing the second time.
  public func close() { socket.close() }

  /// Sends both frames, or neither: a queue with room for the first counts whole messages, so it has
  /// room for the second.
  private func send(_ event: EncodedEvent) throws(EventError) -> Bool {
    var topic = event.topic
    let isSent = topic.withUTF8 { send(UnsafeRawBufferPointer($0), more: true) }
    guard try isSent.get() else { return false }
    guard try event.payload.withUnsafeBytes({ send($0, more: false) }).get() else {
      throw EventError(.system, "the publisher at \(endpoint) took half a message; this is a defect")
    }
    return true
  }

  private func send(_ frame: UnsafeRawBufferPointer, more: Bool) -> Result<Bool, EventError> {
    Result { () throws(EventError) in try socket.send(frame, more: more) }
  }

  /// Takes in what subscribers have sent since the last call. Bounded, so that a peer that sends
  /// nothing but subscriptions cannot keep the publisher from its work.
  private func readSubscriptions() throws(EventError) {
    for _ in 0..<1000 {
      let message = try socket.receive { bytes, _ in Array(bytes) }
      guard let message else { return }
      subscriptions.apply(message)
    }
  }
}

/// The subscriptions that an XPUB socket has reported, with their multiplicity.
struct SubscriptionTable {
  private(set) var count = 0
  private var prefixes: [ArraySlice<UInt8>: Int] = [:]

  /// A message from a subscriber: 1 (subscribe) or 0 (cancel), then the prefix. Anything else is
  /// none of ours.
  mutating func apply(_ message: [UInt8]) {
    let prefix = message.dropFirst()
    switch message.first {
    case 1:
      prefixes[prefix, default: 0] += 1
      count += 1
    case 0:
      guard let old = prefixes[prefix] else { return }
      prefixes[prefix] = old > 1 ? old - 1 : nil
      count -= 1
    default: return
    }
  }

  /// How many subscriptions match a topic.
  func countMatching(_ topic: String) -> Int {
    let bytes = Array(topic.utf8)
    return (0...bytes.count).reduce(0) { $0 + (prefixes[bytes[..<$1]] ?? 0) }
  }
}
