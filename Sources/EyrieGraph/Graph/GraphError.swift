/// Why a graph was refused or its run ended early.
public enum GraphError: Error, Sendable, CustomStringConvertible {
  /// The definition has mistakes: all of them, one sentence each.
  case invalid([String])
  /// A stage could not go on.
  case stageFailed(stage: String, underlying: any Error)
  /// A graph runs once.
  case alreadyRun

  /// One line.
  public var description: String {
    switch self {
    case .invalid(let problems): "the graph is not valid: " + problems.joined(separator: "; ")
    case .stageFailed(let stage, let error): "stage \(stage): \(error)"
    case .alreadyRun: "this graph has already been run"
    }
  }
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
