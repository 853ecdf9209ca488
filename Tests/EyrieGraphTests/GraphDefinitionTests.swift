import Testing

@testable import EyrieGraph

@Suite("A graph definition")
struct GraphDefinitionTests {
  actor TextSink: SinkStage {
    func consume(_ input: String) async throws(StageFailure) {}
  }

  private func chain() -> GraphDefinition {
    var definition = GraphDefinition()
    definition.add("numbers", source: CountingSource(1...3))
    definition.add("same", transform: ClosureStage { .emit($0) })
    definition.add("keep", sink: CollectingSink())
    definition.connect("numbers", to: "same", capacity: 1, overflow: .suspend)
    definition.connect("same", to: "keep", capacity: 1, overflow: .suspend)
    return definition
  }

  @Test("of a chain is valid")
  func valid() throws {
    #expect(chain().problems() == [])
    _ = try StageGraph(chain())
  }

  @Test("names every mistake at once")
  func mistakes() {
    var definition = chain()
    definition.add("keep", sink: CollectingSink())
    definition.add("texts", sink: TextSink())
    definition.add("lost", transform: ClosureStage { .emit($0) })
    definition.connect("same", to: "texts", capacity: 0, overflow: .suspend)
    definition.connect("keep", to: "numbers", capacity: 1, overflow: .suspend)
    definition.connect("nobody", to: "nowhere", capacity: 1, overflow: .suspend)
    definition.connect("numbers", to: "same", capacity: 1, overflow: .suspend)
    let problems = definition.problems()
    for expected in [
      "two stages are named 'keep'", "needs at least 1", "carries Int, but texts takes String",
      "starts at a sink", "starts at an unknown stage", "declared more than once",
      "nothing leads to stage 'lost'", "nothing takes what stage 'lost' emits",
    ] {
      #expect(problems.contains { $0.contains(expected) }, "missing: \(expected) in \(problems)")
    }
  }

  @Test("with a cycle is refused")
  func cycle() {
    var definition = GraphDefinition()
    definition.add("a", transform: ClosureStage { .emit($0) })
    definition.add("b", transform: ClosureStage { .emit($0) })
    definition.connect("a", to: "b", capacity: 1, overflow: .suspend)
    definition.connect("b", to: "a", capacity: 1, overflow: .suspend)
    #expect(throws: GraphError.self) { try StageGraph(definition) }
    #expect(definition.problems() == ["a cycle runs through a, b"])
  }

  @Test("without stages is refused")
  func empty() {
    #expect(GraphDefinition().problems() == ["it has no stages"])
  }
}
