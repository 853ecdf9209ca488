/// What follows when a source fails.
public enum RestartPolicy: Sendable, Equatable {
  /// The run ends with the source's error. For files.
  case failRun
  /// The source is started again after a growing pause. For cameras.
  case restart(Backoff)
}

/// Exponential backoff with full jitter: the n-th pause is uniform in 0…min(cap, initial·2ⁿ), so that many
/// clients of one server do not come back in step.
///
/// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
public struct Backoff: Sendable, Equatable {
  /// The longest first pause.
  public let initial: Duration
  /// The longest pause ever.
  public let cap: Duration

  /// - Parameters:
  ///   - initial: the longest first pause.
  ///   - cap: the longest pause ever.
  public init(initial: Duration = .milliseconds(500), cap: Duration = .seconds(30)) {
    self.initial = initial
    self.cap = cap
  }

  /// The pause before an attempt.
  /// - Parameters:
  ///   - attempt: 0 for the first restart.
  ///   - generator: where the jitter comes from.
  public func pause(attempt: Int, using generator: inout some RandomNumberGenerator) -> Duration {
    // Beyond 2^30 the cap has long been reached; the bound keeps the shift in range.
    let ceiling = min(cap, initial * (1 << min(max(attempt, 0), 30)))
    return ceiling * Double.random(in: 0...1, using: &generator)
  }
}
