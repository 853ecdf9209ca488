import EyrieEvents
public import EyrieGraph
import Foundation

/// What `eyrie subscribe ENDPOINT` is asked to do.
public struct SubscribeOptions: Sendable {
  /// How events are printed.
  public enum Format: String, Sendable, CaseIterable {
    /// A readable line.
    case text
    /// The payload as it came, one a line.
    case json
  }

  /// Where the publisher is.
  public var endpoint: String
  /// What to receive: a type (`detections`), a type and a source (`detections/cam1`); empty is everything.
  public var topics: [String] = []
  /// Stop after this many events; nil for no limit.
  public var count: Int?
  /// Stop when nothing came for this many seconds; nil waits for ever.
  public var timeout: Double?
  /// How events are printed.
  public var format = Format.text
  /// Whether to stop when a source says that it ended or failed.
  public var untilEnd = false
  /// Where to write the counts as JSON; nil for nowhere.
  public var summary: String?

  /// Everything from one publisher, as text, without end.
  public init(endpoint: String) {
    self.endpoint = endpoint
  }
}

/// Receives events and prints them, and reports what was lost on the way.
public struct SubscribeRun: Sendable {
  /// What was received; written by `--summary`.
  public struct Counts: Sendable, Codable, Equatable {
    /// All events.
    public var received = 0
    /// Events by `type`.
    public var byType: [String: Int] = [:]
    /// Events that the sequence numbers say are missing.
    public var lost = 0
    /// How often some were missing.
    public var gaps = 0
    /// Messages that are no Eyrie events.
    public var malformed = 0
  }

  private let options: SubscribeOptions

  /// - Parameter options: what to do.
  public init(_ options: SubscribeOptions) {
    self.options = options
  }

  /// Receives until a limit of the options is reached or the stop is requested.
  /// - Parameters:
  ///   - stop: ends it from any thread.
  ///   - print: takes each event as a line; returns false when nobody reads any more, which ends the run.
  ///   - log: takes lines about gaps and malformed messages.
  /// - Throws: `EyrieFailure`: a wrong endpoint or topic, fewer events than `count` within `timeout`.
  public func run(
    stop: StopSignal, print: @escaping @Sendable (String) -> Bool, log: @escaping @Sendable (String) -> Void
  ) async throws(EyrieFailure) -> Counts {
    if let count = options.count, count < 1 {
      throw EyrieFailure(.usage, "--count \(count): must be at least 1")
    }
    if let timeout = options.timeout, !(timeout > 0 && timeout < 1e9) {
      throw EyrieFailure(.usage, "--timeout \(timeout): must be a positive number of seconds")
    }
    // Receiving blocks, and a socket belongs to one thread.
    let counts = try await withBlockingThread(named: "subscribe") { () throws(EyrieFailure) in
      try receive(stop: stop, print: print, log: log)
    }
    if let path = options.summary { try write(counts, to: path) }
    if let wanted = options.count, counts.received < wanted, !stop.isRequested {
      throw EyrieFailure(
        .run,
        "\(options.endpoint): \(counts.received) of \(wanted) events came before \(options.timeout ?? 0) s of silence"
      )
    }
    if counts.received == 0, let timeout = options.timeout, !stop.isRequested {
      throw EyrieFailure(
        .run, "\(options.endpoint): no event within \(timeout) s; is a publisher running there?")
    }
    return counts
  }

  private func receive(
    stop: StopSignal, print: (String) -> Bool, log: (String) -> Void
  ) throws(EyrieFailure) -> Counts {
    var counts = Counts()
    do throws(EventError) {
      let context = try ZeroMQContext()
      let subscriber = try EventSubscriber(options.endpoint, topics: try filters(), context: context)
      stop.onRequest { [interrupter = subscriber.interrupter] in interrupter.interrupt() }
      var tracker = SequenceTracker()
      let timeout = options.timeout.map { Duration.seconds($0) }
      while counts.received < options.count ?? .max, let message = try subscriber.receive(timeout: timeout) {
        guard take(message, &counts, &tracker, print: print, log: log) else { break }
      }
      subscriber.close()
      try context.close()
    } catch {
      throw EyrieFailure(
        error.code == .malformed || error.code == .unknownTransport ? .usage : .run, "\(error)")
    }
    return counts
  }

  /// - Returns: false when this was the last message to take.
  private func take(
    _ message: ReceivedMessage, _ counts: inout Counts, _ tracker: inout SequenceTracker,
    print: (String) -> Bool, log: (String) -> Void
  ) -> Bool {
    let event: Event
    do throws(EventError) {
      event = try message.event()
    } catch {
      counts.malformed += 1
      log("\(error)")
      return true
    }
    counts.received += 1
    counts.byType[event.type.rawValue, default: 0] += 1
    switch tracker.observe(event) {
    case .gap(let missing):
      counts.gaps += 1
      counts.lost = Int(clamping: tracker.missed)
      log("gap: \(missing) events of \(event.topic) are missing before sequence \(event.sequence)")
    case .restart: log("\(event.topic): the publisher was started anew")
    case .duplicate, .outOfOrder: log("\(event.topic): sequence \(event.sequence) came again or out of order")
    case .first, .next: break
    }
    let line: String
    switch options.format {
    case .text: line = EventText.line(event)
    case .json: line = String(decoding: message.payload, as: UTF8.self)
    }
    guard print(line) else { return false }
    if options.untilEnd, case .stream(let change) = event, change.state == .ended || change.state == .failed {
      return false
    }
    return true
  }

  private func filters() throws(EventError) -> [TopicFilter] {
    var filters: [TopicFilter] = []
    for topic in options.topics { filters.append(try TopicFilter(parsing: topic)) }
    return filters.isEmpty ? [.all] : filters
  }

  private func write(_ counts: Counts, to path: String) throws(EyrieFailure) {
    try JSONFile.write(counts, to: path, option: "--summary")
  }
}
