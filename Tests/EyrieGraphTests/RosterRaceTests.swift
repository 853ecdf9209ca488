import Testing

@testable import EyrieGraph

@Suite("Sources that come and go at once", .timeLimit(.minutes(10)))
struct RosterRaceTests {
  private let toStage = [SourceEdge(to: "stage", capacity: 2, overflow: .suspend)]

  /// A graph of a concurrent stage and two sinks that waits for sources.
  private func makeGraph(_ sink: CollectingSink, _ second: CollectingSink) throws -> StageGraph {
    var definition = GraphDefinition(keepsRunning: true)
    definition.add(
      "stage", transform: ClosureStage(concurrency: 3, streamOf: { "\($0 / 1_000)" }) { .emit($0) })
    definition.add("sink", sink: sink)
    definition.add("second", sink: second)
    definition.connect("stage", to: "sink", capacity: 2, overflow: .suspend)
    return try StageGraph(definition)
  }

  /// All that was ever offered, and whether each edge accounts for its part of it.
  private func offered(_ snapshot: GraphSnapshot) -> (count: Int, holds: Bool) {
    let edges = snapshot.edges.filter { $0.from != "stage" }
    let gone = snapshot.removed.edges.values
    return (
      edges.reduce(0) { $0 + $1.offered } + gone.reduce(0) { $0 + $1.offered },
      edges.allSatisfy { $0.offered == $0.delivered + $0.dropped + $0.inFlight }
        && gone.allSatisfy { $0.offered == $0.delivered + $0.dropped }
    )
  }

  @Test("every item is accounted for while sources are added and removed from several tasks")
  func flow() async throws {
    let (sink, second) = (CollectingSink(), CollectingSink())
    let graph = try makeGraph(sink, second)
    let stop = StopSignal()
    async let end = graph.run(stop: stop)
    let emitted = Recorder<Int>()
    try await withThrowingTaskGroup { group in
      for task in 0..<4 {
        group.addTask {
          for round in 0..<25 {
            let policy = OverflowPolicy.allCases[round % 3]
            try graph.add(
              "source \(task)", source: EndlessSource(),
              to: [
                SourceEdge(to: "stage", capacity: 1 + round % 4, overflow: policy),
                SourceEdge(to: "second", capacity: 1, overflow: .dropOldest),
              ])
            if !round.isMultiple(of: 5) {
              await eventually { graph.snapshot().node("source \(task)")?.emitted ?? 0 > round % 7 }
            }
            emitted.add(try await graph.remove("source \(task)").emitted)
          }
        }
      }
      group.addTask {
        var before = 0
        while graph.snapshot().removed.count < 100 {
          let (count, holds) = offered(graph.snapshot())
          #expect(holds)
          #expect(count >= before, "what was removed must not be forgotten")
          before = count
          await Task.yield()
        }
      }
      try await group.waitForAll()
    }
    #expect(graph.snapshot().sources.isEmpty)
    #expect(graph.snapshot().edges.count == 1)
    stop.request()
    #expect(try await end == GraphEnd(leftBehind: 0, wasStopped: true))
    let last = graph.snapshot()
    #expect(last.isBalanced)
    #expect(last.removed.count == 100)
    #expect(last.removed.emitted == emitted.all.reduce(0, +))
    #expect(last.removed.edges["stage"]?.offered == last.removed.emitted)
    #expect(await sink.items.count == last.removed.edges["stage"]?.delivered)
    #expect(await second.items.count == last.removed.edges["second"]?.delivered)
    let dropped = graph.losses()
    #expect(dropped["stage"]?["queue_full"] ?? 0 == last.removed.edges["stage"]?.overflowed)
  }

  @Test("a stop between additions ends the run, and every source that was let in", arguments: [false, true])
  func stopDuringAdditions(cancels: Bool) async throws {
    let (sink, second) = (CollectingSink(), CollectingSink())
    let graph = try makeGraph(sink, second)
    let stop = StopSignal()
    let run = Task { try await graph.run(stop: stop) }
    let refusals = Recorder<String>()
    await withTaskGroup { group in
      for task in 0..<3 {
        group.addTask {
          for round in 0..<Int.max {
            do throws(GraphError) {
              try graph.add("source \(task)/\(round)", source: EndlessSource(), to: toStage)
            } catch {
              refusals.add(error.description)
              return
            }
            await Task.yield()
          }
        }
      }
      await eventually { await sink.items.count > 20 }
      if cancels { run.cancel() } else { stop.request() }
    }
    _ = try await run.value
    #expect(refusals.all.count == 3)
    let last = graph.snapshot()
    #expect(last.sources.allSatisfy { $0.state == .ended })
    #expect(last.isBalanced)
    #expect(last.inFlight == 0)
  }

