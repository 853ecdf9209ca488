/// Why a graph was refused or its run ended early.
public enum GraphError: Error, Sendable, CustomStringConvertible {
  /// The definition has mistakes: all of them, one sentence each.
  case invalid([String])
  /// A stage could not go on.
  case stageFailed(stage: String, underlying: any Error)
  /// Every source has failed, and was to end alone (`SourceFailurePolicy.endSource`).
  case allSourcesFailed([SourceFailure])
  /// A graph runs once.
  case alreadyRun
  /// A source could not be added: all reasons, one sentence each.
  case cannotAdd(source: String, problems: [String])
  /// There is no such source to remove; why, in one sentence.
  case cannotRemove(source: String, problem: String)
  /// The task that waited for a source to be removed was cancelled; the source ends all the same.
  case removalUnfinished(source: String)

  /// One line.
  public var description: String {
    switch self {
    case .invalid(let problems): "the graph is not valid: " + problems.joined(separator: "; ")
    case .stageFailed(let stage, let error): "stage \(stage): \(error)"
    case .allSourcesFailed(let failures):
      "all \(failures.count) sources have failed: "
        + failures.map { "\($0.source): \($0.error)" }.joined(separator: "; ")
    case .alreadyRun: "this graph has already been run"
    case .cannotAdd(let source, let problems):
      "source '\(source)' cannot be added: " + problems.joined(separator: "; ")
    case .cannotRemove(let source, let problem): "source '\(source)' cannot be removed: \(problem)"
    case .removalUnfinished(let source):
      "source '\(source)' is still ending: the wait for it was cancelled"
    }
  }
}

/// A source that has failed for good.
public struct SourceFailure: Sendable {
  /// Its name in the graph.
  public let source: String
  /// Why.
  public let error: any Error
}

/// Something that went wrong without ending the run.
public struct Incident: Sendable {
  /// The stage it happened in.
  public let stage: String
  /// What it is counted under.
  public let reason: String
  /// One line for the log.
  public let message: String
}

/// How a run ended that no stage broke off.
public struct GraphEnd: Sendable, Equatable {
  /// Items that were in flight when the drain deadline had passed; 0 after a clean drain.
  public let leftBehind: Int
  /// Whether the run was asked to stop, rather than reaching the end of its sources.
  public let wasStopped: Bool
}
