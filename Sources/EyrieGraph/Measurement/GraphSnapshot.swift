/// The counters of a whole graph at one moment.
public struct GraphSnapshot: Sendable {
  /// One entry a stage, in the order of declaration; then the sources that were added, in that order.
  public let nodes: [NodeSnapshot]
  /// One entry an edge, in the order of declaration; then those of sources that were added.
  public let edges: [EdgeSnapshot]
  /// What the sources that were removed had counted.
  public let removed: RemovedSources

  /// The sources that were not removed, whether they run or have ended.
  public var sources: [NodeSnapshot] { nodes.filter(\.isSource) }

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
    let removedEdgesHold = removed.edges.values.allSatisfy { $0.offered == $0.delivered + $0.dropped }
    let nodesHold = nodes.allSatisfy { node in
      node.received == node.emitted + node.consumed + node.droppedTotal + node.failedTotal + node.inProgress
    }
    let jointsHold = nodes.allSatisfy { node in
      let delivered = edges.filter { $0.to == node.name }.reduce(0) { $0 + $1.delivered }
      return (node.isSource || delivered + (removed.edges[node.name]?.delivered ?? 0) == node.received)
        && edges.filter { $0.from == node.name }.allSatisfy { $0.offered == node.emitted }
    }
    return edgesHold && removedEdgesHold && nodesHold && jointsHold
  }
}

/// The counters of one stage.
public struct NodeSnapshot: Sendable {
  /// The stage's name in the graph.
  public let name: String
  /// Whether it makes items itself.
  public let isSource: Bool
  /// Where it is in its life.
  public let state: NodeState
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

/// Where a stage is in its life.
public enum NodeState: Sendable, Equatable {
  /// The run has not started it yet.
  case waiting
  /// It runs, or it is a source that waits to be started again.
  case running
  /// It is a source that is being removed.
  case stopping
  /// It has ended as it should.
  case ended
  /// It has failed for good; why, in words.
  case failed(String)
}

/// What sources had counted that were removed from a graph. Names come and go, so these are sums: nothing is
/// forgotten, and nothing grows.
public struct RemovedSources: Sendable, Equatable {
  /// What the edges to one stage had counted.
  public struct Edges: Sendable, Equatable {
    /// Items sent over them.
    public internal(set) var offered = 0
    /// Items that the stage took.
    public internal(set) var delivered = 0
    /// Items dropped by the overflow policies.
    public internal(set) var overflowed = 0
    /// Items dropped because the stage had ended or the run was aborted.
    public internal(set) var discarded = 0

    /// All items dropped.
    public var dropped: Int { overflowed + discarded }
  }

  /// How many there were.
  public internal(set) var count = 0
  /// Items made.
  public internal(set) var received = 0
  /// Items sent on.
  public internal(set) var emitted = 0
  /// Items that they gave up themselves, by reason.
  public internal(set) var dropped: [String: Int] = [:]
  /// How often they were started again.
  public internal(set) var restarts = 0
  /// What was sent to each stage, by its name.
  public internal(set) var edges: [String: Edges] = [:]

  mutating func add(_ node: NodeSnapshot, edges: [EdgeSnapshot]) {
    count += 1
    received += node.received
    emitted += node.emitted
    restarts += node.restarts
    dropped.merge(node.dropped, uniquingKeysWith: +)
    for edge in edges {
      self.edges[edge.to, default: Edges()].offered += edge.offered
      self.edges[edge.to, default: Edges()].delivered += edge.delivered
      self.edges[edge.to, default: Edges()].overflowed += edge.overflowed
      self.edges[edge.to, default: Edges()].discarded += edge.discarded
    }
  }
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
