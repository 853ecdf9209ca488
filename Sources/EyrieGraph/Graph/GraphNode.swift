/// A stage in a graph, with its queue, its edges and its counters; the type-erased side of the three kinds.
protocol GraphNode: AnyObject, Sendable {
  var name: String { get }
  var meter: NodeMeter { get }
  /// What it takes; nil for a source.
  var inputType: Any.Type? { get }
  /// What it emits; nil for a sink.
  var outputType: Any.Type? { get }

  /// Joins this node's output to another's input.
  /// - Returns: a reader of the edge's counts; nil where the types do not fit.
  func connect(to consumer: any GraphNode, capacity: Int, overflow: OverflowPolicy) -> (
    @Sendable () -> LaneCounts
  )?

  /// The node's `Inbox`, for `connect` to cast to the type it needs; nil for a source.
  var inboxObject: AnyObject? { get }

  /// Works until its input ends. Closes its outgoing edges, however it ends.
  /// - Throws: when the stage cannot go on.
  func run(_ control: RunControl) async throws

  /// Drops what is queued and releases everybody who waits.
  func abort()
}

/// What the nodes of one run share.
struct RunControl: Sendable {
  let stop: StopSignal
  let onIncident: @Sendable (Incident) -> Void
}

extension GraphNode {
  func joined<Output: Sendable>(
    _ outlet: Outlet<Output>, to consumer: any GraphNode, capacity: Int, overflow: OverflowPolicy
  ) -> (@Sendable () -> LaneCounts)? {
    guard let inbox = consumer.inboxObject as? Inbox<Output> else { return nil }
    let lane = inbox.addLane(capacity: capacity, policy: overflow)
    outlet.add(inbox, lane: lane)
    return { inbox.counts(lane: lane) }
  }

  /// Ends the item in progress as failed, and lets only fatal failures out.
  func settle(_ failure: StageFailure, of item: some Sendable, control: RunControl) throws {
    switch failure {
    case .item(let reason, let message):
      meter.recordEnd(.failed(reason: reason))
      tellLoss(of: item, at: name, reason: reason)
      control.onIncident(Incident(stage: name, reason: reason, message: message))
    case .fatal(let error):
      meter.recordEnd(.failed(reason: LossReason.fatal))
      tellLoss(of: item, at: name, reason: LossReason.fatal)
      throw error
    }
  }
}
