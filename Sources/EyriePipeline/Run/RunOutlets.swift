import EyrieEvents
import EyrieGraph
import EyrieMedia

/// The stages of a run where detections leave it.
///
/// Sinks of events that take the same share one stage, so that an event is made and encoded once. A detector that
/// leads to no sink of events gets a stage all the same, which measures.
struct RunOutlets: Sendable {
  private struct Group: Sendable {
    let stage: PublishStage
    var sinks: [SinkPlan] = []
    let edges: [EdgePlan]
  }

  /// How long a run waits for a first subscriber, from the moment it listens.
  private static let settleTime = Duration.milliseconds(500)

  /// As in events.
  let runID: String
  private var groups: [Group] = []
  private var annotations: [(name: String, plan: SinkPlan, path: String)] = []

  init(_ plan: RunPlan, runID: String, meter: RunMeter) {
    var shared: [(edges: [EdgePlan], sinks: [SinkPlan])] = []
    for sink in plan.sinks {
      if case .annotate(let path) = sink.target {
        annotations.append((sink.name, sink, path))
      } else if let index = shared.firstIndex(where: { Self.isSame($0.edges, sink.edges) }) {
        shared[index].sinks.append(sink)
      } else {
        shared.append((sink.edges, [sink]))
      }
    }
    var unmeasured = Set(plan.detectors.map(\.name))
    let rest = unmeasured.subtracting(plan.detectors(behind: shared.flatMap { $0.edges.map(\.from) }))
    if !rest.isEmpty {
      let ends = Set(rest.map { plan.lastStage(behind: $0) })
      shared.append((ends.sorted().map { EdgePlan(from: $0) }, []))
    }
    // A file may have given any stage one of the names that are given here.
    var taken = Set(plan.detectors.flatMap { [$0.name] + $0.resizers.map(\.name) })
    taken.formUnion(plan.objectStages.map(\.name))
    func free(_ wanted: String) -> String {
      var name = wanted
      while !taken.insert(name).inserted { name += "-sink" }
      return name
    }
    for (edges, sinks) in shared {
      let measured = unmeasured.intersection(plan.detectors(behind: edges.map(\.from)))
      unmeasured.subtract(measured)
      let name = free(shared.count == 1 ? "publish" : sinks.first?.name ?? "measure")
      let stage = PublishStage(name: name, runID: runID, meter: meter, measured: measured)
      groups.append(Group(stage: stage, sinks: sinks, edges: edges))
    }
    for index in annotations.indices {
      annotations[index].name = free(annotations.count == 1 ? "annotate" : annotations[index].plan.name)
    }
    self.runID = runID
  }

  private static func isSame(_ left: [EdgePlan], _ right: [EdgePlan]) -> Bool {
    func key(_ edge: EdgePlan) -> String {
      "\(edge.from)/\(edge.capacity ?? 0)/\(edge.overflow?.rawValue ?? "")"
    }
    return Set(left.map(key)) == Set(right.map(key))
  }

  // MARK: - Before the run

  /// Where subscribers can connect, and how many of them are waited for.
  struct OpenEndpoint: Sendable {
    fileprivate let stage: PublishStage
    let address: String
    let waitSubscribers: Int

    /// What the stage that publishes there has sent so far.
    var counts: PublishStage.Counts { get async { await stage.counts } }
  }

  func open(stop: StopSignal) async throws(EyrieFailure) -> [OpenEndpoint] {
    var endpoints: [OpenEndpoint] = []
    for group in groups {
      for sink in group.sinks {
        do throws(EventError) {
          switch sink.target {
          case .zeromq(let endpoint, let count):
            let address = try await group.stage.open(endpoint: endpoint, stop: stop)
            endpoints.append(OpenEndpoint(stage: group.stage, address: address, waitSubscribers: count))
          case .jsonl(let path): try await group.stage.open(jsonl: path)
          case .annotate: break
          }
        } catch {
          let isUsage = error.code == .malformed || error.code == .unknownTransport
          throw EyrieFailure(isUsage ? .usage : .run, "\(error)")
        }
      }
    }
    return endpoints
  }

