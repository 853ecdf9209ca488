/// A stage on a thread of its own. The graph then keeps all that it does for the stage on that thread.
public protocol ThreadBound: Actor {
  /// The one that `unownedExecutor` answers.
  nonisolated var executor: ThreadExecutor { get }
}

/// A stage that makes items: a camera, a file.
///
/// It runs as one long call. It ends by itself at the end of its stream, or soon after `context.stop` is
/// requested. A source that blocks in C runs on a `ThreadExecutor`.
public protocol SourceStage<Output>: Actor {
  /// What it emits.
  associatedtype Output: Sendable

  /// Emits items until the stream ends or a stop is requested.
  ///
  /// Nothing may be emitted any more when it has returned.
  /// - Throws: when the source cannot go on; its `RestartPolicy` and `SourceFailurePolicy` decide what follows.
  func run(_ context: SourceContext<Output>) async throws

  /// Says what follows an error of `run` where the policy is to restart.
  /// - Parameter backoff: that of the policy.
  func recovery(from error: any Error, backoff: Backoff) -> SourceRecovery

  /// Told before the pause in front of an attempt.
  func willRestart(_ restart: SourceRestart) async
}

extension SourceStage {
  /// Any error is worth another attempt.
  public func recovery(from error: any Error, backoff: Backoff) -> SourceRecovery {
    .restart(backoff, reason: "restart")
  }

  /// Nobody wants to know.
  public func willRestart(_ restart: SourceRestart) async {}
}

/// A stage that turns items into items: resize, detect, track.
public protocol TransformStage<Input, Output>: Actor {
  /// What it receives.
  associatedtype Input: Sendable
  /// What it emits.
  associatedtype Output: Sendable
  /// What it must hold before it takes an item off its queue, such as a free infer request. An item then
  /// waits in the queue, where a newer one can replace it, and not in the stage's hands. `Void` for none.
  associatedtype Permit: Sendable = Void

  /// How many items it may work on at once; their results leave in the order in which they came. While one of
  /// them takes long, up to four times as many are taken, whose results wait for it or belong to other streams.
  nonisolated var concurrency: Int { get }

  /// The stream that an item belongs to. Order is kept within a stream, not across streams.
  nonisolated func stream(of input: Input) -> String

  /// Waits until the stage can take an item.
  func admit() async throws(StageFailure) -> Permit

  /// Works on one item.
  /// - Throws: `StageFailure.item` when this item failed and the stage goes on, `.fatal` when it cannot.
  func process(_ input: Input, permit: Permit) async throws(StageFailure) -> StageResult<Output>
}

extension TransformStage {
  /// One item at a time.
  public nonisolated var concurrency: Int { 1 }

  /// Everything is one stream.
  public nonisolated func stream(of input: Input) -> String { "" }
}

extension TransformStage where Permit == Void {
  /// Nothing to wait for.
  public func admit() async throws(StageFailure) {}
}

/// A stage where items end: a publisher, a file.
public protocol SinkStage<Input>: Actor {
  /// What it receives.
  associatedtype Input: Sendable

  /// Takes one item.
  func consume(_ input: Input) async throws(StageFailure)

  /// Called once after the last item, also when the run was aborted: writes out what is buffered.
  func finish() async throws(StageFailure)
}

extension SinkStage {
  /// Nothing is buffered.
  public func finish() async throws(StageFailure) {}
}

/// What a transform made of an item.
public enum StageResult<Output: Sendable>: Sendable {
  /// The result, for the next stages.
  case emit(Output)
  /// The item ends here on purpose; counted under the reason (`snake_case`).
  case drop(reason: String)
}

/// How a stage fails.
public enum StageFailure: Error, Sendable {
  /// One item failed and is counted under the reason (`snake_case`); the stage goes on.
  case item(reason: String, message: String)
  /// The stage cannot go on: the run ends with this error.
  case fatal(any Error)
}

/// What a source works with during one run.
public struct SourceContext<Output: Sendable>: Sendable {
  /// Requested when the run, or this source alone, is to stop. It belongs to this source, and is the same at
  /// each restart.
  public let stop: StopSignal
  let outlet: Outlet<Output>
  let meter: NodeMeter

  /// Sends one item to the stages behind; waits where an edge's policy is `suspend`.
  /// - Returns: false when nobody takes items any more: the source should return.
  public func emit(_ item: Output) async -> Bool {
    meter.recordEmitted()
    return await outlet.send(item)
  }

  /// Counts an item that the source gave up before emitting it.
  public func recordDrop(reason: String) {
    meter.recordSourceDrop(reason: reason)
  }

  /// Counts work on one item, for the source's service time.
  public func recordService(_ duration: Duration) {
    meter.recordService(duration)
  }
}