  @Test("who waits for a removal can be cancelled; the source leaves all the same")
  func cancelledWait() async throws {
    let door = Door()
    let sink = CollectingSink(door: door)
    let graph = try makeGraph(sink, CollectingSink())
    let stop = StopSignal()
    async let end = graph.run(stop: stop)
    try graph.add("a", source: EndlessSource(), to: toStage)
    await eventually { graph.snapshot().edges.contains { $0.from == "a" && $0.inFlight == 3 } }
    let removal = Task { try await graph.remove("a") }
    await eventually { graph.snapshot().node("a")?.state == .stopping }
    removal.cancel()
    let error = await #expect(throws: GraphError.self) { try await removal.value }
    #expect(error?.description == "source 'a' is still ending: the wait for it was cancelled")
    #expect(graph.snapshot().node("a")?.state == .stopping)
    door.open()
    await eventually { graph.snapshot().removed.count == 1 }
    stop.request()
    _ = try await end
    #expect(graph.snapshot().isBalanced)
  }

  @Test("the end of the run ends removals under way", arguments: [false, true])
  func abortedRemoval(cancels: Bool) async throws {
    let door = Door()
    let graph = try makeGraph(CollectingSink(door: door), CollectingSink())
    let stop = StopSignal()
    let run = Task { try await graph.run(stop: stop, drainDeadline: .milliseconds(10)) }
    for name in ["a", "b"] { try graph.add(name, source: EndlessSource(), to: toStage) }
    await eventually { graph.snapshot().edges.filter { $0.to == "stage" && $0.inFlight == 3 }.count == 2 }
    async let first = graph.remove("a")
    async let second = graph.remove("b")
    await eventually { graph.snapshot().sources.allSatisfy { $0.state == .stopping } }
    if cancels { run.cancel() } else { stop.request() }
    let emitted = try await first.emitted + second.emitted
    door.open()
    _ = try await run.value
    let last = graph.snapshot()
    #expect(last.removed.emitted == emitted)
    #expect(last.removed.edges["stage"]?.discarded ?? 0 >= 6)
    #expect(last.isBalanced)
    #expect(last.inFlight == 0)
  }

  /// Emits one item, and tells when it is destroyed.
  private actor PassingSource: SourceStage {
    private let gone: Tally
    private let stays: Bool

    init(_ gone: Tally, stays: Bool) {
      self.gone = gone
      self.stays = stays
    }

    deinit { gone.add() }

    func run(_ context: SourceContext<Int>) async throws {
      _ = await context.emit(0)
      if stays { await context.stop.wait() }
    }
  }

  @Test("nothing grows with the number of sources that came and went")
  func noGrowth() async throws {
    let (sink, second) = (CollectingSink(), CollectingSink())
    let graph = try makeGraph(sink, second)
    let stop = StopSignal()
    async let end = graph.run(stop: stop)
    try graph.add("stays", source: ListSource([0], stays: true), to: toStage)
    let gone = Tally()
    for number in 1...2_000 {
      try graph.add(
        "source \(number)", source: PassingSource(gone, stays: number.isMultiple(of: 2)), to: toStage)
      try await graph.remove("source \(number)")
      #expect(stop.actionCount <= 2, "the run's signal must forget the sources that left")
    }
    // The task of the last one may still be about to end.
    await eventually { gone.value == 2_000 }
    #expect(graph.snapshot().nodes.count == 4)
    #expect(graph.snapshot().edges.count == 2)
    stop.request()
    _ = try await end
    #expect(graph.snapshot().removed.count == 2_000)
    #expect(graph.snapshot().isBalanced)
  }

  @Test("an inbox forgets lanes that are closed and empty, and counts what comes too late")
  func lanes() async throws {
    let inbox = Inbox<Int>(stage: "taker")
    let stay = try #require(inbox.addLane(capacity: 1, policy: .suspend))
    let finished = Tally()
    for number in 0..<10_000 {
      let added = inbox.addLane(capacity: 1 + number % 3, policy: .suspend) { finished.add() }
      let lane = try #require(added)
      _ = await inbox.send(number, through: lane)
      inbox.close(lane)
      #expect(finished.value == number)
      #expect(await inbox.receive() == number)
      #expect(finished.value == number + 1)
      #expect(await inbox.send(number, through: lane) == .closed)
      #expect(inbox.counts(lane).offered == 2)
      #expect(inbox.counts(lane).discarded == 1)
      #expect(inbox.openLanes == 1)
    }
    inbox.close(stay)
    #expect(await inbox.receive() == nil)
    #expect(inbox.addLane(capacity: 1, policy: .suspend) == nil, "its receiver has been told that it is over")
  }
}