  /// Gives subscribers that were there before the run the time to connect: ZeroMQ tries again every 0.1 to
  /// 0.2 s, and what is published before is lost to them.
  func settle(
    _ endpoints: [OpenEndpoint], boundAt: ContinuousClock.Instant, log: @Sendable (String) -> Void
  ) async throws(EyrieFailure) {
    for endpoint in endpoints { log("publishing on \(endpoint.address)") }
    do throws(EventError) {
      for endpoint in endpoints where endpoint.waitSubscribers > 0 {
        let count = endpoint.waitSubscribers
        log("waiting for \(count) \(count == 1 ? "subscription" : "subscriptions")")
        _ = try await endpoint.stage.waitForSubscriptions(count, at: endpoint.address, timeout: nil)
      }
      for endpoint in endpoints where endpoint.waitSubscribers == 0 {
        let left = Self.settleTime - (ContinuousClock.now - boundAt)
        _ = try await endpoint.stage.waitForSubscriptions(1, at: endpoint.address, timeout: max(left, .zero))
      }
    } catch {
      throw EyrieFailure(.run, "\(error)")
    }
  }

  func add(to definition: inout GraphDefinition) {
    for group in groups {
      definition.add(group.stage.name, sink: group.stage)
      connect(group.edges, to: group.stage.name, capacity: 8, in: &definition)
    }
    for (name, plan, path) in annotations {
      definition.add(name, sink: AnnotateStage(path: path, origin: plan.origin))
      connect(plan.edges, to: name, capacity: 2, in: &definition)
    }
  }

  private func connect(
    _ edges: [EdgePlan], to name: String, capacity: Int, in definition: inout GraphDefinition
  ) {
    for edge in edges {
      definition.connect(
        edge.from, to: name, capacity: edge.capacity ?? capacity, overflow: edge.overflow ?? .suspend)
    }
  }

  // MARK: - During the run

  /// Tells what happens to a source. A sink that fails ends the run by itself at its next frame.
  func report(_ change: SourceChange, of source: SourceID) async {
    for group in groups { try? await group.stage.report(change, of: source) }
  }

  func sendStats(
    of source: RunningSource, uptime: Duration, fps: Double?, queues: [String: QueueDepth]
  ) async {
    for group in groups {
      try? await group.stage.sendStats(of: source, uptime: uptime, fps: fps, queues: queues)
    }
  }

  /// Tells that a source came to its end by itself, while others may go on.
  func end(_ source: RunningSource) async {
    guard !source.wasCutShort, let end = source.verdict else { return }
    for group in groups { try? await group.stage.end(source, end) }
  }

  // MARK: - After the run

  /// The events handed to the sinks.
  var counts: PublishStage.Counts {
    get async {
      var sum = PublishStage.Counts()
      for group in groups {
        let counts = await group.stage.counts
        sum.byType.merge(counts.byType, uniquingKeysWith: +)
        sum.lost += counts.lost
      }
      return sum
    }
  }

  /// Tells the end of every source that was not told yet, and closes the files.
  /// - Returns: what went wrong with the sinks.
  func end(_ sources: [RunningSource], _ outcome: GraphExecution.Outcome) async -> EyrieFailure? {
    var failures: [EyrieFailure] = []
    for group in groups {
      for source in sources {
        do throws(StageFailure) {
          try await group.stage.end(source, end(of: source, among: sources, outcome))
        } catch {
          switch error {
          case .fatal(let underlying): failures.append(EyrieFailure(.run, "\(underlying)"))
          case .item(_, let message): failures.append(EyrieFailure(.run, message))
          }
        }
      }
      do throws(EventError) {
        try await group.stage.closeFiles()
      } catch {
        failures.append(EyrieFailure(.run, "\(error)"))
      }
    }
    return failures.first
  }

  private func end(
    of source: RunningSource, among sources: [RunningSource], _ outcome: GraphExecution.Outcome
  ) -> RunningSource.End {
    if case .failed(let message)? = source.verdict { return .failed(message) }
    // A graph that failed took its sources with it, however they would have ended.
    if let failure = outcome.failure { return .failed(failure.description) }
    if outcome.hadNothing(of: sources), let failure = source.counts.lastFailure { return .failed(failure) }
    return source.verdict ?? .ended("stopped")
  }

  func close() async -> EyrieFailure? {
    var failure: EyrieFailure?
    for group in groups {
      do throws(EventError) {
        try await group.stage.close()
      } catch {
        failure = failure ?? EyrieFailure(.run, "\(error)")
      }
    }
    return failure
  }
}
