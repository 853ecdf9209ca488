import Testing

@testable import EyrieGraph

@Suite("Fairness", .timeLimit(.minutes(10)))
struct FairnessTests {
  @Test("busy lanes get equal shares, whatever their capacities, policies and rates")
  func shares() async throws {
    let inbox = Inbox<Int>(stage: "taker")
    let terms: [(capacity: Int, policy: OverflowPolicy)] = [
      (1, .dropOldest), (3, .dropNewest), (32, .dropOldest), (8, .suspend), (16, .dropOldest),
      (4, .dropOldest),
    ]
    let lanes = try terms.map { try #require(inbox.addLane(capacity: $0.capacity, policy: $0.policy)) }
    let (busy, slow, dead) = ([0, 1, 2, 3], 4, 5)
    var taken: [Int] = []
    for step in 0..<600 {
      // The first brings one item a step, the others many at once, in bursts; the slow one is often empty.
      _ = await inbox.send(0, through: lanes[0])
      if step.isMultiple(of: 3) { for _ in 0..<3 { _ = await inbox.send(1, through: lanes[1]) } }
      if step.isMultiple(of: 32) { for _ in 0..<32 { _ = await inbox.send(2, through: lanes[2]) } }
      while inbox.counts(lanes[3]).depth < 8 { _ = await inbox.send(3, through: lanes[3]) }
      if step.isMultiple(of: 50) { _ = await inbox.send(slow, through: lanes[slow]) }
      taken.append(await inbox.receive() ?? -1)
    }
    for start in stride(from: 0, to: 560, by: 7) {
      for length in 1...40 {
        let window = taken[start..<(start + length)]
        let counts = busy.map { lane in window.count { $0 == lane } }
        #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 1, "\(counts) of \(length) at \(start)")
      }
    }
    #expect(taken.count { $0 == slow } == 12, "a slow lane gets all it asks for")
    #expect(inbox.counts(lanes[dead]).delivered == 0)
  }

  @Test("a lane whose next item comes right after its turn gets no more than one that has to wait for it")
  func phases() async throws {
    let inbox = Inbox<Int>(stage: "taker")
    let lanes = try (0..<6).map { _ in try #require(inbox.addLane(capacity: 1, policy: .dropOldest)) }
    for (number, lane) in lanes.enumerated() { _ = await inbox.send(number, through: lane) }
    var counts = [Int](repeating: 0, count: 6)
    // Each is filled again after its turn: the first at once, the last only after five more turns, as cameras
    // are that share a detector which is too slow for them.
    var due: [(step: Int, lane: Int)] = []
    for step in 0..<600 {
      for (_, lane) in due.filter({ $0.step <= step }) { _ = await inbox.send(lane, through: lanes[lane]) }
      due.removeAll { $0.step <= step }
      let item = try #require(await inbox.receive())
      counts[item] += 1
      if item == 0 { _ = await inbox.send(0, through: lanes[0]) } else { due.append((step + item, item)) }
    }
    #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 1, "\(counts)")
  }

  @Test("shares stay equal while other lanes come and go")
  func comingAndGoing() async throws {
    let inbox = Inbox<Int>(stage: "taker")
    let stay = try (0..<2).map { _ in try #require(inbox.addLane(capacity: 4, policy: .suspend)) }
    var counts = [0, 0]
    for round in 0..<500 {
      let guest = try #require(inbox.addLane(capacity: 2, policy: .suspend))
      for _ in 0..<(round % 3) { _ = await inbox.send(2, through: guest) }
      inbox.close(guest)
      for (number, lane) in stay.enumerated() {
        while inbox.counts(lane).depth < 4 { _ = await inbox.send(number, through: lane) }
      }
      for _ in 0..<(round % 4) {
        let item = await inbox.receive() ?? -1
        if item < 2 { counts[item] += 1 }
        #expect(abs(counts[0] - counts[1]) <= 1)
      }
    }
    #expect(counts[0] > 100)
  }

  /// Emits one number without end, as fast as it can.
  private actor Repeater: SourceStage {
    private let number: Int
    init(_ number: Int) { self.number = number }

    func run(_ context: SourceContext<Int>) async throws {
      while !context.stop.isRequested {
        guard await context.emit(number) else { return }
        await Task.yield()
      }
    }
  }

  /// Emits nothing until it is stopped.
  private actor DeadSource: SourceStage {
    func run(_ context: SourceContext<Int>) async throws { await context.stop.wait() }
  }

  @Test(
    "sources share a stage that is slower than they are, also when their items cost more", arguments: [1, 3])
  func stage(concurrency: Int) async throws {
    let sink = CollectingSink()
    var definition = GraphDefinition()
    definition.add(
      "stage",
      transform: ClosureStage(concurrency: concurrency, streamOf: { "\($0)" }) { number in
        // The items of source 3 are the big ones.
        for _ in 0..<(number == 3 ? 400 : 20) { await Task.yield() }
        return .emit(number)
      })
    definition.add("sink", sink: sink)
    definition.connect("stage", to: "sink", capacity: 2, overflow: .suspend)
    for number in 1...3 {
      definition.add("\(number)", source: Repeater(number))
      definition.connect(
        "\(number)", to: "stage", capacity: 8, overflow: number == 2 ? .dropOldest : .suspend)
    }
    definition.add("dead", source: DeadSource())
    definition.connect("dead", to: "stage", capacity: 1, overflow: .dropOldest)
    let graph = try StageGraph(definition)
    let stop = StopSignal()
    async let end = graph.run(stop: stop)
    await eventually { graph.snapshot().edges.filter { $0.delivered >= 20 }.count >= 3 }
    let before = graph.snapshot()
    await eventually {
      graph.snapshot().node("stage")?.received ?? 0 >= (before.node("stage")?.received ?? 0) + 150
    }
    let after = graph.snapshot()
    let shares = (1...3).map { number in
      func delivered(_ snapshot: GraphSnapshot) -> Int {
        snapshot.edges.first { $0.from == "\(number)" }?.delivered ?? 0
      }
      return delivered(after) - delivered(before)
    }
    stop.request()
    _ = try await end
    // A source that has just been scheduled late may have missed a turn.
    #expect((shares.min() ?? 0) * 10 >= (shares.max() ?? 0) * 9, "\(shares)")
    #expect(graph.snapshot().isBalanced)
  }

  @Test("a slow item takes one slot, and its stream's later results take none")
  func slowItem() async throws {
    let door = Door()
    let sink = CollectingSink()
    let stage = ClosureStage(concurrency: 2, streamOf: { $0 < 10 ? "slow" : "other" }) { number in
      if number == 1 { await door.pass() }
      return .emit(number)
    }
    let source = ListSource([1, 2, 3, 4, 10, 5, 11, 12])
    var definition = GraphDefinition()
    definition.add("source", source: source)
    definition.add("stage", transform: stage)
    definition.add("sink", sink: sink)
    definition.connect("source", to: "stage", capacity: 1, overflow: .suspend)
    definition.connect("stage", to: "sink", capacity: 1, overflow: .suspend)
    let graph = try StageGraph(definition)
    async let end = graph.run()
    await eventually { await sink.items == [10, 11, 12] }
    door.open()
    _ = try await end
    #expect(await sink.items == [10, 11, 12, 1, 2, 3, 4, 5])
  }

  @Test("what is under way in a stage stays bounded while an item is slow")
  func bound() async throws {
    let door = Door()
    let sink = CollectingSink()
    let stage = ClosureStage(concurrency: 2) { number in
      if number == 1 { await door.pass() }
      return .emit(number)
    }
    var definition = GraphDefinition()
    definition.add("source", source: CountingSource(1...100))
    definition.add("stage", transform: stage)
    definition.add("sink", sink: sink)
    definition.connect("source", to: "stage", capacity: 1, overflow: .suspend)
    definition.connect("stage", to: "sink", capacity: 1, overflow: .suspend)
    let graph = try StageGraph(definition)
    async let end = graph.run()
    await eventually {
      graph.snapshot().node("stage")?.received == 8 && graph.snapshot().edges[0].inFlight == 2
    }
    for _ in 0..<1_000 { await Task.yield() }
    #expect(graph.snapshot().node("stage")?.received == 8)
    door.open()
    _ = try await end
    #expect(await sink.items == Array(1...100))
  }
}
