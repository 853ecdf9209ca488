import Testing

@testable import EyrieGraph

@Suite("A running graph", .timeLimit(.minutes(10)))
struct StageGraphTests {
  private func graph(
    _ source: some SourceStage<Int>, _ stage: ClosureStage, _ sink: CollectingSink,
    overflow: OverflowPolicy = .suspend, capacity: Int = 2, restart: RestartPolicy = .never
  ) throws -> StageGraph {
    var definition = GraphDefinition()
    definition.add("source", source: source, restart: restart)
    definition.add("stage", transform: stage)
    definition.add("sink", sink: sink)
    definition.connect("source", to: "stage", capacity: capacity, overflow: overflow)
    definition.connect("stage", to: "sink", capacity: capacity, overflow: .suspend)
    return try StageGraph(definition)
  }

  @Test("delivers everything in order, however concurrent its stages are", arguments: [1, 2, 8])
  func order(concurrency: Int) async throws {
    let sink = CollectingSink()
    let stage = ClosureStage(concurrency: concurrency) { number in
      for _ in 0..<(number * 7919 % 13) { await Task.yield() }
      return .emit(number * 2)
    }
    let graph = try graph(CountingSource(1...500), stage, sink)
    let end = try await graph.run()
    #expect(await sink.items == (1...500).map { $0 * 2 })
    #expect(await sink.isFinished)
    #expect(end == GraphEnd(leftBehind: 0, wasStopped: false))
    let snapshot = graph.snapshot()
    #expect(snapshot.isBalanced)
    #expect(snapshot.inFlight == 0)
    #expect(snapshot.node("stage")?.service.count == 500)
  }

  @Test("keeps order within a stream, and lets no stream hold up another")
  func streams() async throws {
    let door = Door()
    let sink = CollectingSink()
    let stage = ClosureStage(concurrency: 4, streamOf: { $0.isMultiple(of: 2) ? "even" : "odd" }) { number in
      if number == 1 { await door.pass() }
      return .emit(number)
    }
    let graph = try graph(CountingSource(1...6), stage, sink, capacity: 6)
    async let end = graph.run()
    await eventually { await sink.items == [2, 4, 6] }
    door.open()
    _ = try await end
    let items = await sink.items
    #expect(items.filter { $0.isMultiple(of: 2) } == [2, 4, 6])
    #expect(items.filter { !$0.isMultiple(of: 2) } == [1, 3, 5])
  }

  /// An item that others wait for.
  private final class Loan: Sendable {
    let number: Int
    private let returned: Tally

    init(_ number: Int, returned: Tally) {
      self.number = number
      self.returned = returned
    }

    deinit { returned.add() }
  }

  private actor Lender: SourceStage {
    private let returned: Tally
    init(returned: Tally) { self.returned = returned }

    func run(_ context: SourceContext<Loan>) async throws {
      for number in 1...3 { _ = await context.emit(Loan(number, returned: returned)) }
    }
  }

  private actor Borrower: TransformStage {
    nonisolated let concurrency: Int
    private let door: Door

    init(concurrency: Int, door: Door) {
      self.concurrency = concurrency
      self.door = door
    }

    func process(_ input: Loan, permit: Void) async throws(StageFailure) -> StageResult<Int> {
      if input.number == 1 { await door.pass() }
      return .emit(input.number)
    }
  }

  @Test("lets go of an item when the work on it is done, not when its turn comes", arguments: [3, 4])
  func release(concurrency: Int) async throws {
    let door = Door()
    let returned = Tally()
    let sink = CollectingSink()
    var definition = GraphDefinition()
    definition.add("source", source: Lender(returned: returned))
    definition.add("stage", transform: Borrower(concurrency: concurrency, door: door))
    definition.add("sink", sink: sink)
    definition.connect("source", to: "stage", capacity: 3, overflow: .suspend)
    definition.connect("stage", to: "sink", capacity: 3, overflow: .suspend)
    let graph = try StageGraph(definition)
    async let end = graph.run()
    await eventually { returned.value == 2 }
    #expect(await sink.items.isEmpty)
    door.open()
    _ = try await end
    #expect(await sink.items == [1, 2, 3])
    #expect(returned.value == 3)
  }

  @Test("counts items that fail or are dropped, and goes on")
  func itemFailures() async throws {
    let incidents = Recorder<Incident>()
    let sink = CollectingSink()
    let stage = ClosureStage { number throws(StageFailure) in
      if number.isMultiple(of: 10) { throw .item(reason: "bad_number", message: "\(number) is bad") }
      return number.isMultiple(of: 3) ? .drop(reason: "multiple_of_three") : .emit(number)
    }
    let graph = try graph(CountingSource(1...100), stage, sink)
    _ = try await graph.run { incidents.add($0) }
    let node = try #require(graph.snapshot().node("stage"))
    #expect(node.failed == ["bad_number": 10])
    #expect(node.dropped == ["multiple_of_three": 30])
    #expect(node.emitted == 60)
    #expect(graph.snapshot().isBalanced)
    #expect(incidents.all.count == 10)
    #expect(incidents.all.first?.message == "10 is bad")
  }

