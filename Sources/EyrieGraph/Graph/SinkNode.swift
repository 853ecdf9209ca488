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
    var failure: (any Error)?
    do {
      while let input = await inbox.receive() {
        meter.recordReceived()
        try await consume(input, control: control)
      }
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
