/// A checked graph, ready to run once as one structured task tree: nothing outlives `run`. Sources can be added
/// and removed before and during the run, by any task.
public final class StageGraph: Sendable {
  private enum ChildEnd: Sendable {
    case node(failure: GraphError?)
    case arrival
    case drainDeadline
    case cancelled
  }

  private let roster = Roster()
  private let keepsRunning: Bool

  /// Checks a definition and joins its stages.
  /// - Throws: `GraphError.invalid` with every mistake.
  public init(_ definition: GraphDefinition) throws(GraphError) {
    let problems = definition.problems()
    guard problems.isEmpty else { throw .invalid(problems) }
    keepsRunning = definition.keepsRunning
    if keepsRunning {
      for node in definition.nodes { node.holdOpen() }
    }
    let unjoined = roster.begin(definition)
    guard unjoined.isEmpty else { throw .invalid(unjoined) }
  }

  /// Runs every stage until the sources have ended and everything in flight is delivered; where the definition
  /// says `keepsRunning`, until it is stopped.
  ///
  /// Cancelling the calling task stops the sources and drops what is queued.
  /// - Parameters:
  ///   - stop: asks the sources to end early; what is in flight is still delivered.
  ///   - drainDeadline: how long that may take after the stop; then what is left is dropped and counted.
  ///   - onIncident: told of failures that did not end the run. Called from any thread; must not block.
  /// - Throws: `GraphError.stageFailed` when a stage could not go on; the other stages have ended by then.
  ///   Unless the definition says `keepsRunning`, the same for a single source that failed and was to end alone,
  ///   and `GraphError.allSourcesFailed` where there were several.
  public func run(
    stop: StopSignal = StopSignal(), drainDeadline: Duration = .seconds(3),
    onIncident: @escaping @Sendable (Incident) -> Void = { _ in }
  ) async throws(GraphError) -> GraphEnd {
    guard roster.start(stop: stop) else { throw .alreadyRun }
    let control = RunControl(stop: stop, onIncident: onIncident)
    let (failure, leftBehind) = await withTaskCancellationHandler {
      await runNodes(control, drainDeadline: drainDeadline)
    } onCancel: {
      abort(stop)
    }
    roster.noteEndOfRun()
    if let failure = failure ?? failureOfSources() { throw failure }
    return GraphEnd(leftBehind: leftBehind, wasStopped: stop.isRequested)
  }

  /// Adds a source. Before the run it starts with it; during the run it starts at once.
  ///
  /// A source that has ended keeps its name and shows in snapshots until it is removed.
  /// - Parameters:
  ///   - name: no other stage or source may have it.
  ///   - restart: whether it is started again when it fails.
  ///   - onFailure: what follows when it has failed for good.
  ///   - edges: which stages take its items, in this order; at least one.
  /// - Throws: `GraphError.cannotAdd` with every reason: the name, an edge (unknown stage, another type, no room,
  ///   a stage that has ended), a run that stops or has ended. Nothing was added then.
  public func add(
    _ name: String, source: some SourceStage, restart: RestartPolicy = .never,
    onFailure: SourceFailurePolicy = .endSource, to edges: [SourceEdge]
  ) throws(GraphError) {
    let node = SourceNode(name: name, stage: source, restart: restart, onFailure: onFailure)
    let problems = roster.add(node, to: edges)
    guard problems.isEmpty else { throw .cannotAdd(source: name, problems: problems) }
  }

  /// Stops one source and takes it out of the graph; waits until its `run` has returned and what it had emitted
  /// was taken from its edges. The other sources do not notice. Its counts go into `GraphSnapshot.removed`, and
  /// its name is free again.
  ///
  /// An error that the source throws because of the stop is an incident and ends nothing. When the last source
  /// is removed the run ends, unless the definition says `keepsRunning`. Several tasks may remove the same source:
  /// all wait for the same end. A stage that takes the source's items must not wait for it: it would wait for itself.
  /// - Returns: what the source had counted at the end.
  /// - Throws: `GraphError.cannotRemove` when there is no source of that name (any more);
  ///   `GraphError.removalUnfinished` when the calling task is cancelled while it waits: the source leaves the
  ///   graph all the same when it has ended.
  @discardableResult
  public func remove(_ name: String) async throws(GraphError) -> NodeSnapshot {
    let removal = try roster.beginRemoval(of: name)
    await removal.isOver.wait()
    guard let last = removal.result else { throw .removalUnfinished(source: name) }
    return last
  }

