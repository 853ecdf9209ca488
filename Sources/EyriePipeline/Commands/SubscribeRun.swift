import EyrieEvents
public import EyrieGraph
import Foundation

/// What `eyrie subscribe ENDPOINT` is asked to do.
public struct SubscribeOptions: Sendable {
  /// How events are printed.
  public enum Format: String, Sendable, CaseIterable {
    /// A readable line.
    case text
    /// The payload as it came, on one line.
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

  /// Why no more events are taken.
  private enum End {
    case counted
    case stopped
    case silence
    case sourceEnded
    case readerGone
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
  /// - Throws: `EyrieFailure`: a wrong endpoint or topic, no event within `timeout`, fewer events than
  ///   `count`, and what `print` throws.
  public func run(
    stop: StopSignal, print: @escaping @Sendable (String) throws(EyrieFailure) -> Bool,
    log: @escaping @Sendable (String) -> Void
  ) async throws(EyrieFailure) -> Counts {
    if let count = options.count, count < 1 {
      throw EyrieFailure(.usage, "--count \(count): must be at least 1")
    }
    if options.endpoint.hasPrefix("inproc:") {
      throw EyrieFailure(.usage, "\(options.endpoint): no other process can publish there; use tcp or ipc")
    }
    if let timeout = options.timeout, !(timeout > 0 && timeout < 1e9) {
      throw EyrieFailure(.usage, "--timeout \(timeout): must be a positive number of seconds")
    }
    // Receiving blocks, and a socket belongs to one thread.
    let (counts, end) = try await withBlockingThread(named: "subscribe") { () throws(EyrieFailure) in
      try receive(stop: stop, print: print, log: log)
    }
    if let path = options.summary { try JSONFile.write(counts, to: path, option: "--summary") }
    if let failure = failure(counts, end) { throw failure }
    return counts
  }

  /// What is wrong about the way it ended, if anything.
  private func failure(_ counts: Counts, _ end: End) -> EyrieFailure? {
    let wanted = options.count.map { "\(counts.received) of \($0) events" }
    switch end {
    case .counted, .readerGone: return nil
    case .stopped: return wanted.map { EyrieFailure(.stopped, "\(options.endpoint): stopped after \($0)") }
    case .sourceEnded:
      return wanted.map { EyrieFailure(.run, "\(options.endpoint): the source ended after \($0)") }
    case .silence:
      let seconds = options.timeout ?? 0
      if counts.received == 0 {
        let reason = "no event within \(seconds) s; is a publisher running there?"
        return EyrieFailure(.run, "\(options.endpoint): \(reason)")
      }
      return wanted.map {
        EyrieFailure(.run, "\(options.endpoint): \($0) came before \(seconds) s of silence")
      }
    }
  }

  private func receive(
    stop: StopSignal, print: (String) throws(EyrieFailure) -> Bool, log: (String) -> Void
  ) throws(EyrieFailure) -> (Counts, End) {
    var counts = Counts()
    var end: End?
    do {
      let context = try ZeroMQContext()
      let subscriber = try EventSubscriber(options.endpoint, topics: try filters(), context: context)
      stop.onRequest { [interrupter = subscriber.interrupter] in interrupter.interrupt() }
      var tracker = SequenceTracker()
      let timeout = options.timeout.map { Duration.seconds($0) }
      while end == nil {
        if counts.received >= options.count ?? .max {
          end = .counted
        } else if let message = try subscriber.receive(timeout: timeout) {
          end = try take(message, &counts, &tracker, print: print, log: log)
        } else {
          end = subscriber.interrupter.isInterrupted ? .stopped : .silence
        }
      }
      subscriber.close()
      try context.close()
    } catch let error as EventError {
      throw EyrieFailure(
        error.code == .malformed || error.code == .unknownTransport ? .usage : .run, "\(error)")
    } catch let failure as EyrieFailure {
      throw failure
    } catch {
      throw EyrieFailure(.run, "\(options.endpoint): \(error)")
    }
    return (counts, end ?? .stopped)
  }

  /// - Returns: why this was the last message to take; nil to go on.
  private func take(
    _ message: ReceivedMessage, _ counts: inout Counts, _ tracker: inout SequenceTracker,
    print: (String) throws(EyrieFailure) -> Bool, log: (String) -> Void
  ) throws(EyrieFailure) -> End? {
    let event: Event
    do throws(EventError) {
      event = try message.event()
    } catch {
      counts.malformed += 1
      if IncidentLog.isWorthALine(counts.malformed) {
        log("\(error)" + (counts.malformed > 1 ? " (\(counts.malformed) such messages by now)" : ""))
      }
      return nil
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
    case .json:
      // Line breaks can only stand between the parts of a JSON document, where a space will do.
      let breaks: Set<UInt8> = [UInt8(ascii: "\n"), UInt8(ascii: "\r")]
      line = String(decoding: message.payload.map { breaks.contains($0) ? 0x20 : $0 }, as: UTF8.self)
    }
    guard try print(line) else { return .readerGone }
    if options.untilEnd, case .stream(let change) = event, change.state == .ended || change.state == .failed {
      return .sourceEnded
    }
    return nil
  }

  private func filters() throws(EventError) -> [TopicFilter] {
    var filters: [TopicFilter] = []
    for topic in options.topics { filters.append(try TopicFilter(parsing: topic)) }
    return filters.isEmpty ? [.all] : filters
  }
}