  @Test("ends with the error of a stage that cannot go on", arguments: [1, 4])
  func fatal(concurrency: Int) async throws {
    let sink = CollectingSink()
    let stage = ClosureStage(concurrency: concurrency) { number throws(StageFailure) in
      if number == 20 { throw .fatal(TestError(description: "the device is gone")) }
      return .emit(number)
    }
    let graph = try graph(EndlessSource(), stage, sink)
    let error = await #expect(throws: GraphError.self) { try await graph.run() }
    #expect(error?.description == "stage stage: the device is gone")
    #expect(await sink.isFinished)
    #expect(graph.snapshot().isBalanced)
    #expect(graph.snapshot().inFlight == 0)
  }

  @Test("ends when a sink cannot go on")
  func fatalSink() async throws {
    let graph = try graph(EndlessSource(), ClosureStage { .emit($0) }, CollectingSink(failAt: 5))
    let error = await #expect(throws: GraphError.self) { try await graph.run() }
    #expect(error?.description == "stage sink: cannot write 5")
    #expect(graph.snapshot().isBalanced)
  }

  @Test(
    "drops at a full edge by its policy and accounts for it",
    arguments: [OverflowPolicy.dropOldest, .dropNewest])
  func overflow(policy: OverflowPolicy) async throws {
    let door = Door()
    let sink = CollectingSink()
    let stage = ClosureStage { number in
      await door.pass()
      return .emit(number)
    }
    let graph = try graph(CountingSource(1...50), stage, sink, overflow: policy)
    async let end = graph.run()
    await eventually { graph.snapshot().edges[0].offered == 50 }
    door.open()
    _ = try await end
    let edge = graph.snapshot().edges[0]
    #expect(edge.offered == edge.delivered + edge.dropped)
    #expect(edge.delivered <= 4)
    #expect(edge.highWaterMark == 2)
    #expect(graph.snapshot().isBalanced)
    let items = await sink.items
    #expect(items.count == edge.delivered)
    #expect(items == items.sorted())
    switch policy {
    case .dropOldest: #expect(items.last == 50)
    // There was room for two; when the stage took the first of them, and so made room for another, is chance.
    default: #expect(items.starts(with: [1, 2]))
    }
  }

  @Test("delivers what is in flight when it is stopped")
  func stop() async throws {
    let stop = StopSignal()
    let sink = CollectingSink()
    let graph = try graph(EndlessSource(), ClosureStage { .emit($0) }, sink)
    async let end = graph.run(stop: stop)
    await eventually { await sink.items.count > 100 }
    stop.request()
    #expect(try await end == GraphEnd(leftBehind: 0, wasStopped: true))
    let items = await sink.items
    #expect(items == Array(0..<items.count))
    #expect(graph.snapshot().node("source")?.emitted == items.count)
  }

  @Test("says what it left behind when the drain takes too long")
  func drainDeadline() async throws {
    let stop = StopSignal()
    let door = Door()
    let sink = CollectingSink(door: door)
    let graph = try graph(EndlessSource(), ClosureStage { .emit($0) }, sink)
    async let end = graph.run(stop: stop, drainDeadline: .milliseconds(50))
    await eventually { graph.snapshot().inFlight >= 4 }
    stop.request()
    // The sink lets go only after the deadline has passed and the queues were given up.
    await eventually { graph.snapshot().edges.allSatisfy { $0.inFlight == 0 } }
    door.open()
    #expect(try await end.leftBehind >= 4)
    #expect(graph.snapshot().isBalanced)
  }

  @Test("ends when its task is cancelled")
  func cancellation() async throws {
    let sink = CollectingSink()
    let graph = try graph(EndlessSource(), ClosureStage(concurrency: 3) { .emit($0) }, sink)
    let task = Task { try await graph.run() }
    await eventually { await sink.items.count > 10 }
    task.cancel()
    _ = try await task.value
    #expect(graph.snapshot().inFlight == 0)
    #expect(graph.snapshot().isBalanced)
  }

  @Test("starts a failing source again with a pause, and says so")
  func restart() async throws {
    let sink = CollectingSink()
    let source = CountingSource(1...10, failure: TestError(description: "cable pulled"), failures: 3)
    let policy = RestartPolicy.restart(Backoff(initial: .milliseconds(1), cap: .milliseconds(2)))
    let incidents = Recorder<String>()
    let graph = try graph(source, ClosureStage { .emit($0) }, sink, restart: policy)
    _ = try await graph.run { incidents.add($0.message) }
    #expect(await sink.items == Array(1...10))
    #expect(graph.snapshot().node("source")?.restarts == 3)
    #expect(incidents.all == Array(repeating: "cable pulled; trying again", count: 3))
  }

