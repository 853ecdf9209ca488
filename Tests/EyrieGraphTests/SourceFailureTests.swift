import Testing

@testable import EyrieGraph

@Suite("Sources that fail for good", .timeLimit(.minutes(10)))
struct SourceFailureTests {
  private func makeGraph(
    _ sink: CollectingSink, keepsRunning: Bool = false, _ sources: [(String, any SourceStage<Int>)],
    onFailure: SourceFailurePolicy = .endSource
  ) throws -> StageGraph {
    var definition = GraphDefinition(keepsRunning: keepsRunning)
    definition.add("sink", sink: sink)
    for (name, source) in sources {
      definition.add(name, source: source, onFailure: onFailure)
      definition.connect(name, to: "sink", capacity: 1, overflow: .suspend)
    }
    return try StageGraph(definition)
  }

  @Test("a source that fails ends alone, is told of, and the others go on")
  func isolation() async throws {
    let sink = CollectingSink()
    let door = Door()
    let incidents = Recorder<Incident>()
    let graph = try makeGraph(
      sink,
      [("bad", BrokenSource("no such host")), ("good", CountingSource(1...50)), ("held", HeldSource(door))])
    async let end = graph.run { incidents.add($0) }
    await eventually { graph.snapshot().node("bad")?.state == .failed("no such host") }
    await eventually { await sink.items.count == 50 }
    door.open()
    #expect(try await end == GraphEnd(leftBehind: 0, wasStopped: false))
    #expect(await sink.items == Array(1...50) + [0])
    #expect(incidents.all.map(\.stage) == ["bad"])
    #expect(incidents.all.map(\.reason) == ["source_failed"])
    #expect(incidents.all.map(\.message) == ["no such host; this source has ended"])
    #expect(graph.snapshot().node("good")?.state == .ended)
    #expect(graph.snapshot().isBalanced)
  }

  /// Emits one item when a door is opened.
  private actor HeldSource: SourceStage {
    private let door: Door
    init(_ door: Door) { self.door = door }

    func run(_ context: SourceContext<Int>) async throws {
      await door.pass()
      _ = await context.emit(0)
    }
  }

  @Test("the run fails when all its sources have")
  func all() async throws {
    let sink = CollectingSink()
    let several = try makeGraph(
      sink,
      [
        ("a", BrokenSource("no such host")),
        ("b", CountingSource(1...5, failure: TestError(description: "cut"))),
      ])
    let error = await #expect(throws: GraphError.self) { try await several.run() }
    #expect(error?.description == "all 2 sources have failed: a: no such host; b: cut")
    #expect(await sink.items == [1], "what they had emitted is delivered")
    #expect(await sink.isFinished)
    let one = try makeGraph(CollectingSink(), [("a", BrokenSource("no such host"))])
    let single = await #expect(throws: GraphError.self) { try await one.run() }
    #expect(single?.description == "stage a: no such host")
  }

  @Test("a source that may not fail ends the run, whatever the others do")
  func failRun() async throws {
    let graph = try makeGraph(
      CollectingSink(), [("a", EndlessSource()), ("b", BrokenSource("no such host"))], onFailure: .failRun)
    let error = await #expect(throws: GraphError.self) { try await graph.run() }
    #expect(error?.description == "stage b: no such host")
    #expect(graph.snapshot().isBalanced)
  }

  @Test("a source that gives up after attempts ends alone too")
  func givingUp() async throws {
    let sink = CollectingSink()
    var definition = GraphDefinition()
    definition.add("sink", sink: sink)
    definition.add("flaky", source: ChoosySource(), restart: .restart(Backoff()), onFailure: .endSource)
    definition.add("good", source: CountingSource(1...3))
    definition.connect("flaky", to: "sink", capacity: 1, overflow: .suspend)
    definition.connect("good", to: "sink", capacity: 1, overflow: .suspend)
    let graph = try StageGraph(definition)
    let incidents = Recorder<String>()
    _ = try await graph.run { incidents.add($0.reason) }
    #expect(incidents.all == ["flaky", "flaky", "source_failed"])
    #expect(graph.snapshot().node("flaky")?.state == .failed("failure 3"))
    #expect(graph.snapshot().node("flaky")?.restarts == 2)
    #expect(await sink.items == [1, 2, 3])
  }

  @Test("a run that keeps running outlives the failure of all its sources")
  func keepsRunning() async throws {
    let sink = CollectingSink()
    let graph = try makeGraph(sink, keepsRunning: true, [("bad", BrokenSource("no such host"))])
    let stop = StopSignal()
    async let end = graph.run(stop: stop)
    await eventually { graph.snapshot().node("bad")?.state == .failed("no such host") }
    try await graph.remove("bad")
    try graph.add(
      "bad", source: CountingSource(1...2), to: [SourceEdge(to: "sink", capacity: 1, overflow: .suspend)])
    await eventually { await sink.items == [1, 2] }
    stop.request()
    #expect(try await end.wasStopped)
  }

  /// Takes the stop for an error, as code does whose read was broken off.
  private actor TouchySource: SourceStage {
    func run(_ context: SourceContext<Int>) async throws {
      await context.stop.wait()
      throw TestError(description: "interrupted")
    }
  }

  @Test("the error of a source that is removed is an incident, even where failures end the run")
  func removal() async throws {
    let graph = try makeGraph(
      CollectingSink(), [("a", TouchySource()), ("b", ListSource([1], stays: true))], onFailure: .failRun)
    let incidents = Recorder<String>()
    async let end = graph.run { incidents.add($0.message) }
    await eventually { graph.snapshot().node("a")?.state == .running }
    #expect(try await graph.remove("a").state == .failed("interrupted"))
    #expect(incidents.all == ["interrupted; this source has ended"])
    try await graph.remove("b")
    _ = try await end
  }
}
