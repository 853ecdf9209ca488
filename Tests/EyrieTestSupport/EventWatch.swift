public import EyrieEvents

/// Receives the events of a run while it works, and keeps them. It blocks: use it on a thread of its own.
public final class EventWatch {
  /// All events so far, in order.
  public private(set) var events: [Event] = []
  private let context: ZeroMQContext
  private let subscriber: EventSubscriber

  /// Only a failure takes that long.
  private static let patience = Duration.seconds(60)

  /// What was waited for did not come.
  public struct Missing: Error, CustomStringConvertible {
    /// What, and what came instead.
    public let description: String
  }

  /// Subscribes; the publisher need not be there yet.
  public init(endpoint: String) throws {
    context = try ZeroMQContext()
    subscriber = try EventSubscriber(endpoint, context: context)
  }

  /// Ends the subscription.
  public func close() throws {
    subscriber.close()
    try context.close()
  }

  /// Waits for a change of the source's state.
  public func waitFor(_ state: StreamState) throws -> StreamEvent {
    while true {
      if case .stream(let event) = try next(of: "stream \(state)"), event.state == state { return event }
    }
  }

  /// Waits for the detections of so many frames more.
  public func waitForDetections(_ count: Int = 1) throws {
    var left = count
    while left > 0 {
      if case .detections = try next(of: "detections") { left -= 1 }
    }
  }

  /// Waits for a heartbeat.
  public func waitForStats() throws {
    while true {
      if case .stats = try next(of: "stats") { return }
    }
  }

  /// Waits for a second, from one heartbeat to the next, without detections.
  public func waitForSilence() throws {
    try waitForStats()
    var isSilent = false
    while !isSilent {
      let before = events.count
      try waitForStats()
      isSilent = !events[before...].contains { if case .detections = $0 { true } else { false } }
    }
  }

  private func next(of wanted: String) throws -> Event {
    guard let message = try subscriber.receive(timeout: Self.patience) else {
      throw Missing(description: "no \(wanted) came; the last of \(events.count) events: \(events.suffix(2))")
    }
    let event = try message.event()
    events.append(event)
    return event
  }
}
