import EyrieEvents
import EyrieGraph
import EyrieMedia

/// A running graph with its clockwork: the time limit, progress for a person, heartbeats for subscribers.
struct GraphExecution: Sendable {
  struct Outcome: Sendable {
    var failure: EyrieFailure?
    var leftBehind = 0
    var wasStopped = false
    /// Whether `--duration` ended it.
    var timeIsUp = false
    var wall: Duration = .zero
    /// CPU seconds of the process during the run.
    var cpuSeconds = 0.0
    var incidents: [String] = []
  }

  private enum Child: Sendable {
    case graph(Result<GraphEnd, GraphError>)
    case clockwork
    case timeIsUp
  }

  let graph: StageGraph
  let publish: PublishStage
  /// What a file is; nil for what is opened later.
  let media: MediaDescription?
  let options: RunOptions
  let reporter: RunReporter

  func run(stop: StopSignal) async -> Outcome {
    let start = ContinuousClock.now
    let cpuAtStart = ResourceUsage.current().cpuSeconds
    let incidents = IncidentLog(reporter)
    var outcome = Outcome()
    let result = await withTaskGroup(of: Child.self) { group in
      group.addTask {
        do throws(GraphError) {
          return .graph(.success(try await graph.run(stop: stop) { incidents.record($0) }))
        } catch {
          return .graph(.failure(error))
        }
      }
      group.addTask {
        await heartbeat(since: start)
        return .clockwork
      }
      if let report = reporter.progress {
        group.addTask {
          await showProgress(report)
          return .clockwork
        }
      }
      if let duration = options.duration {
        group.addTask {
          try? await Task.sleep(for: .seconds(duration), clock: .continuous)
          if Task.isCancelled { return .clockwork }
          stop.request()
          return .timeIsUp
        }
      }
      var result: Result<GraphEnd, GraphError>?
      for await child in group {
        switch child {
        case .graph(let end):
          result = end
          group.cancelAll()
        case .timeIsUp: outcome.timeIsUp = true
        case .clockwork: break
        }
      }
      return result
    }
    outcome.wall = ContinuousClock.now - start
    outcome.cpuSeconds = ResourceUsage.current().cpuSeconds - cpuAtStart
    outcome.incidents = incidents.lines
    switch result {
    case .success(let end):
      outcome.leftBehind = end.leftBehind
      outcome.wasStopped = end.wasStopped
    case .failure(.stageFailed(_, let error)): outcome.failure = EyrieFailure(.run, "\(error)")
    case .failure(let error): outcome.failure = EyrieFailure(.run, "\(error)")
    case nil: outcome.failure = EyrieFailure(.run, "the run ended without a result")
    }
    return outcome
  }

  /// Publishes the counters once a second, until cancelled.
  private func heartbeat(since start: ContinuousClock.Instant) async {
    var before = (frames: 0, time: start)
    while await pause(.seconds(1)) {
      let frames = await publish.measurements.frames
      let now = ContinuousClock.now
      let snapshot = graph.snapshot()
      let counts = FrameCounts(
        decoded: snapshot.node("decode")?.received ?? 0, inferred: snapshot.node("detect")?.emitted ?? 0,
        published: frames)
      let queues = Dictionary(
        snapshot.edges.map { ($0.to, QueueDepth(depth: $0.depth, capacity: $0.capacity)) },
        uniquingKeysWith: { first, _ in first })
      // A sink that fails ends the run by itself at its next frame.
      try? await publish.sendStats(
        uptime: now - start, fps: Double(frames - before.frames) / ((now - before.time) / .seconds(1)),
        frames: counts, queues: queues)
      before = (frames, now)
    }
  }

  private func showProgress(_ report: @Sendable (RunReporter.Progress) -> Void) async {
    var before = (frames: 0, time: ContinuousClock.now)
    while await pause(.milliseconds(500)) {
      let measured = await publish.measurements
      let now = ContinuousClock.now
      let played = measured.presentationTime.map { Double($0.last &- $0.first) / 1e9 }
      let length = options.loop ? nil : media?.video.durationSeconds
      report(
        RunReporter.Progress(
          frames: measured.frames,
          fps: Double(measured.frames - before.frames) / ((now - before.time) / .seconds(1)),
          detections: measured.detections,
          dropped: graph.losses().values.reduce(0) { $0 + $1.values.reduce(0, +) },
          fraction: length.flatMap { length in played.map { min(1, $0 / max(length, 0.001)) } }))
      before = (measured.frames, now)
    }
  }

  /// - Returns: false when the task was cancelled.
  private func pause(_ duration: Duration) async -> Bool {
    try? await Task.sleep(for: duration, clock: .continuous)
    return !Task.isCancelled
  }
}
