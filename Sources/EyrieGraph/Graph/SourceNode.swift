/// A source in a graph: runs it, and starts it again where its policy says so.
final class SourceNode<Stage: SourceStage>: GraphNode {
  let name: String
  let meter = NodeMeter()
  private let stage: Stage
  private let policy: RestartPolicy
  private let outlet = Outlet<Stage.Output>()

  init(name: String, stage: Stage, policy: RestartPolicy) {
    self.name = name
    self.stage = stage
    self.policy = policy
  }

  var inputType: Any.Type? { nil }
  var outputType: Any.Type? { Stage.Output.self }
  var inboxObject: AnyObject? { nil }

  func connect(to consumer: any GraphNode, capacity: Int, overflow: OverflowPolicy) -> (
    @Sendable () -> LaneCounts
  )? {
    joined(outlet, to: consumer, capacity: capacity, overflow: overflow)
  }

  func abort() {}

  func run(_ control: RunControl) async throws {
    defer { outlet.close() }
    let context = SourceContext(stop: control.stop, outlet: outlet, meter: meter)
    var generator = SystemRandomNumberGenerator()
    var attempt = 0
    while true {
      let emittedBefore = meter.read().emitted
      let begin = ContinuousClock.now
      do {
        return try await stage.run(context)
      } catch {
        guard case .restart(let usual) = policy else { throw error }
        if control.stop.isRequested { return }
        guard case .restart(let backoff, let reason) = await stage.recovery(from: error, backoff: usual)
        else {
          throw error
        }
        // A source that worked for a while starts over with short pauses; one that comes and goes does not.
        if meter.read().emitted > emittedBefore, ContinuousClock.now - begin >= usual.cap { attempt = 0 }
        let duration = backoff.pause(attempt: attempt, using: &generator)
        attempt += 1
        control.onIncident(Incident(stage: name, reason: reason, message: "\(error); trying again"))
        await stage.willRestart(SourceRestart(error: error, attempt: attempt, pause: duration))
        await pause(duration, stop: control.stop)
        if control.stop.isRequested || Task.isCancelled { return }
        meter.recordRestart()
      }
    }
  }

  private func pause(_ duration: Duration, stop: StopSignal) async {
    await withTaskGroup { group in
      group.addTask { await stop.wait() }
      group.addTask { try? await Task.sleep(for: duration, clock: .continuous) }
      await group.next()
      group.cancelAll()
    }
  }
}
