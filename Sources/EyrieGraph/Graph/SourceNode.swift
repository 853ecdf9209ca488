/// A source in a graph: runs it, and starts it again where its policy says so.
final class SourceNode<Stage: SourceStage>: GraphNode {
  let name: String
  let meter = NodeMeter()
  let source: SourceControl?
  private let stop = StopSignal()
  private let stage: Stage
  private let restart: RestartPolicy
  private let outlet = Outlet<Stage.Output>()

  init(name: String, stage: Stage, restart: RestartPolicy, onFailure: SourceFailurePolicy) {
    self.name = name
    self.stage = stage
    self.restart = restart
    source = SourceControl(stop: stop, onFailure: onFailure)
  }

  var inputType: Any.Type? { nil }
  var outputType: Any.Type? { Stage.Output.self }
  var inboxObject: AnyObject? { nil }

  func connect(to consumer: any GraphNode, by edge: EdgeTerms) -> (@Sendable () -> LaneCounts)? {
    joined(outlet, to: consumer, by: edge)
  }

  func closeOutlet() {
    outlet.close()
  }

  func run(_ control: RunControl) async throws {
    stop.follow(control.stop)
    defer {
      stop.unfollow()
      outlet.close()
    }
    try await onThread(of: stage) { try await runAgainAndAgain(control) }
  }

  private func runAgainAndAgain(_ control: RunControl) async throws {
    let context = SourceContext(stop: stop, outlet: outlet, meter: meter)
    var generator = SystemRandomNumberGenerator()
    var attempt = 0
    while true {
      let emittedBefore = meter.read().emitted
      let begin = ContinuousClock.now
      do {
        return try await stage.run(context)
      } catch {
        guard case .restart(let usual) = restart else { throw error }
        if stop.isRequested { return }
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
        await stop.wait(until: .now + duration)
        if stop.isRequested || Task.isCancelled { return }
        meter.recordRestart()
      }
    }
  }
}
