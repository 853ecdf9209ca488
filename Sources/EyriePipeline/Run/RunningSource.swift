import EyrieEvents
import EyrieGraph
import EyrieMedia
import EyrieVision
import Synchronization

/// One source of a run: its name, and where its frames went. Every frame leads back to it, so each stage counts
/// without looking anything up. Safe from any thread.
///
/// Invariant at any moment: `decoded == inferred + predicted + lost before inference + in flight` for one detector.
final class RunningSource: Sendable {
  /// How a source came to its end.
  enum End: Sendable, Equatable {
    case ended(String)
    case failed(String)
  }

  struct Counts: Sendable {
    /// Frames that came out of the decoder.
    var decoded = 0
    /// Frames that went through a model.
    var inferred = 0
    /// Frames that the detector did not look at, since it looks at each Nth only.
    var predicted = 0
    /// Frames whose event was handed to every sink.
    var published = 0
    /// Frames that nobody wanted: those between each Nth, or beyond so many a second. Not among the decoded.
    var skipped = 0
    /// Frames that were not inferred: stage → reason → count.
    var lost: [String: [String: Int]] = [:]
    /// Frames that were inferred, but whose event was not made.
    var lostAfterInference: [String: [String: Int]] = [:]
    /// How often it was lost or could not be opened.
    var failures = 0
    /// The identities that trackers gave, from 1.
    var tracks = 0
    /// How often a tracker began anew.
    var trackResets = 0
    /// What became of crops: stage → counts.
    var crops: [String: CropCounts] = [:]
    /// Counts the connections that gave a frame, from 1.
    var session = 0
    /// The last failure, in words.
    var lastFailure: String?
    var warnings: [String] = []
    /// What the input is, once it has been opened.
    var description: MediaDescription?

    /// How often it came back after it had been lost.
    var reconnects: Int { max(0, session - 1) }
    /// All losses, as events carry them.
    var allLosses: [String: [String: Int]] {
      lost.merging(lostAfterInference) { $0.merging($1, uniquingKeysWith: +) }
    }
  }

  private struct State {
    var counts = Counts()
    var results = ResultMeasurements()
    /// Candidate boxes that were given up: detector → reason → count.
    var boxesDropped: [String: [String: Int]] = [:]
    /// Frames that some stage still holds.
    var outstanding = 0
    var end: End?
  }

  let id: SourceID
  /// For messages: without credentials.
  let input: MediaInput
  /// Whether frames come when they come, and not when they are asked for.
  let hasOwnPace: Bool
  private let state = Mutex(State())
  /// Given when the source has ended and no stage holds a frame of it any more.
  private let drained = StopSignal()

  init(_ id: SourceID, input: MediaInput, hasOwnPace: Bool = false) {
    self.id = id
    self.input = input
    self.hasOwnPace = hasOwnPace
  }

  var counts: Counts { state.withLock(\.counts) }
  var results: ResultMeasurements { state.withLock(\.results) }

  /// How it came to its end by itself; nil while it runs, or when it was stopped.
  var end: End? { state.withLock(\.end) }

  /// What is to be said of it when it is over: one bad frame is an incident, but a source of which every frame was
  /// bad has failed. nil for one that was stopped.
  var verdict: End? {
    state.withLock { state in
      if case .failed? = state.end { return state.end }
      guard state.counts.inferred == 0 else { return state.end }
      let reasons = state.counts.lost.filter { $0.key != "decode" }.values.flatMap(\.self)
        .filter { !Self.innocent.contains($0.key) }
      let failed = reasons.reduce(0) { $0 + $1.value }
      guard failed > 0 else { return state.end }
      let names = Set(reasons.map(\.key)).sorted().joined(separator: ", ")
      return .failed("\(input): not one of \(failed) frames could be processed (\(names))")
    }
  }

  /// Losses that say nothing against the frame.
  private static let innocent: Set = [LossReason.queueFull, LossReason.shutdown, LossReason.fatal]

  /// Whether the end of the run took frames of it, so that only the run can say how it ended.
  var wasCutShort: Bool {
    var losses = DropCounts()
    readLosses(into: &losses)
    return losses.entries.contains { [LossReason.shutdown, LossReason.fatal].contains($0.reason) }
  }

  func update<Value: Sendable>(_ change: (inout Counts) -> Value) -> Value {
    state.withLock { change(&$0.counts) }
  }

  /// Frames that were lost, boxes that a detector gave up and crops without a result, by stage and reason.
  /// - Parameter losses: takes them in place of what it holds. It is asked for with each event.
  func readLosses(into losses: inout DropCounts) {
    losses.removeAll()
    state.withLock { state in
      losses.add(state.counts.lost)
      losses.add(state.counts.lostAfterInference)
      losses.add(state.boxesDropped)
      for (stage, counts) in state.counts.crops {
        for (reason, count) in counts.dropped { losses.add(count, stage: stage, reason: "crops_" + reason) }
      }
    }
  }

  func record(_ item: DetectedFrame, latency: Duration, at now: ContinuousClock.Instant) {
    state.withLock { state in
      state.counts.published += 1
      state.results.record(item, latency: latency, at: now)
      item.drops.forEachReason { _, name, count in
        state.boxesDropped[item.detector.name, default: [:]][name, default: 0] += count
      }
    }
  }

  /// The source gave its last frame.
  func finish(_ end: End) {
    let isDrained = state.withLock { state in
      state.end = state.end ?? end
      return state.outstanding == 0
    }
    if isDrained { drained.request() }
  }

  /// Waits until the source has ended and everything that came of it has left the run, or for cancellation.
  func waitUntilDrained() async { await drained.wait() }

  fileprivate func holdFrame() {
    state.withLock { $0.outstanding += 1 }
  }

  fileprivate func releaseFrame() {
    let isDrained = state.withLock { state in
      state.outstanding -= 1
      return state.outstanding == 0 && state.end != nil
    }
    if isDrained { drained.request() }
  }
}

/// A decoded frame on its way through the graph. Its source knows when the last stage has let go of it.
final class SourceFrame: Sendable {
  /// The source it comes from.
  let source: RunningSource
  let frame: VideoFrame
  /// The moment that latency is measured from: when the packet arrived (of a file, not before the run began)
  /// or, for a paced file, when the frame was due.
  let arrival: ContinuousClock.Instant
  /// Counts the connections to the source, from 1.
  let session: Int

  /// The number of the frame in its source, from 0, going on over loops.
  var index: Int { frame.index }

  init(
    _ frame: VideoFrame, from source: RunningSource, arrival: ContinuousClock.Instant, session: Int = 1
  ) {
    self.source = source
    self.frame = frame
    self.arrival = arrival
    self.session = session
    source.holdFrame()
  }

  deinit { source.releaseFrame() }
}
