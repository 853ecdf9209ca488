public import EyrieGraph

/// Emits the items it was given, in order.
public actor SyntheticSource<Item: Sendable>: SourceStage {
  private let items: [Item]

  /// - Parameter items: what to emit.
  public init(_ items: [Item]) {
    self.items = items
  }

  /// Emits them until the run stops.
  public func run(_ context: SourceContext<Item>) async throws {
    for item in items where !context.stop.isRequested {
      guard await context.emit(item) else { return }
    }
  }
}

/// Keeps what it gets.
public actor CollectingSink<Item: Sendable>: SinkStage {
  /// All items so far, in order.
  public private(set) var items: [Item] = []

  /// An empty one.
  public init() {}

  /// Keeps an item.
  public func consume(_ input: Item) async throws(StageFailure) {
    items.append(input)
  }
}

/// Runs one stage alone between a synthetic source and a collecting sink.
public enum StageRunner {
  /// What came out, and what the graph counted.
  public struct Outcome<Output: Sendable>: Sendable {
    /// What the stage emitted, in order.
    public let outputs: [Output]
    /// The counters; the stage is named `stage`.
    public let snapshot: GraphSnapshot
    /// What failed without ending the run.
    public let incidents: [String]
  }

  /// Feeds a transform its inputs and waits until it has dealt with all.
  /// - Throws: `GraphError` when the stage could not go on.
  public static func run<Stage: TransformStage>(
    _ stage: Stage, on inputs: [Stage.Input]
  ) async throws -> Outcome<Stage.Output> {
    let sink = CollectingSink<Stage.Output>()
    let incidents = CollectingSink<String>()
    var definition = GraphDefinition()
    definition.add("source", source: SyntheticSource(inputs))
    definition.add("stage", transform: stage)
    definition.add("sink", sink: sink)
    definition.connect("source", to: "stage", capacity: 1, overflow: .suspend)
    definition.connect("stage", to: "sink", capacity: 1, overflow: .suspend)
    let graph = try StageGraph(definition)
    let (messages, continuation) = AsyncStream.makeStream(of: String.self)
    _ = try await graph.run { continuation.yield($0.message) }
    continuation.finish()
    for await message in messages { try await incidents.consume(message) }
    return Outcome(outputs: await sink.items, snapshot: graph.snapshot(), incidents: await incidents.items)
  }
}