  @Test("asks a source what follows its error, and tells it what will")
  func recovery() async throws {
    let source = ChoosySource()
    let policy = RestartPolicy.restart(
      Backoff(initial: .seconds(3600), cap: .seconds(3600), floor: .seconds(3600)))
    let incidents = Recorder<String>()
    let graph = try graph(source, ClosureStage { .emit($0) }, CollectingSink(), restart: policy)
    let error = await #expect(throws: GraphError.self) { try await graph.run { incidents.add($0.reason) } }
    #expect(error?.description == "stage source: failure 3")
    #expect(await source.restarts == [1, 2])
    #expect(incidents.all == ["flaky", "flaky"])
  }

  @Test("ends with the error of a source that must not be restarted")
  func sourceFailure() async throws {
    let sink = CollectingSink()
    let source = CountingSource(1...10, failure: TestError(description: "no such file"))
    let graph = try graph(source, ClosureStage { .emit($0) }, sink)
    let error = await #expect(throws: GraphError.self) { try await graph.run() }
    #expect(error?.description == "stage source: no such file")
  }

  @Test("runs once")
  func once() async throws {
    let graph = try graph(CountingSource(1...2), ClosureStage { .emit($0) }, CollectingSink())
    _ = try await graph.run()
    await #expect(throws: GraphError.self) { try await graph.run() }
  }

  @Test("copies items to every edge of a stage, and merges several sources fairly")
  func fanOutAndIn() async throws {
    let first = CollectingSink()
    let second = CollectingSink()
    var definition = GraphDefinition()
    definition.add("low", source: CountingSource(1...50))
    definition.add("high", source: CountingSource(1_001...1_050))
    definition.add("stage", transform: ClosureStage(concurrency: 2) { .emit($0) })
    definition.add("first", sink: first)
    definition.add("second", sink: second)
    definition.connect("low", to: "stage", capacity: 1, overflow: .suspend)
    definition.connect("high", to: "stage", capacity: 1, overflow: .suspend)
    definition.connect("stage", to: "first", capacity: 1, overflow: .suspend)
    definition.connect("stage", to: "second", capacity: 1, overflow: .suspend)
    let graph = try StageGraph(definition)
    _ = try await graph.run()
    let items = await first.items
    #expect(items == (await second.items))
    #expect(items.filter { $0 < 1_000 } == Array(1...50))
    #expect(items.filter { $0 > 1_000 } == Array(1_001...1_050))
    #expect(graph.snapshot().isBalanced)
  }

  @Test("takes an item off the queue only when its stage has a permit")
  func permits() async throws {
    actor PermitStage: TransformStage {
      let door: Door
      init(door: Door) { self.door = door }
      func admit() async throws(StageFailure) -> Int {
        await door.pass()
        return 7
      }
      func process(_ input: Int, permit: Int) async throws(StageFailure) -> StageResult<Int> {
        .emit(input * permit)
      }
    }
    let door = Door()
    let sink = CollectingSink()
    var definition = GraphDefinition()
    definition.add("source", source: CountingSource(1...9))
    definition.add("stage", transform: PermitStage(door: door))
    definition.add("sink", sink: sink)
    definition.connect("source", to: "stage", capacity: 1, overflow: .dropOldest)
    definition.connect("stage", to: "sink", capacity: 1, overflow: .suspend)
    let graph = try StageGraph(definition)
    async let end = graph.run()
    await eventually { graph.snapshot().edges[0].offered == 9 }
    door.open()
    _ = try await end
    #expect(await sink.items == [63], "only the newest item was still there when the permit came")
  }

  @Test("does not report a wait that the end of the run broke off")
  func brokenOffWait() async throws {
    actor GreedyStage: TransformStage {
      func admit() async throws(StageFailure) {
        do {
          try await Task.sleep(for: .seconds(3_600))
        } catch {
          throw .item(reason: "cancelled", message: "\(error)")
        }
      }
      func process(_ input: Int, permit: Void) async throws(StageFailure) -> StageResult<Int> { .emit(input) }
    }
    var definition = GraphDefinition()
    definition.add("source", source: EndlessSource())
    definition.add("stage", transform: GreedyStage())
    definition.add("sink", sink: CollectingSink())
    definition.connect("source", to: "stage", capacity: 1, overflow: .dropOldest)
    definition.connect("stage", to: "sink", capacity: 1, overflow: .suspend)
    let graph = try StageGraph(definition)
    let stop = StopSignal()
    stop.request()
    let incidents = Recorder<String>()
    _ = try await graph.run(stop: stop, drainDeadline: .milliseconds(1)) { incidents.add($0.message) }
    #expect(incidents.all.isEmpty)
  }
}
