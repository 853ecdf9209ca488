import EyrieEvents
import Synchronization

/// The sources of a run, and what came of all of their frames together. Safe from any thread.
final class RunMeter: Sendable {
  private let state = Mutex((sources: [RunningSource](), results: ResultMeasurements()))

  init(_ sources: [RunningSource]) {
    state.withLock { $0.sources = sources }
  }

  /// In the order in which they were added.
  var sources: [RunningSource] { state.withLock(\.sources) }
  /// Of all sources.
  var results: ResultMeasurements { state.withLock(\.results) }

  func record(_ item: DetectedFrame, latency: Duration, at now: ContinuousClock.Instant) {
    state.withLock { $0.results.record(item, latency: latency, at: now) }
  }
}
