/// A sink in a graph: hands it every item, and lets it write out what it holds at the end.
final class SinkNode<Stage: SinkStage>: GraphNode {
  let name: String
  let meter = NodeMeter()
  private let stage: Stage
  private let inbox: Inbox<Stage.Input>

  init(name: String, stage: Stage) {
    self.name = name
    self.stage = stage
    inbox = Inbox(stage: name)
  }

  var inputType: Any.Type? { Stage.Input.self }
  var outputType: Any.Type? { nil }
  var inboxObject: AnyObject? { inbox }

  func connect(to consumer: any GraphNode, by edge: EdgeTerms) -> (@Sendable () -> LaneCounts)? {
    nil
  }

  func holdOpen() {
    inbox.holdOpen()
  }

  func release() {
    inbox.release()
  }

  func abort() {
    inbox.abort()
  }

  func run(_ control: RunControl) async throws {
    defer { inbox.abort() }
    try await onThread(of: stage) { try await consumeAll(control) }
  }

  private func consumeAll(_ control: RunControl) async throws {
    var failure: (any Error)?
    do {
      while try await consumeSome(on: stage, control) {}
    } catch {
      failure = error
    }
    do throws(StageFailure) {
      try await stage.finish()
    } catch {
      switch error {
      case .item(let reason, let message):
        control.onIncident(Incident(stage: name, reason: reason, message: message))
      case .fatal(let underlying): failure = failure ?? underlying
      }
    }
    if let failure { throw failure }
  }

  /// Hands over some items where the stage itself works, so that an item costs no change of threads.
  /// - Returns: false when nothing more will come.
  private func consumeSome(on _: isolated Stage, _ control: RunControl) async throws -> Bool {
    for _ in 0..<itemsInARow {
      guard let input = await inbox.receive() else { return false }
      meter.recordReceived()
      try await consume(input, control: control)
    }
    return true
  }

  private func consume(_ input: Stage.Input, control: RunControl) async throws {
    let start = ContinuousClock.now
    do throws(StageFailure) {
      try await stage.consume(input)
      meter.recordService(ContinuousClock.now - start)
      meter.recordEnd(.consumed)
    } catch {
      try settle(error, of: input, control: control)
    }
  }
}
