import EyrieGraph
import EyrieInference

/// The inference library's own asynchronous loop and nothing else: every request is started again as soon as
/// it has finished, on pixels that stay the same. No pipeline can be faster.
struct RawInferenceLoop: Sendable {
  /// What it did.
  struct Result: Sendable {
    /// Inferences a second.
    let fps: Double
    /// CPU time of the process for one inference, in milliseconds; threads that wait actively are in it.
    let cpuMs: Double
  }

  let session: InferenceSession

  /// Runs for at least a time, unless it is stopped.
  func run(for duration: Duration, stop: StopSignal) async throws(EyrieFailure) -> Result {
    do {
      let start = ContinuousClock.now
      let cpuAtStart = CPUClock.process()
      let parts = try await withThrowingTaskGroup(of: (count: Int, fps: Double).self) { group in
        for _ in 0..<session.requestCount {
          let request = try await session.acquire()
          group.addTask {
            var count = 0
            repeat {
              try await request.infer()
              count += 1
            } while ContinuousClock.now - start < duration && !stop.isRequested
            // Each by its own end: the last one still computes when the others have nothing to do any more.
            return (count, Double(count) / ((ContinuousClock.now - start) / .seconds(1)))
          }
        }
        return try await group.reduce(into: [(count: Int, fps: Double)]()) { $0.append($1) }
      }
      let count = parts.reduce(0) { $0 + $1.count }
      return Result(
        fps: parts.reduce(0) { $0 + $1.fps },
        cpuMs: (CPUClock.process() - cpuAtStart) * 1_000 / Double(max(1, count)))
    } catch {
      throw EyrieFailure(.run, "raw inference failed: \(error)")
    }
  }
}
