import Synchronization

/// Which stages and edges a graph has at the moment. Stages stay, sources come and go.
///
/// A source that was removed leaves when its `run` has returned and its edges are empty; what it counted is
/// added to the sums of those before it under the same lock, so that every snapshot accounts for every item.
final class Roster: Sendable {
  /// A source that is being removed, for those who wait until it is gone.
  final class Removal: Sendable {
    let isOver = StopSignal()
    private let last = Mutex<NodeSnapshot?>(nil)

    /// What the source had counted; nil while it is not gone.
    var result: NodeSnapshot? { last.withLock { $0 } }

    fileprivate func end(_ snapshot: NodeSnapshot) {
      last.withLock { $0 = snapshot }
      isOver.request()
    }
  }

  private struct Member {
    let node: any GraphNode
    var state = NodeState.waiting
    var error: (any Error)?
    var removal: Removal?

    var isOver: Bool {
      switch state {
      case .ended, .failed: true
      case .waiting, .running, .stopping: false
      }
    }

    func snapshot() -> NodeSnapshot {
      let counts = node.meter.read()
      return NodeSnapshot(
        name: node.name, isSource: node.source != nil,
        state: removal != nil && !isOver ? .stopping : state, received: counts.received,
        emitted: counts.emitted, consumed: counts.consumed, dropped: counts.dropped, failed: counts.failed,
        restarts: counts.restarts, inProgress: counts.inProgress, service: counts.service)
    }
  }

  private struct Edge {
    let from: String
    let to: String
    let counts: @Sendable () -> LaneCounts

    func snapshot() -> EdgeSnapshot {
      let counts = counts()
      return EdgeSnapshot(
        from: from, to: to, capacity: counts.capacity, overflow: counts.policy, offered: counts.offered,
        delivered: counts.delivered, overflowed: counts.overflowed, discarded: counts.discarded,
        inFlight: counts.inFlight, depth: counts.depth, highWaterMark: counts.highWaterMark)
    }
  }

  private enum Phase {
    case idle
    case running(StopSignal)
    case over
  }

  private struct State {
    var phase = Phase.idle
    var members: [Member] = []
    var edges: [Edge] = []
    var removed = RemovedSources()
  }

  private let state = Mutex(State())
  private let bell: AsyncStream<Void>.Continuation
  private let rings: AsyncStream<Void>

