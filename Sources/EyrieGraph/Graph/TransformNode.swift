/// A transform in a graph: takes items one by one, works on up to `concurrency` of them at once and sends the
/// results on in order.
final class TransformNode<Stage: TransformStage>: GraphNode {
  let name: String
  let meter = NodeMeter()
  private let stage: Stage
  private let inbox = Inbox<Stage.Input>()
  private let outlet = Outlet<Stage.Output>()

  init(name: String, stage: Stage) {
    self.name = name
    self.stage = stage
  }

  var inputType: Any.Type? { Stage.Input.self }
  var outputType: Any.Type? { Stage.Output.self }
  var inboxObject: AnyObject? { inbox }

  func connect(to consumer: any GraphNode, capacity: Int, overflow: OverflowPolicy) -> (
    @Sendable () -> LaneCounts
  )? {
    joined(outlet, to: consumer, capacity: capacity, overflow: overflow)
  }

  func abort() {
    inbox.abort()
  }

  func run(_ control: RunControl) async throws {
    // A stage that ends early must not leave the stages before it waiting for room.
    defer {
      inbox.abort()
      outlet.close()
    }
    if stage.concurrency <= 1 {
      try await runOneByOne(control)
    } else {
      try await runConcurrently(control)
    }
  }

  private func runOneByOne(_ control: RunControl) async throws {
    while let (input, permit) = try await next(control) {
      if let output = try await work(on: input, permit: permit, control: control) {
        _ = await outlet.send(output)
      }
    }
  }

  private func runConcurrently(_ control: RunControl) async throws {
    let slots = WorkSlots(count: stage.concurrency)
    let gate = OrderGate()
    try await withThrowingDiscardingTaskGroup { group in
      await slots.acquire()
      while let (input, permit) = try await next(control) {
        let ticket = gate.ticket(for: stage.stream(of: input))
        group.addTask { [self] in
          defer { slots.release() }
          do {
            let output = try await work(on: input, permit: permit, control: control)
            await gate.waitTurn(ticket)
            if let output { _ = await outlet.send(output) }
          } catch {
            // The loop above waits for items or for a slot: both must let go.
            inbox.abort()
            await gate.waitTurn(ticket)
            gate.passTurn(ticket)
            throw error
          }
          gate.passTurn(ticket)
        }
        await slots.acquire()
      }
    }
  }

  /// Waits for a permit, then for an item.
  private func next(_ control: RunControl) async throws -> (Stage.Input, Stage.Permit)? {
    while true {
      let permit: Stage.Permit
      do throws(StageFailure) {
        permit = try await stage.admit()
      } catch {
        switch error {
        case .fatal(let underlying): throw underlying
        case .item(let reason, let message):
          // The end of a run that was aborted is no incident.
          if Task.isCancelled { return nil }
          // There is no item yet that could be counted.
          control.onIncident(Incident(stage: name, reason: reason, message: message))
          continue
        }
      }
      guard let input = await inbox.receive() else { return nil }
      meter.recordReceived()
      return (input, permit)
    }
  }

  private func work(on input: Stage.Input, permit: Stage.Permit, control: RunControl) async throws -> Stage
    .Output?
  {
    let start = ContinuousClock.now
    do throws(StageFailure) {
      let result = try await stage.process(input, permit: permit)
      meter.recordService(ContinuousClock.now - start)
      switch result {
      case .emit(let output):
        meter.recordEnd(.emitted)
        return output
      case .drop(let reason):
        meter.recordEnd(.dropped(reason: reason))
      }
    } catch {
      try settle(error, control: control)
    }
    return nil
  }
}
