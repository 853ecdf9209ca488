import EyrieGraph
import Synchronization
import Testing

/// Items learn of their own loss, wherever that is.
@Suite struct AccountableItemTests {
  /// What was lost, as `StageGraph.losses` would say it.
  private final class Ledger: Sendable {
    private let losses = Mutex<[String: [String: Int]]>([:])
    var all: [String: [String: Int]] { losses.withLock { $0 } }
    func add(_ stage: String, _ reason: String) {
      losses.withLock { $0[stage, default: [:]][reason, default: 0] += 1 }
    }
  }

  private struct Item: AccountableItem {
    let number: Int
    let ledger: Ledger
    func wasLost(at stage: String, reason: String) { ledger.add(stage, reason) }
  }

  private actor Burst: SourceStage {
    let ledger: Ledger
    init(_ ledger: Ledger) { self.ledger = ledger }
    func run(_ context: SourceContext<Item>) async throws {
      for number in 0..<60 { _ = await context.emit(Item(number: number, ledger: ledger)) }
    }
  }

  private actor Picky: TransformStage {
    nonisolated let concurrency: Int
    init(_ concurrency: Int) { self.concurrency = concurrency }
    func process(_ item: Item, permit: Void) async throws(StageFailure) -> StageResult<Item> {
      await Task.yield()
      switch item.number % 4 {
      case 0: return .drop(reason: "dull")
      case 1: throw .item(reason: "broken", message: "\(item.number)")
      default: return .emit(item)
      }
    }
  }

  private actor Fragile: SinkStage {
    private var seen = 0
    private let limit: Int
    init(limit: Int) { self.limit = limit }
    struct Full: Error {}
    func consume(_ item: Item) async throws(StageFailure) {
      seen += 1
      if seen > limit { throw .fatal(Full()) }
      if item.number % 8 == 2 { throw .item(reason: "unwritable", message: "\(item.number)") }
      for _ in 0..<3 { await Task.yield() }
    }
  }

  @Test(
    "are told of each loss under the stage and the reason that count it",
    arguments: [1, 4], OverflowPolicy.allCases)
  func told(concurrency: Int, overflow: OverflowPolicy) async throws {
    // The sink that ends early makes the run drop what is queued; the other lets it come to its end.
    for limit in [4, 1_000] {
      let ledger = Ledger()
      var definition = GraphDefinition()
      definition.add("burst", source: Burst(ledger))
      definition.add("picky", transform: Picky(concurrency))
      definition.add("fragile", sink: Fragile(limit: limit))
      definition.connect("burst", to: "picky", capacity: 2, overflow: overflow)
      definition.connect("picky", to: "fragile", capacity: 1, overflow: overflow)
      let graph = try StageGraph(definition)
      _ = try? await graph.run()
      #expect(ledger.all == graph.losses())
      #expect(!ledger.all.isEmpty && graph.snapshot().isBalanced)
    }
  }
}