  init() {
    (rings, bell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  // MARK: - Coming

  /// Takes in a node with its outgoing edges, or says everything that is wrong with it.
  func add(_ node: any GraphNode, to edges: [SourceEdge]) -> [String] {
    let problems = state.withLock { state -> [String] in
      var problems = Self.problems(of: node, edges, in: state)
      guard problems.isEmpty else { return problems }
      var joined: [Edge] = []
      for edge in edges {
        // The name, not the node: the edge belongs to the node, which would never be destroyed.
        let terms = EdgeTerms(capacity: edge.capacity, overflow: edge.overflow) {
          [weak self, name = node.name] in
          self?.settle(name)
        }
        let consumer = state.members.first { $0.node.name == edge.stage }?.node
        if let counts = consumer.flatMap({ node.connect(to: $0, by: terms) }) {
          joined.append(Edge(from: node.name, to: edge.stage, counts: counts))
        } else {
          problems.append("stage '\(edge.stage)' has ended")
        }
      }
      guard problems.isEmpty else { return problems }
      state.members.append(Member(node: node))
      state.edges += joined
      return []
    }
    if problems.isEmpty {
      bell.yield()
    } else {
      // Its first edges may have been joined.
      node.closeOutlet()
    }
    return problems
  }

  private static func problems(of node: any GraphNode, _ edges: [SourceEdge], in state: State) -> [String] {
    switch state.phase {
    case .idle: break
    case .running(let stop) where !stop.isRequested: break
    case .running: return ["the run is stopping"]
    case .over: return ["the run has ended"]
    }
    var problems: [String] = []
    if let holder = state.members.first(where: { $0.node.name == node.name }) {
      let what =
        switch (holder.node.source != nil, holder.removal != nil, holder.isOver) {
        case (false, _, _): "a stage has that name"
        case (true, true, _): "the source of that name is still being removed"
        case (true, false, true): "the source of that name has ended; remove it first"
        case (true, false, false): "there is a source of that name"
        }
      problems.append(what)
    }
    if edges.isEmpty { problems.append("no stage takes what it emits") }
    for edge in edges {
      if edge.capacity < 1 {
        problems.append(
          "its edge to '\(edge.stage)' has room for \(edge.capacity) items; it needs at least 1")
      }
      guard let consumer = state.members.first(where: { $0.node.name == edge.stage })?.node else {
        let takers = state.members.map(\.node).filter { $0.inputType != nil }.map(\.name)
        problems.append("no stage is named '\(edge.stage)'; there is \(takers.joined(separator: ", "))")
        continue
      }
      guard let input = consumer.inputType, let output = node.outputType else {
        problems.append("'\(edge.stage)' is a source, which receives nothing")
        continue
      }
      if input != output { problems.append("it emits \(output), but '\(edge.stage)' takes \(input)") }
    }
    if Set(edges.map(\.stage)).count < edges.count { problems.append("two of its edges lead to one stage") }
    return problems
  }

  /// Takes in the checked stages of a definition.
  /// - Returns: what cannot be joined.
  func begin(_ definition: GraphDefinition) -> [String] {
    state.withLock { state in
      state.members = definition.nodes.map { Member(node: $0) }
      let byName = Dictionary(
        definition.nodes.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
      return definition.edges.compactMap { edge in
        let terms = EdgeTerms(capacity: edge.capacity, overflow: edge.overflow) {
          [weak self, name = edge.from] in
          self?.settle(name)
        }
        guard let from = byName[edge.from], let to = byName[edge.to],
          let counts = from.connect(to: to, by: terms)
        else { return "the edge \(edge.from) → \(edge.to) cannot be joined" }
        state.edges.append(Edge(from: edge.from, to: edge.to, counts: counts))
        return nil
      }
    }
  }

  // MARK: - Running

  /// - Returns: false when the graph has been run before.
  func start(stop: StopSignal) -> Bool {
    state.withLock { state in
      guard case .idle = state.phase else { return false }
      state.phase = .running(stop)
      return true
    }
  }

  /// The nodes that have not been started yet; they count as started now.
  func startWaiting() -> [any GraphNode] {
    state.withLock { state in
      var started: [any GraphNode] = []
      for index in state.members.indices where state.members[index].state == .waiting {
        state.members[index].state = .running
        started.append(state.members[index].node)
      }
      return started
    }
  }

  /// Waits until a source was added since the last wait, or for cancellation.
  func waitForArrival() async {
    for await _ in rings { return }
  }

  /// Notes that a node's `run` has ended.
  func noteEnd(of node: any GraphNode, _ error: (any Error)?) {
    // Put into words outside the lock: the description is somebody else's code.
    let end = error.map { NodeState.failed("\($0)") } ?? .ended
    state.withLock { state in
      guard let index = state.members.firstIndex(where: { $0.node === node }) else { return }
      state.members[index].state = end
      state.members[index].error = error
    }
    settle(node.name)
  }

  /// Notes that the run has ended; sources that it did not start any more have ended too.
  func noteEndOfRun() {
    let waiting = state.withLock { state -> [any GraphNode] in
      state.phase = .over
      var waiting: [any GraphNode] = []
      for index in state.members.indices where state.members[index].state == .waiting {
        state.members[index].state = .ended
        waiting.append(state.members[index].node)
      }
      return waiting
    }
    bell.finish()
    for node in waiting {
      node.closeOutlet()
      settle(node.name)
    }
  }

  /// All nodes, for what has to be done to each.
  var nodes: [any GraphNode] { state.withLock { $0.members.map(\.node) } }

  /// The errors of all sources, if each has failed; empty while one runs, has ended well, or there is none.
  var failuresOfAllSources: [SourceFailure] {
    state.withLock { state in
      let sources = state.members.filter { $0.node.source != nil }
      let failures = sources.compactMap { source in
        source.error.map { SourceFailure(source: source.node.name, error: $0) }
      }
      return failures.count == sources.count ? failures : []
    }
  }

  // MARK: - Going

  /// Marks a source as being removed and stops it.
  func beginRemoval(of name: String) throws(GraphError) -> Removal {
    let found = state.withLock {
      state -> Result<(node: any GraphNode, removal: Removal, isStarted: Bool), GraphError> in
      guard let index = state.members.firstIndex(where: { $0.node.name == name }) else {
        return .failure(.cannotRemove(source: name, problem: Self.absence(in: state)))
      }
      let member = state.members[index]
      guard member.node.source != nil else {
        return .failure(.cannotRemove(source: name, problem: "it is a stage; only sources can be removed"))
      }
      let removal = member.removal ?? Removal()
      state.members[index].removal = removal
      // One that has not been started never will be.
      if member.state == .waiting { state.members[index].state = .ended }
      return .success((member.node, removal, member.state != .waiting))
    }
    let (node, removal, isStarted) = try found.get()
    node.source?.stop.request()
    if !isStarted { node.closeOutlet() }
    settle(name)
    return removal
  }

  private static func absence(in state: State) -> String {
    let sources = state.members.filter { $0.node.source != nil }.map(\.node.name)
    let others = sources.isEmpty ? "there are no sources" : "there is " + sources.joined(separator: ", ")
    return "there is no such source, or no more; \(others)"
  }

  /// Lets a source go that was removed, when its `run` has returned and its edges are closed and empty.
  private func settle(_ name: String) {
    let gone = state.withLock { state -> (member: Member, edges: [Edge], last: NodeSnapshot)? in
      guard let index = state.members.firstIndex(where: { $0.node.name == name }),
        state.members[index].removal != nil, state.members[index].isOver
      else { return nil }
      let edges = state.edges.filter { $0.from == name }
      guard edges.allSatisfy({ $0.counts().isFinished }) else { return nil }
      let member = state.members.remove(at: index)
      state.edges.removeAll { $0.from == name }
      let last = member.snapshot()
      state.removed.add(last, edges: edges.map { $0.snapshot() })
      return (member, edges, last)
    }
    guard let gone else { return }
    gone.member.removal?.end(gone.last)
  }

  // MARK: - Counting

  func snapshot() -> GraphSnapshot {
    state.withLock { state in
      GraphSnapshot(
        nodes: state.members.map { $0.snapshot() }, edges: state.edges.map { $0.snapshot() },
        removed: state.removed)
    }
  }

  func losses() -> [String: [String: Int]] {
    state.withLock { state in
      var losses: [String: [String: Int]] = [:]
      func add(_ count: Int, _ reason: String, to stage: String) {
        if count > 0 { losses[stage, default: [:]][reason, default: 0] += count }
      }
      for member in state.members {
        for (reason, count) in member.node.meter.losses() { add(count, reason, to: member.node.name) }
      }
      for edge in state.edges {
        let counts = edge.counts()
        add(counts.overflowed, LossReason.queueFull, to: edge.to)
        add(counts.discarded, LossReason.shutdown, to: edge.to)
      }
      for (reason, count) in state.removed.dropped { add(count, reason, to: "removed") }
      for (stage, edges) in state.removed.edges {
        add(edges.overflowed, LossReason.queueFull, to: stage)
        add(edges.discarded, LossReason.shutdown, to: stage)
      }
      return losses
    }
  }
}
