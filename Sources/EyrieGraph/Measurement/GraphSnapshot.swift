/// The counters of a whole graph at one moment.
public struct GraphSnapshot: Sendable {
  /// One entry a stage, in the order of declaration.
  public let nodes: [NodeSnapshot]
  /// One entry an edge, in the order of declaration.
  public let edges: [EdgeSnapshot]

  /// The stage of a name.
  public func node(_ name: String) -> NodeSnapshot? {
    nodes.first { $0.name == name }
  }

  /// What is queued, waits for room or is being worked on.
  public var inFlight: Int {
    edges.reduce(0) { $0 + $1.inFlight } + nodes.reduce(0) { $0 + $1.inProgress }
  }

  /// Whether every item is accounted for: on each edge, in each stage, and between them. It holds at rest;
  /// a snapshot taken in full flight can catch an item between two counters.
  public var isBalanced: Bool {
    let edgesHold = edges.allSatisfy { $0.offered == $0.delivered + $0.dropped + $0.inFlight }
    let nodesHold = nodes.allSatisfy { node in
      node.received == node.emitted + node.consumed + node.droppedTotal + node.failedTotal + node.inProgress
    }
    let jointsHold = nodes.allSatisfy { node in
      let incoming = edges.filter { $0.to == node.name }
      let outgoing = edges.filter { $0.from == node.name }
      return (incoming.isEmpty || incoming.reduce(0) { $0 + $1.delivered } == node.received)
        && outgoing.allSatisfy { $0.offered == node.emitted }
    }
    return edgesHold && nodesHold && jointsHold
  }
}

/// The counters of one stage.
public struct NodeSnapshot: Sendable {
  /// The stage's name in the graph.
  public let name: String
  /// Items taken from its edges; for a source, items made.
  public let received: Int
  /// Items sent on.
  public let emitted: Int
  /// Items that ended here as they should (sinks).
  public let consumed: Int
  /// Items given up on purpose, by reason.
  public let dropped: [String: Int]
  /// Items that failed, by reason.
  public let failed: [String: Int]
  /// How often a source was started again.
  public let restarts: Int
  /// Items being worked on.
  public let inProgress: Int
  /// The time from taking an item to having its result.
  public let service: LatencyHistogram

  /// All items given up on purpose.
  public var droppedTotal: Int { dropped.values.reduce(0, +) }
  /// All items that failed.
  public var failedTotal: Int { failed.values.reduce(0, +) }
}

/// The counters of one edge.
public struct EdgeSnapshot: Sendable {
  /// The sending stage.
  public let from: String
  /// The receiving stage.
  public let to: String
  /// How many items may wait.
  public let capacity: Int
  /// What happens when they are that many.
  public let overflow: OverflowPolicy
  /// Items sent over the edge.
  public let offered: Int
  /// Items that the receiver took.
  public let delivered: Int
  /// Items dropped by the overflow policy.
  public let overflowed: Int
  /// Items dropped because the receiver had ended or the run was aborted.
  public let discarded: Int
  /// Items queued, and those of senders that wait for room.
  public let inFlight: Int
  /// Items queued now.
  public let depth: Int
  /// The most items that were ever queued.
  public let highWaterMark: Int

  /// All items dropped on this edge.
  public var dropped: Int { overflowed + discarded }
}
