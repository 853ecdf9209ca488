import Testing

@testable import EyrieGraph

@Suite("Sources that come and go", .timeLimit(.minutes(10)))
struct ComingAndGoingTests {
  /// A stage and a sink that wait for sources.
  private func makeGraph(
    to sink: CollectingSink, keepsRunning: Bool = true, sources: (inout GraphDefinition) -> Void = { _ in }
  ) throws -> StageGraph {
    var definition = GraphDefinition(keepsRunning: keepsRunning)
    definition.add("stage", transform: ClosureStage { .emit($0) })
    definition.add("sink", sink: sink)
    definition.connect("stage", to: "sink", capacity: 2, overflow: .suspend)
    sources(&definition)
    return try StageGraph(definition)
  }

  private let toStage = [SourceEdge(to: "stage", capacity: 2, overflow: .suspend)]

  @Test("a run without sources waits for them, and ends when it is stopped")
  func later() async throws {
    let sink = CollectingSink()
    let graph = try makeGraph(to: sink)
    let stop = StopSignal()
    async let end = graph.run(stop: stop)
    await eventually { graph.snapshot().node("sink")?.state == .running }
    try graph.add("a", source: ListSource([1, 2, 3]), to: toStage)
    await eventually { await sink.items == [1, 2, 3] && graph.snapshot().node("a")?.state == .ended }
    try graph.add("b", source: ListSource([4], stays: true), to: toStage)
    await eventually { await sink.items == [1, 2, 3, 4] }
    #expect(graph.snapshot().sources.map(\.name) == ["a", "b"])
    #expect(graph.snapshot().node("b")?.state == .running)
    stop.request()
    #expect(try await end == GraphEnd(leftBehind: 0, wasStopped: true))
    #expect(graph.snapshot().isBalanced)
    #expect(graph.snapshot().nodes.allSatisfy { $0.state == .ended })
  }

  @Test("a removed source leaves alone, its counts stay, and its name is free")
  func removal() async throws {
    let sink = CollectingSink()
    let graph = try makeGraph(to: sink) { definition in
      definition.add("a", source: ListSource([1, 2], stays: true))
      definition.connect("a", to: "stage", capacity: 1, overflow: .suspend)
    }
    let stop = StopSignal()
    async let end = graph.run(stop: stop)
    try graph.add("b", source: ListSource([11, 12, 13], stays: true), to: toStage)
    await eventually { await sink.items.count == 5 }
    let last = try await graph.remove("a")
    #expect(last.emitted == 2)
    #expect(last.state == .ended)
    #expect(graph.snapshot().sources.map(\.name) == ["b"])
    #expect(graph.snapshot().removed.emitted == 2)
    #expect(graph.snapshot().removed.edges["stage"]?.delivered == 2)
    try graph.add("a", source: ListSource([3], stays: true), to: toStage)
    await eventually { await sink.items.count == 6 }
    try await graph.remove("b")
    try await graph.remove("a")
    #expect(graph.snapshot().removed.count == 3)
    #expect(graph.snapshot().edges.map(\.from) == ["stage"])
    stop.request()
    _ = try await end
    #expect(graph.snapshot().isBalanced)
    #expect(graph.snapshot().removed.edges["stage"]?.offered == 6)
  }

