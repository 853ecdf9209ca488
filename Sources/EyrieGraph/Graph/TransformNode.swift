import Synchronization

/// A transform in a graph: takes items one by one, works on up to `concurrency` of them at once and sends the
/// results on in order.
final class TransformNode<Stage: TransformStage>: GraphNode {
  let name: String
  let meter = NodeMeter()
  private let stage: Stage
  private let inbox: Inbox<Stage.Input>
  private let outlet = Outlet<Stage.Output>()

  init(name: String, stage: Stage) {
    self.name = name
    self.stage = stage
    inbox = Inbox(stage: name)
  }

  var inputType: Any.Type? { Stage.Input.self }
  var outputType: Any.Type? { Stage.Output.self }
  var inboxObject: AnyObject? { inbox }

  func connect(to consumer: any GraphNode, by edge: EdgeTerms) -> (@Sendable () -> LaneCounts)? {
    joined(outlet, to: consumer, by: edge)
  }

  func closeOutlet() {
    outlet.close()
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

  /// How many items may be under way for each that may be worked on. Finished results wait here for the turn of
  /// their stream, so that one slow item holds up its own stream and takes one slot, and other streams go on.
  private static var lookAhead: Int { 4 }

  private func runConcurrently(_ control: RunControl) async throws {
    let slots = WorkSlots(count: stage.concurrency)
    let (places, overflows) = stage.concurrency.multipliedReportingOverflow(by: Self.lookAhead)
    let underWay = WorkSlots(count: overflows ? .max : places)
    let gate = OrderGate()
    try await withThrowingDiscardingTaskGroup { group in
      await underWay.acquire()
      await slots.acquire()
      while let parcel = try await nextParcel(control) {
        let ticket = gate.ticket(for: parcel.stream)
        group.addTask { [self] in
          defer { underWay.release() }
          do {
            let output = try await work(on: parcel, slots: slots, control: control)
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
        await underWay.acquire()
        await slots.acquire()
      }
    }
  }

  private func nextParcel(_ control: RunControl) async throws -> Parcel? {
    guard let (input, permit) = try await next(control) else { return nil }
    return Parcel(input, permit, stream: stage.stream(of: input))
  }

  private func work(on parcel: Parcel, slots: WorkSlots, control: RunControl) async throws -> Stage.Output? {
    defer { slots.release() }
    guard let (input, permit) = parcel.open() else { return nil }
    return try await work(on: input, permit: permit, control: control)
  }

  /// An item on its way to the task that works on it. Whoever opens it has it alone: a task keeps what it
  /// captured until it ends, but an item must go when the work is done, and not wait for the turn of its
  /// result. Others may wait for what it holds, such as an infer request.
  private final class Parcel: Sendable {
    let stream: String
    private let content: Mutex<(input: Stage.Input, permit: Stage.Permit)?>

    init(_ input: Stage.Input, _ permit: Stage.Permit, stream: String) {
      self.stream = stream
      content = Mutex((input, permit))
    }

    /// The item, the first time.
    func open() -> (input: Stage.Input, permit: Stage.Permit)? {
      content.withLock { content in
        defer { content = nil }
        return content
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
        tellLoss(of: input, at: name, reason: reason)
      }
    } catch {
      try settle(error, of: input, control: control)
    }
    return nil
  }
}
