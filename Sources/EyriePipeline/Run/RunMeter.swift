import Synchronization

/// The sources of a run, and what came of all of their frames together. Safe from any thread.
final class RunMeter: Sendable {
  /// In the order of the plan.
  let sources: [RunningSource]
  private let measured = Mutex(ResultMeasurements())

  init(_ sources: [RunningSource]) {
    self.sources = sources
  }

  /// Of all sources.
  var results: ResultMeasurements { measured.withLock { $0 } }

  func record(_ item: DetectedFrame, latency: Duration, at now: ContinuousClock.Instant) {
    measured.withLock { $0.record(item, latency: latency, at: now) }
  }
}
