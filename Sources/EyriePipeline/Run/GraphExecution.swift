import EyrieEvents
import EyrieGraph
import EyrieMedia

/// A running graph with its clockwork: the time limit, progress for a person, heartbeats for subscribers.
struct GraphExecution: Sendable {
  struct Outcome: Sendable {
    var failure: EyrieFailure?
    var leftBehind = 0
    /// Whether `--duration` ended it.
    var timeIsUp = false
    var wall: Duration = .zero
    /// CPU seconds of the process during the run.
    var cpuSeconds = 0.0
    var incidents: [String] = []

    /// Whether the time was over without a single frame. Whoever stops a service while its cameras are away does
    /// not want an error; who asked for a time does.
    func hadNothing(of sources: [RunningSource]) -> Bool {
      timeIsUp && sources.allSatisfy { $0.counts.decoded == 0 }
    }
  }

  private enum Child: Sendable {
    case graph(Result<GraphEnd, GraphError>)
    case clockwork
    case timeIsUp
  }

  let graph: StageGraph
  let meter: RunMeter
  let outlets: RunOutlets
  let batchers: [CropBatcher]
  let sessions: [DetectorSessions]
  let plan: RunPlan
  let reporter: RunReporter
  let incidents: IncidentLog
  /// Runs beside the graph, and is cancelled when that has ended.
  let observer: @Sendable () async -> Void

  func run(stop: StopSignal) async -> Outcome {
    let start = ContinuousClock.now
    let cpuAtStart = CPUClock.process()
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
      group.addTask {
        await observer()
        return .clockwork
      }
      for batcher in batchers {
        group.addTask {
          await batcher.run()
          return .clockwork
        }
      }
      for sessions in sessions {
        group.addTask {
          await sessions.run()
          return .clockwork
        }
      }
      for source in meter.sources {
        group.addTask {
          await source.waitUntilDrained()
          if !Task.isCancelled { await outlets.end(source) }
          return .clockwork
        }
      }
      if let report = reporter.progress {
        group.addTask {
          await showProgress(report)
          return .clockwork
        }
      }
      if let duration = plan.duration {
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
    outcome.cpuSeconds = CPUClock.process() - cpuAtStart
    outcome.incidents = incidents.lines
    switch result {
    case .success(let end):
      outcome.leftBehind = end.leftBehind
    // Each source knows why.
    case .failure(.allSourcesFailed): break
    // Without the name of the stage: the error names the input or the model.
    case .failure(.stageFailed(_, let error)): outcome.failure = EyrieFailure(.run, "\(error)")
    case .failure(let error): outcome.failure = EyrieFailure(.run, "\(error)")
    case nil: outcome.failure = EyrieFailure(.run, "the run ended without a result")
    }
    return outcome
  }

  /// Publishes the counters of each source once a second, until cancelled.
  private func heartbeat(since start: ContinuousClock.Instant) async {
    var before: [SourceID: Int] = [:]
    var time = start
    while await pause(.seconds(1)) {
      let now = ContinuousClock.now
      let seconds = (now - time) / .seconds(1)
      time = now
      let queues = QueueTable(graph.snapshot())
      for source in meter.sources {
        let frames = source.results.frames
        let fps = Double(frames - (before[source.id] ?? 0)) / seconds
        before[source.id] = frames
        await outlets.sendStats(
          of: source, uptime: now - start, fps: fps, queues: queues.depths(for: source.id.value))
      }
    }
  }

  private func showProgress(_ report: @Sendable (RunReporter.Progress) -> Void) async {
    var before = (frames: 0, time: ContinuousClock.now)
    while await pause(.milliseconds(500)) {
      let measured = meter.results
      let now = ContinuousClock.now
      report(
        RunReporter.Progress(
          frames: measured.frames,
          fps: Double(measured.frames - before.frames) / ((now - before.time) / .seconds(1)),
          detections: measured.detections,
          dropped: graph.losses().values.reduce(0) { $0 + $1.values.reduce(0, +) },
          fraction: playedFraction()))
      before = (measured.frames, now)
    }
  }

  /// How far the files have been played, that of the longest way to go; nil where one has no known length.
  private func playedFraction() -> Double? {
    var fractions: [Double] = []
    for (source, plan) in zip(meter.sources, plan.sources) {
      guard !plan.loop, let length = source.counts.description?.video.durationSeconds else { return nil }
      let time = source.results.presentationTime
      let played = time.map { Double($0.last &- $0.first) / 1e9 } ?? 0
      fractions.append(source.end == nil ? min(1, played / max(length, 0.001)) : 1)
    }
    return fractions.min()
  }

  /// - Returns: false when the task was cancelled.
  private func pause(_ duration: Duration) async -> Bool {
    try? await Task.sleep(for: duration, clock: .continuous)
    return !Task.isCancelled
  }
}

/// How full the queues are, for the events of each source.
private struct QueueTable {
  private var shared: [String: QueueDepth] = [:]
  private var own: [String: [String: QueueDepth]] = [:]

  init(_ snapshot: GraphSnapshot) {
    for edge in snapshot.edges {
      let depth = QueueDepth(depth: edge.depth, capacity: edge.capacity)
      if let source = RunGraph.source(of: edge.from) {
        own[source, default: [:]][edge.to] = depth
      } else {
        shared[edge.to] =
          shared[edge.to].map {
            QueueDepth(depth: $0.depth + depth.depth, capacity: $0.capacity + depth.capacity)
          } ?? depth
      }
    }
  }

  /// The queues in front of each stage: the source's own, and those that all share.
  func depths(for source: String) -> [String: QueueDepth] {
    shared.merging(own[source] ?? [:]) { _, own in own }
  }
}
