/// A stage in a graph, with its queue, its edges and its counters; the type-erased side of the three kinds.
protocol GraphNode: AnyObject, Sendable {
  var name: String { get }
  var meter: NodeMeter { get }
  /// What it takes; nil for a source.
  var inputType: Any.Type? { get }
  /// What it emits; nil for a sink.
  var outputType: Any.Type? { get }
  /// How a source is stopped alone; nil for the other kinds.
  var source: SourceControl? { get }

  /// Joins this node's output to another's input.
  /// - Returns: a reader of the edge's counts; nil where the types do not fit or the other takes no more edges.
  func connect(to consumer: any GraphNode, by edge: EdgeTerms) -> (@Sendable () -> LaneCounts)?

  /// The node's `Inbox`, for `connect` to cast to the type it needs; nil for a source.
  var inboxObject: AnyObject? { get }

  /// Works until its input ends. Closes its outgoing edges, however it ends.
  /// - Throws: when the stage cannot go on.
  func run(_ control: RunControl) async throws

  /// Closes the outgoing edges of a node that will never run.
  func closeOutlet()

  /// Lets it wait for items although no edge leads to it, until `release`.
  func holdOpen()

  /// It ends when the edges that lead to it are closed and empty.
  func release()

  /// Drops what is queued and releases everybody who waits.
  func abort()
}

extension GraphNode {
  var source: SourceControl? { nil }
  func closeOutlet() {}
  func holdOpen() {}
  func release() {}
  func abort() {}
}

/// A stage that never waits for an item still lets other calls come in after so many.
let itemsInARow = 32

/// What a graph needs of a source besides what it needs of every node.
struct SourceControl: Sendable {
  /// Its own; while it runs, it follows that of the run.
  let stop: StopSignal
  let onFailure: SourceFailurePolicy
}

/// How an edge works.
struct EdgeTerms: Sendable {
  let capacity: Int
  let overflow: OverflowPolicy
  /// Called when the edge is closed and empty.
  let onFinish: @Sendable () -> Void
}

/// What the nodes of one run share.
struct RunControl: Sendable {
  let stop: StopSignal
  let onIncident: @Sendable (Incident) -> Void
}

extension GraphNode {
  /// Runs a node's work on the thread of its stage, if that has one.
  func onThread(of stage: any Actor, _ work: () async throws -> Void) async throws {
    guard let executor = (stage as? any ThreadBound)?.executor else { return try await work() }
    try await withTaskExecutorPreference(executor) { try await work() }
  }

  func joined<Output: Sendable>(
    _ outlet: Outlet<Output>, to consumer: any GraphNode, by edge: EdgeTerms
  ) -> (@Sendable () -> LaneCounts)? {
    guard let inbox = consumer.inboxObject as? Inbox<Output>,
      let entrance = inbox.addLane(capacity: edge.capacity, policy: edge.overflow, onFinish: edge.onFinish)
    else { return nil }
    outlet.add(inbox, entrance)
    return { inbox.counts(entrance) }
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
