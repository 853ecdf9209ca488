/// Whether a source that fails is started again.
public enum RestartPolicy: Sendable, Equatable {
  /// It has failed for good. For files.
  case never
  /// It is started again after a growing pause, unless it gives up itself (`SourceStage.recovery`). For cameras.
  case restart(Backoff)
}

/// What follows when a source has failed for good.
public enum SourceFailurePolicy: Sendable, Equatable {
  /// The run ends with the source's error.
  case failRun
  /// The source ends alone: it is told as an incident under the reason `source_failed` and shows in the
  /// snapshot, and the run goes on with the others. A run whose sources have all failed so ends with their errors.
  case endSource
}

/// What a source makes of its own error.
public enum SourceRecovery: Sendable, Equatable {
  /// No attempt can be better: the source has failed for good.
  case giveUp
  /// The source is started again after a pause; the reason (`snake_case`) names the kind of trouble.
  case restart(Backoff, reason: String)
}

/// A source that is about to be started again.
public struct SourceRestart: Sendable {
  /// Why.
  public let error: any Error
  /// How often in a row, from 1.
  public let attempt: Int
  /// How long until then.
  public let pause: Duration
}

/// Exponential backoff with jitter: the n-th pause is uniform in floor…min(cap, initial·2ⁿ), so that many
/// clients of one server do not come back in step.
///
/// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
public struct Backoff: Sendable, Equatable {
  /// The longest first pause.
  public let initial: Duration
  /// The longest pause ever.
  public let cap: Duration
  /// The shortest pause; zero is full jitter.
  public let floor: Duration

  /// - Parameters:
  ///   - initial: the longest first pause.
  ///   - cap: the longest pause ever.
  ///   - floor: the shortest pause; a longer one than `initial` or `cap` counts as those.
  public init(
    initial: Duration = .milliseconds(500), cap: Duration = .seconds(30), floor: Duration = .zero
  ) {
    self.initial = initial
    self.cap = cap
    self.floor = min(floor, initial, cap)
  }

  /// The pause before an attempt.
  /// - Parameters:
  ///   - attempt: 0 for the first restart.
  ///   - generator: where the jitter comes from.
  public func pause(attempt: Int, using generator: inout some RandomNumberGenerator) -> Duration {
    // Beyond 2^30 the cap has long been reached; the bound keeps the shift in range.
    let ceiling = min(cap, initial * (1 << min(max(attempt, 0), 30)))
    return floor + (ceiling - floor) * Double.random(in: 0...1, using: &generator)
  }
}
