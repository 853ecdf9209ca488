import EyrieGraph
import EyrieInference

/// The inference library's own asynchronous loop and nothing else: every request is started again as soon as
/// it has finished, on pixels that stay the same. No pipeline can be faster.
struct RawInferenceLoop: Sendable {
  let session: InferenceSession

  /// Runs for at least a time, unless it is stopped.
  /// - Returns: inferences a second.
  func run(for duration: Duration, stop: StopSignal) async throws(EyrieFailure) -> Double {
    let start = ContinuousClock.now
    do {
      let count = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<session.requestCount {
          let request = try await session.acquire()
          group.addTask {
            var count = 0
            while ContinuousClock.now - start < duration, !stop.isRequested {
              try await request.infer()
              count += 1
            }
            return count
          }
        }
        return try await group.reduce(0, +)
      }
      return Double(count) / ((ContinuousClock.now - start) / .seconds(1))
    } catch {
      throw EyrieFailure(.run, "raw inference failed: \(error)")
    }
  }
}
