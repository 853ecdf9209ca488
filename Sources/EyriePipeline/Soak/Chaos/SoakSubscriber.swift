import EyrieEvents
import EyrieGraph
import Foundation
import Synchronization

/// A real subscriber to one endpoint of a run, which can be told to stop reading for a while.
final class SoakSubscriber: Sendable {
  /// What the sequence numbers of one topic say.
  private struct Topic {
    let first: UInt64
    var last: UInt64
    var received = 0
  }

  private struct State {
    var topics: [String: Topic] = [:]
    var malformed = 0
    var failure: String?
    var stalledUntil: ContinuousClock.Instant?
    var isOver = false
  }

  /// A kilobyte or so each: a subscriber that stalls soon makes its publisher keep events.
  private static let highWaterMark = 100
  /// When nothing has come for so long after the end of the run, nothing more will.
  private static let silence = Duration.milliseconds(500)

  private let endpoint: RunOutlets.OpenEndpoint
  private let state = Mutex(State())

  init(_ endpoint: RunOutlets.OpenEndpoint) {
    self.endpoint = endpoint
  }

  var address: String { endpoint.address }

  /// Reads nothing for so long.
  func stall(for duration: Duration) {
    state.withLock { $0.stalledUntil = .now + duration }
  }

  /// Reads on. Before the publisher closes: libzmq gives up what a subscriber with a full queue has not read of a
  /// connection that is closed (seen over ipc with libzmq 4.3.4).
  func endStall() {
    state.withLock { $0.stalledUntil = nil }
  }

  /// Says that the publisher has closed: what is still under way is received, and then `run` returns.
  func finish() {
    state.withLock { $0.isOver = true }
  }

  /// Receives, on a thread of its own, until `finish`.
  func run() async {
    await withBlockingThread(named: "soak-subscribe") { self.receive() }
  }

  private func receive() {
    do throws(EventError) {
      let context = try ZeroMQContext()
      var options = EventSubscriber.Options()
      options.highWaterMark = Self.highWaterMark
      let subscriber = try EventSubscriber(endpoint.address, options: options, context: context)
      while true {
        if isStalled {
          Thread.sleep(forTimeInterval: 0.02)
        } else if let message = try subscriber.receive(
          timeout: Self.silence)
        {
          note(message)
        } else if state.withLock({ $0.isOver }) {
          break
        }
      }
      subscriber.close()
      try context.close()
    } catch {
      state.withLock { $0.failure = "\(error)" }
    }
  }

  private var isStalled: Bool {
    state.withLock { state in
      !state.isOver && state.stalledUntil.map { $0 > .now } ?? false
    }
  }

  private func note(_ message: ReceivedMessage) {
    let event = try? message.event()
    state.withLock { state in
      guard let event else { return state.malformed += 1 }
      var topic = state.topics[event.topic] ?? Topic(first: event.sequence, last: event.sequence)
      topic.last = max(topic.last, event.sequence)
      topic.received += 1
      state.topics[event.topic] = topic
    }
  }

  /// What came, beside what the publisher counted.
  func report() async -> ChaosReport.Subscriber {
    let counts = await endpoint.counts
    let published = counts.byType.values.reduce(0, +)
    return state.withLock { state in
      let topics = state.topics.values
      let received = topics.reduce(0) { $0 + $1.received }
      let before = topics.reduce(0) { $0 + Int(clamping: $1.first) }
      let spanned = topics.reduce(0) { $0 + Int(clamping: $1.last &- $1.first) + 1 }
      return ChaosReport.Subscriber(
        endpoint: endpoint.address, published: published, droppedByPublisher: counts.lost, received: received,
        beforeSubscription: before, lost: spanned - received, missingAtEnd: published - before - spanned,
        malformed: state.malformed, failure: state.failure)
    }
  }
}
