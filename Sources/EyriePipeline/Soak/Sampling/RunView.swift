import EyrieGraph

/// What an observer of a run sees: the run goes on whatever it does with it.
struct RunView: Sendable {
  let graph: StageGraph
  let meter: RunMeter
  let outlets: RunOutlets
  /// Where subscribers connect.
  let endpoints: [RunOutlets.OpenEndpoint]
}

/// A child task of a run, from the start of its graph to its end, when it is cancelled. It must not block.
typealias RunObserver = @Sendable (RunView) async -> Void
