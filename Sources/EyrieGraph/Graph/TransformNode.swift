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
    try await onThread(of: stage) {
      if stage.concurrency <= 1 {
        while try await workOneByOne(on: stage, control) {}
      } else {
        try await runConcurrently(control)
      }
    }
  }

  /// Works on some items where the stage itself works, so that an item costs no change of threads.
  /// - Returns: false when nothing more will come.
  private func workOneByOne(on _: isolated Stage, _ control: RunControl) async throws -> Bool {
    for _ in 0..<itemsInARow {
      switch try await workOnNext(control) {
      case .output(let output)?: _ = await outlet.send(output)
      case .nothing?: break
      case nil: return false
      }
    }
    return true
  }

  /// What came of an item.
  private enum Done {
    case output(Stage.Output)
    case nothing
  }

  /// - Returns: nil when nothing more will come.
  private func workOnNext(_ control: RunControl) async throws -> Done? {
    guard let (input, permit) = try await next(control) else { return nil }
    return try await work(on: input, permit: permit, control: control)
  }

  // MARK: - Several at once

  /// How many items may be under way for each that may be worked on. Finished results wait here for the turn of
  /// their stream, so that one slow item holds up its own stream and takes one slot, and other streams go on.
  private static var lookAhead: Int { 4 }
  /// There is a task for each item that may be under way, for as long as the stage runs: none is made for an item.
  private static var mostWorkers: Int { 4_096 }

  /// What the tasks of a stage share.
  private struct Crew: Sendable {
    let admission: WorkAdmission
    let gate = OrderGate()
  }

  private func runConcurrently(_ control: RunControl) async throws {
    let crew = Crew(admission: WorkAdmission(slots: stage.concurrency))
    let workers = min(stage.concurrency, Self.mostWorkers / Self.lookAhead) * Self.lookAhead
    try await withThrowingDiscardingTaskGroup { group in
      for _ in 0..<workers {
        group.addTask { [self] in
          while try await workInTurn(on: stage, crew, control) {}
        }
      }
    }
  }

  /// One task's work on some items, where the stage itself works.
  /// - Returns: false when nothing more will come.
  private func workInTurn(on _: isolated Stage, _ crew: Crew, _ control: RunControl) async throws -> Bool {
    for _ in 0..<itemsInARow {
      guard let (done, ticket) = try await workOnNext(crew, control) else { return false }
      await crew.gate.waitTurn(ticket)
      if case .output(let output) = done { _ = await outlet.send(output) }
      crew.gate.passTurn(ticket)
    }
    return true
  }

  /// An item must go when the work on it is done, and not wait for the turn of its result: others may wait for what it
  /// holds, such as an infer request. So it is known here only.
  /// - Returns: nil when nothing more will come.
  private func workOnNext(_ crew: Crew, _ control: RunControl) async throws -> (Done, OrderGate.Ticket)? {
    await crew.admission.enter()
    defer { crew.admission.didWork() }
    guard let (input, permit, ticket) = try await take(crew, control) else { return nil }
    do {
      return (try await work(on: input, permit: permit, control: control), ticket)
    } catch {
      // The others wait for items or for their turn: both must let go.
      inbox.abort()
      await crew.gate.waitTurn(ticket)
      crew.gate.passTurn(ticket)
      throw error
    }
  }

  private func take(
    _ crew: Crew, _ control: RunControl
  ) async throws -> (Stage.Input, Stage.Permit, OrderGate.Ticket)? {
    defer { crew.admission.didTake() }
    do {
      guard let (input, permit) = try await next(control) else { return nil }
      return (input, permit, crew.gate.ticket(for: stage.stream(of: input)))
    } catch {
      inbox.abort()
      throw error
    }
  }

  // MARK: - One item

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

  private func work(
    on input: Stage.Input, permit: Stage.Permit, control: RunControl
  ) async throws -> Done {
    let start = ContinuousClock.now
    do throws(StageFailure) {
      let result = try await stage.process(input, permit: permit)
      meter.recordService(ContinuousClock.now - start)
      switch result {
      case .emit(let output):
        meter.recordEnd(.emitted)
        return .output(output)
      case .drop(let reason):
        meter.recordEnd(.dropped(reason: reason))
        tellLoss(of: input, at: name, reason: reason)
      }
    } catch {
      try settle(error, of: input, control: control)
    }
    return .nothing
  }
}
