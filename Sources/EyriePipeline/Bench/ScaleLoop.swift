import EyrieEvents
import EyrieGraph
import EyrieMedia

/// Scales and letterboxes the same few frames again and again, by the stage of a run, into the tensors of a run.
///
/// On the stage's own thread, so that no hop between threads is measured.
actor ScaleLoop {
  private let stage: ResizeStage
  nonisolated let executor: ThreadExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  init(_ stage: ResizeStage) {
    self.stage = stage
    executor = stage.executor
  }

  /// CPU time of the process to scale one frame, in milliseconds, while nothing else is done.
  func cpuMs(
    _ frames: [VideoFrame], of input: MediaInput, for duration: Duration, stop: StopSignal
  ) async throws(EyrieFailure) -> Double {
    let source = RunningSource(try RunPlan.sourceID("bench"), input: input)
    let items = frames.map { SourceFrame($0, from: source, arrival: .now) }
    do {
      // The first of a kind sets the scaler up.
      try await scale(items.prefix(1))
      let start = ContinuousClock.now
      let cpuAtStart = CPUClock.process()
      var count = 0
      repeat {
        try await scale(items[...])
        count += items.count
      } while ContinuousClock.now - start < duration && !stop.isRequested
      return (CPUClock.process() - cpuAtStart) * 1_000 / Double(max(1, count))
    } catch {
      throw EyrieFailure(.run, "scaling alone failed: \(error)")
    }
  }

  private func scale(_ items: ArraySlice<SourceFrame>) async throws(StageFailure) {
    for item in items {
      let permit = try await stage.admit()
      _ = try await stage.process(item, permit: permit)
    }
  }
}
