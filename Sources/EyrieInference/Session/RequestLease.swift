import Synchronization

/// The right to use one inference request, until the lease is dropped.
///
/// A lease travels with its frame: whoever drops the last reference, in whatever stage, gives the
/// request back to the session by that alone. A lease has one owner at a time: writing the input,
/// running and reading the output are for one task, one after the other.
public final class RequestLease: Sendable {
  private let request: any InferenceRequest
  private let batch: Int
  private let pool: LendingPool<any InferenceRequest>
  private let isRunning = Atomic(false)

  /// - Parameters:
  ///   - request: taken from `pool`, to which it goes back.
  ///   - batch: the most pictures that it takes.
  init(_ request: any InferenceRequest, batch: Int, pool: LendingPool<any InferenceRequest>) {
    self.request = request
    self.batch = batch
    self.pool = pool
  }

  deinit {
    // Nothing is in flight here: `infer` holds the lease until the run has ended.
    pool.giveBack(request)
  }

  /// Gives the input tensor to write into: bytes in RGB order, `height × width × 3`, rows without
  /// gaps (a row is ``InferenceSession/inputRowStride`` bytes), for ``InferenceSession/batch`` pictures one
  /// after the other (a picture is ``InferenceSession/inputByteSize`` bytes). Holds what was written last time.
  /// Do not let the pointer escape, and do not write while ``infer(count:)`` runs.
  public func withInput<Result, Failure: Error>(
    _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(request.input)
  }

  /// Runs the model on the first pictures that the input holds and returns when the outputs are there. No
  /// thread waits meanwhile. A run that has begun also ends, even if the task is cancelled: it returns as usual
  /// then, after one inference at most.
  /// - Parameter count: how many pictures, from 1 to ``InferenceSession/batch``; each output then has as many
  ///   rows along its first axis.
  /// - Throws: ``InferenceError`` for another count, a lease that is already running, or a run that fails.
  public func infer(count: Int = 1) async throws(InferenceError) {
    guard (1...batch).contains(count) else {
      throw InferenceError("the model takes 1 to \(batch) pictures at once, not \(count)")
    }
    guard !isRunning.exchange(true, ordering: .acquiring) else {
      throw InferenceError("the request is already running: a lease has one owner at a time")
    }
    defer { isRunning.store(false, ordering: .releasing) }
    try await request.infer(count: count)
  }

  /// Lends the output with the given index (``ModelOutput/index`` is the one with the result), as the
  /// last ``infer(count:)`` left it: one row a picture. The bytes are valid inside the closure only.
  /// - Throws: ``InferenceError`` when there is no such output, and whatever the closure throws.
  public func withOutput<Result>(_ index: Int = 0, _ body: (TensorView) throws -> Result) throws -> Result {
    let view = try request.output(index)
    return try withExtendedLifetime(self) { try body(view) }
  }
}
