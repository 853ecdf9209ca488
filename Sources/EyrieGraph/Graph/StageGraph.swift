import Synchronization

/// A checked graph, ready to run once as one structured task tree: nothing outlives `run`.
public final class StageGraph: Sendable {
  private struct WiredEdge: Sendable {
    let from: String
    let to: String
    let counts: @Sendable () -> LaneCounts
  }

  private enum ChildEnd: Sendable {
    case node(name: String, failure: (any Error)?)
    case drainDeadline
    case cancelled
  }

  private let nodes: [any GraphNode]
  private let edges: [WiredEdge]
  private let hasRun = Atomic(false)

  /// Checks a definition and joins its stages.
  /// - Throws: `GraphError.invalid` with every mistake.
  public init(_ definition: GraphDefinition) throws(GraphError) {
    var problems = definition.problems()
    guard problems.isEmpty else { throw .invalid(problems) }
    let byName = Dictionary(definition.nodes.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    nodes = definition.nodes
    edges = definition.edges.compactMap { edge in
      guard let from = byName[edge.from], let to = byName[edge.to],
        let counts = from.connect(to: to, capacity: edge.capacity, overflow: edge.overflow)
      else {
        problems.append("the edge \(edge.from) → \(edge.to) cannot be joined")
        return nil
      }
      return WiredEdge(from: edge.from, to: edge.to, counts: counts)
    }
    guard problems.isEmpty else { throw .invalid(problems) }
  }

  /// Runs every stage until the sources have ended and everything in flight is delivered.
  ///
  /// Cancelling the calling task stops the sources and drops what is queued.
  /// - Parameters:
  ///   - stop: asks the sources to end early; what is in flight is still delivered.
  ///   - drainDeadline: how long that may take after the stop; then what is left is dropped and counted.
  ///   - onIncident: told of failures that did not end the run. Called from any thread; must not block.
  /// - Throws: `GraphError.stageFailed` when a stage could not go on; the other stages have ended by then.
  public func run(
    stop: StopSignal = StopSignal(), drainDeadline: Duration = .seconds(3),
    onIncident: @escaping @Sendable (Incident) -> Void = { _ in }
  ) async throws(GraphError) -> GraphEnd {
    guard !hasRun.exchange(true, ordering: .relaxed) else { throw .alreadyRun }
    let control = RunControl(stop: stop, onIncident: onIncident)
    let (failure, leftBehind) = await withTaskCancellationHandler {
      await runNodes(control, drainDeadline: drainDeadline)
    } onCancel: {
      abort(stop)
    }
    if let failure { throw failure }
    return GraphEnd(leftBehind: leftBehind, wasStopped: stop.isRequested)
  }

  /// The counters of every stage and edge. Safe at any time, from any task.
  public func snapshot() -> GraphSnapshot {
    GraphSnapshot(
      nodes: nodes.map { node in
        let state = node.meter.read()
        return NodeSnapshot(
          name: node.name, received: state.received, emitted: state.emitted, consumed: state.consumed,
          dropped: state.dropped, failed: state.failed, restarts: state.restarts,
          inProgress: state.inProgress, service: state.service)
      },
      edges: edges.map { edge in
        let counts = edge.counts()
        return EdgeSnapshot(
          from: edge.from, to: edge.to, capacity: counts.capacity, overflow: counts.policy,
          offered: counts.offered, delivered: counts.delivered, overflowed: counts.overflowed,
          discarded: counts.discarded, inFlight: counts.inFlight, depth: counts.depth,
          highWaterMark: counts.highWaterMark)
      })
  }

  /// The items that were lost so far, by stage and reason; cheaper than a snapshot. What was dropped in front
  /// of a stage counts as its own: `queue_full` by the edge's overflow policy, `shutdown` when the run ended
  /// before the item was taken.
  public func losses() -> [String: [String: Int]] {
    var losses: [String: [String: Int]] = [:]
    for node in nodes {
      for (reason, count) in node.meter.losses() {
        losses[node.name, default: [:]][reason, default: 0] += count
      }
    }
    for edge in edges {
      let counts = edge.counts()
      for (reason, count) in [
        (LossReason.queueFull, counts.overflowed), (LossReason.shutdown, counts.discarded),
      ]
      where count > 0 {
        losses[edge.to, default: [:]][reason, default: 0] += count
      }
    }
    return losses
  }

  private func runNodes(
    _ control: RunControl, drainDeadline: Duration
  ) async -> (failure: GraphError?, leftBehind: Int) {
    await withTaskGroup(of: ChildEnd.self) { group in
      for node in nodes {
        group.addTask {
          do {
            try await node.run(control)
            return .node(name: node.name, failure: nil)
          } catch {
            return .node(name: node.name, failure: error)
          }
        }
      }
      group.addTask {
        await control.stop.wait()
        do {
          try await Task.sleep(for: drainDeadline, clock: .continuous)
          return .drainDeadline
        } catch {
          return .cancelled
        }
      }
      var running = nodes.count
      var failure: GraphError?
      var leftBehind = 0
      while running > 0, let end = await group.next() {
        switch end {
        case .node(let name, let error):
          running -= 1
          guard let error, failure == nil else { continue }
          failure = .stageFailed(stage: name, underlying: error)
          abort(control.stop)
          group.cancelAll()
        case .drainDeadline:
          leftBehind = snapshot().inFlight
          abort(control.stop)
          group.cancelAll()
        case .cancelled: break
        }
      }
      group.cancelAll()
      return (failure, leftBehind)
    }
  }

  private func abort(_ stop: StopSignal) {
    stop.request()
    for node in nodes { node.abort() }
  }
}
