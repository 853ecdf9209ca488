import EyrieEvents
import EyrieGraph

/// Whether every frame is accounted for at the end of a run.
struct FrameAccount {
  private let recorded: SoakRecorder.State

  init(_ recorded: SoakRecorder.State) {
    self.recorded = recorded
  }

  var results: [LimitResult] {
    guard let view = recorded.view else { return [] }
    let snapshot = view.graph.snapshot()
    var graph = LimitResult(
      "uncounted_items", limit: 0, isDefault: true, measured: snapshot.isBalanced ? 0 : 1,
      unit: "edges or stages"
    )
    if !snapshot.isBalanced {
      graph.note = "offered = delivered + dropped + in flight does not hold somewhere in the graph"
    }
    return [graph] + recorded.sources.compactMap { result(of: $0.source, inFlight: snapshot.inFlight) }
  }

  /// `decoded = inferred + predicted + dropped` where a frame goes to one detector. What was in flight when a run
  /// had to be broken off is counted as dropped.
  private func result(of source: RunningSource, inFlight: Int) -> LimitResult? {
    let counts = source.counts
    let lost = counts.lost.values.reduce(0) { $0 + $1.values.reduce(0, +) }
    let gone = counts.inferred + counts.predicted + lost
    guard detectorCount(of: source) == 1 else { return nil }
    return LimitResult(
      "uncounted_frames", of: source.id.value, limit: Double(inFlight), isDefault: true,
      measured: Double(abs(counts.decoded - gone)), unit: "frames")
  }

  private func detectorCount(of source: RunningSource) -> Int {
    let decoder = RunGraph.decoder(of: source.id.value)
    return recorded.view?.graph.snapshot().edges.count { $0.from == decoder } ?? 0
  }
}
