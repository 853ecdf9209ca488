/// What `--chaos` did to a pipeline, and what became of it.
public struct ChaosReport: Sendable, Codable, Equatable {
  /// One fault.
  public struct Fault: Sendable, Codable, Equatable {
    /// What was done.
    public enum Kind: String, Sendable, Codable, CaseIterable {
      /// The connection or file was closed, and could not be opened for a while.
      case sever
      /// Nothing was read for a while.
      case delay
      /// The subscriber took no events for a while.
      case stall
    }
    /// What was done.
    public var kind: Kind
    /// The source, or the endpoint of the subscriber.
    public var target: String
    /// When it took effect, in seconds since the run began.
    public var atS: Double
    /// How long it lasted, in seconds.
    public var lengthS: Double
    /// How long after its end a source gave frames again, in seconds; null for a stall, or if it never did.
    @OrNull public var recoveredAfterS: Double?
    /// Until then the rates and latencies of the source are not judged; null for a stall, or for ever.
    @OrNull public var disturbedUntilS: Double?
  }

  /// What a subscriber got, compared with what the publisher sent.
  public struct Subscriber: Sendable, Codable, Equatable {
    /// Where it was connected.
    public var endpoint: String
    /// Events that the publisher counted.
    public var published: Int
    /// Events that the publisher counted as lost in the full queue of a subscriber.
    public var droppedByPublisher: Int
    /// Events that came.
    public var received: Int
    /// Events from before the subscription, by their sequence numbers.
    public var beforeSubscription: Int
    /// Events that are missing between others, by their sequence numbers.
    public var lost: Int
    /// Events that are missing after the last, or of topics of which none came.
    public var missingAtEnd: Int
    /// Messages that are no events.
    public var malformed: Int
    /// Why it could not receive, if so.
    @OrNull public var failure: String?

    /// Events that are missing although nobody counted them as lost.
    public var uncounted: Int { max(0, lost + missingAtEnd - droppedByPublisher) }
  }

  /// What the schedule was made of; the same seed makes the same one.
  public var seed: UInt64
  /// For so many seconds after a source has recovered it is not judged.
  public var graceS: Double
  /// In the order of their time.
  public var faults: [Fault]
  /// One for each endpoint.
  public var subscribers: [Subscriber]
}

/// The limits on what faults may do.
struct ChaosJudge {
  let limits: SoakLimits
  let report: ChaosReport

  var results: [LimitResult] {
    recoveries
      + report.subscribers.map { subscriber in
        var result = LimitResult(
          "uncounted_events", of: subscriber.endpoint, limit: 0, isDefault: true,
          measured: Double(subscriber.uncounted), unit: "events")
        if let failure = subscriber.failure {
          result.verdict = .broken
          result.note = failure
        }
        return result
      }
  }

  private var recoveries: [LimitResult] {
    let bySource = Dictionary(grouping: report.faults.filter { $0.kind != .stall }, by: \.target)
    return bySource.sorted { $0.key < $1.key }.map { source, faults in
      let lost = faults.first { $0.recoveredAfterS == nil }
      var result = LimitResult(
        "max_recovery_s", of: source, limit: limits.maxRecovery ?? SoakDefaults.maxRecovery,
        isDefault: limits.maxRecovery == nil,
        measured: lost == nil ? faults.compactMap(\.recoveredAfterS).max() : nil, unit: "s")
      if let lost {
        result.note =
          "it did not come back after the fault at \(SoakText.clock(lost.atS)) (\(lost.kind.rawValue))"
      }
      return result
    }
  }
}