  /// The counters of every stage and edge. Safe at any time, from any task.
  public func snapshot() -> GraphSnapshot {
    roster.snapshot()
  }

  /// The items that were lost so far, by stage and reason; cheaper than a snapshot. What was dropped in front
  /// of a stage counts as its own: `queue_full` by the edge's overflow policy, `shutdown` when the run ended
  /// before the item was taken. What removed sources had given up themselves is summed under `removed`.
  public func losses() -> [String: [String: Int]] {
    roster.losses()
  }

  private func runNodes(
    _ control: RunControl, drainDeadline: Duration
  ) async -> (failure: GraphError?, leftBehind: Int) {
    await withTaskGroup(of: ChildEnd.self) { group in
      var running = 0
      func startWaiting() {
        for node in roster.startWaiting() {
          running += 1
          group.addTask { await self.run(node, control) }
        }
        group.addTask {
          await self.roster.waitForArrival()
          return .arrival
        }
      }
      startWaiting()
      group.addTask {
        await control.stop.wait()
        for node in self.roster.nodes { node.release() }
        do {
          try await Task.sleep(for: drainDeadline, clock: .continuous)
          return .drainDeadline
        } catch {
          return .cancelled
        }
      }
      var failure: GraphError?
      var leftBehind = 0
      while running > 0, let end = await group.next() {
        switch end {
        case .node(let error):
          running -= 1
          guard let error, failure == nil else { continue }
          failure = error
          abort(control.stop)
          group.cancelAll()
        case .arrival:
          if !group.isCancelled { startWaiting() }
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

  /// Runs one node to its end.
  private func run(_ node: any GraphNode, _ control: RunControl) async -> ChildEnd {
    do {
      try await node.run(control)
      roster.noteEnd(of: node, nil)
      return .node(failure: nil)
    } catch {
      let wasRemoved = node.source?.stop.isRequested == true && !control.stop.isRequested
      guard wasRemoved || node.source?.onFailure == .endSource else {
        roster.noteEnd(of: node, error)
        return .node(failure: .stageFailed(stage: node.name, underlying: error))
      }
      // The end of a run that was aborted is no failure of its sources.
      if Task.isCancelled {
        roster.noteEnd(of: node, nil)
      } else {
        control.onIncident(
          Incident(stage: node.name, reason: "source_failed", message: "\(error); this source has ended"))
        roster.noteEnd(of: node, error)
      }
      return .node(failure: nil)
    }
  }

  /// A run that had sources and ended by itself has failed if each of them has.
  private func failureOfSources() -> GraphError? {
    guard !keepsRunning else { return nil }
    let failures = roster.failuresOfAllSources
    guard let first = failures.first else { return nil }
    return failures.count == 1
      ? .stageFailed(stage: first.source, underlying: first.error) : .allSourcesFailed(failures)
  }

  private func abort(_ stop: StopSignal) {
    stop.request()
    for node in roster.nodes { node.abort() }
  }
}

/// Where a source that is added to a graph sends its items.
public struct SourceEdge: Sendable, Equatable {
  /// The stage that takes them.
  public let stage: String
  /// How many items may wait on the edge, at least 1.
  public let capacity: Int
  /// What happens when they are that many.
  public let overflow: OverflowPolicy

  /// An edge to a stage.
  public init(to stage: String, capacity: Int, overflow: OverflowPolicy) {
    self.stage = stage
    self.capacity = capacity
    self.overflow = overflow
  }
}