  @Test("removal waits until what was emitted is taken by every stage behind")
  func draining() async throws {
    let door = Door()
    let (open, held) = (CollectingSink(), CollectingSink(door: door))
    let graph = try makeGraph(to: open) { definition in
      definition.add("held", sink: held)
    }
    let stop = StopSignal()
    async let end = graph.run(stop: stop)
    try graph.add(
      "a", source: ListSource(Array(1...5), stays: true),
      to: [
        SourceEdge(to: "stage", capacity: 1, overflow: .suspend),
        SourceEdge(to: "held", capacity: 3, overflow: .suspend),
      ])
    // One is in the sink's hands, three are queued, and the source waits with the fifth.
    await eventually { graph.snapshot().edges.contains { $0.to == "held" && $0.inFlight == 4 } }
    let hasReturned = Tally()
    async let first: NodeSnapshot = {
      let last = try await graph.remove("a")
      hasReturned.add()
      return last
    }()
    await eventually { graph.snapshot().node("a")?.state == .stopping }
    async let second = graph.remove("a")
    let error = #expect(throws: GraphError.self) { try graph.add("a", source: ListSource([1]), to: toStage) }
    #expect(
      error?.description == "source 'a' cannot be added: the source of that name is still being removed")
    #expect(hasReturned.value == 0)
    door.open()
    #expect(try await first.emitted == 5)
    #expect(try await second.emitted == 5)
    stop.request()
    _ = try await end
    #expect(await open.items == Array(1...5))
    #expect(await held.items == Array(1...5))
    #expect(graph.snapshot().isBalanced)
  }

  @Test("the run ends when its last source is removed, unless it keeps running")
  func lastOne() async throws {
    let sink = CollectingSink()
    let graph = try makeGraph(to: sink, keepsRunning: false) { definition in
      definition.add("a", source: ListSource([1], stays: true))
      definition.connect("a", to: "stage", capacity: 1, overflow: .suspend)
    }
    async let end = graph.run()
    await eventually { await sink.items == [1] }
    try await graph.remove("a")
    #expect(try await end == GraphEnd(leftBehind: 0, wasStopped: false))
    #expect(graph.snapshot().isBalanced)
  }

  @Test("sources can be added and removed before the run")
  func beforeTheRun() async throws {
    let sink = CollectingSink()
    let graph = try makeGraph(to: sink, keepsRunning: true)
    let never = ListSource([9])
    try graph.add("never", source: never, to: toStage)
    try graph.add("a", source: ListSource([1]), to: toStage)
    #expect(graph.snapshot().node("a")?.state == .waiting)
    #expect(try await graph.remove("never").emitted == 0)
    let stop = StopSignal()
    async let end = graph.run(stop: stop)
    await eventually { await sink.items == [1] }
    stop.request()
    _ = try await end
    #expect(await never.runs == 0)
    #expect(graph.snapshot().isBalanced)
  }

  private actor TextSource: SourceStage {
    func run(_ context: SourceContext<String>) async throws {}
  }

  @Test("what cannot be added or removed is said with every reason, and changes nothing")
  func mistakes() async throws {
    let graph = try makeGraph(to: CollectingSink())
    try graph.add("a", source: ListSource([], stays: true), to: toStage)
    func addition(_ name: String, _ source: some SourceStage, _ edges: [SourceEdge]) -> String? {
      #expect(throws: GraphError.self) { try graph.add(name, source: source, to: edges) }?.description
    }
    #expect(
      addition("a", ListSource([]), [SourceEdge(to: "stag", capacity: 0, overflow: .suspend)])
        == "source 'a' cannot be added: there is a source of that name; "
        + "its edge to 'stag' has room for 0 items; it needs at least 1; "
        + "no stage is named 'stag'; there is stage, sink")
    #expect(
      addition("b", TextSource(), toStage)
        == "source 'b' cannot be added: it emits String, but 'stage' takes Int")
    #expect(addition("b", ListSource([]), []) == "source 'b' cannot be added: no stage takes what it emits")
    #expect(
      addition("stage", ListSource([]), [SourceEdge(to: "a", capacity: 1, overflow: .suspend)])
        == "source 'stage' cannot be added: a stage has that name; 'a' is a source, which receives nothing")
    #expect(
      addition("b", ListSource([]), toStage + toStage)
        == "source 'b' cannot be added: two of its edges lead to one stage")
    func removal(_ name: String) async -> String? {
      await #expect(throws: GraphError.self) { try await graph.remove(name) }?.description
    }
    #expect(
      await removal("b")
        == "source 'b' cannot be removed: there is no such source, or no more; there is a")
    #expect(
      await removal("sink") == "source 'sink' cannot be removed: it is a stage; only sources can be removed")
    #expect(graph.snapshot().sources.map(\.name) == ["a"])
    #expect(graph.snapshot().edges.count == 2)
    try await graph.remove("a")
    #expect(
      await removal("a")
        == "source 'a' cannot be removed: there is no such source, or no more; there are no sources")
    let stop = StopSignal()
    stop.request()
    _ = try await graph.run(stop: stop)
    #expect(addition("c", ListSource([]), toStage) == "source 'c' cannot be added: the run has ended")
  }

  @Test("a stage that has ended takes no more sources, and a source that has ended keeps its name")
  func endedStage() async throws {
    let (early, late) = (CollectingSink(), CollectingSink())
    var definition = GraphDefinition()
    definition.add("short", source: ListSource([1]))
    definition.add("long", source: ListSource([2], stays: true))
    definition.add("early", sink: early)
    definition.add("late", sink: late)
    definition.connect("short", to: "early", capacity: 1, overflow: .suspend)
    definition.connect("long", to: "late", capacity: 1, overflow: .suspend)
    let graph = try StageGraph(definition)
    async let end = graph.run()
    await eventually { graph.snapshot().node("early")?.state == .ended }
    let edges = ["late", "early"].map { SourceEdge(to: $0, capacity: 1, overflow: .suspend) }
    let ended = #expect(throws: GraphError.self) { try graph.add("more", source: ListSource([3]), to: edges) }
    #expect(ended?.description == "source 'more' cannot be added: stage 'early' has ended")
    let taken = #expect(throws: GraphError.self) {
      try graph.add("short", source: ListSource([3]), to: [edges[0]])
    }
    #expect(
      taken?.description
        == "source 'short' cannot be added: the source of that name has ended; remove it first")
    try await graph.remove("short")
    try graph.add("short", source: ListSource([3]), to: [edges[0]])
    await eventually { await late.items.sorted() == [2, 3] }
    try await graph.remove("long")
    _ = try await end
    #expect(graph.snapshot().isBalanced)
  }
}
