import EyrieEvents
import EyrieGraph
import EyrieMedia
import Foundation
import Synchronization

/// Does harm to a run on a schedule, and watches how it recovers.
///
/// Each source has its faults one after the other; those of different sources overlap as they fall. A fault counts
/// from the moment when it takes effect.
final class ChaosRun: Sendable {
  private struct State {
    var began: ContinuousClock.Instant?
    var subscribers: [SoakSubscriber] = []
    var stalls: [ChaosReport.Fault] = []
    /// Lanes of sources that are not through.
    var lanesLeft = 0
  }

  /// How long an order may wait for a frame: its source may be away by itself.
  private static let patience = Duration.seconds(30)
  private static let look = Duration.milliseconds(10)

  let seed: UInt64
  private let settings: FaultSchedule.Settings
  /// Seconds since the run began.
  private let span: ClosedRange<Double>
  private let maxRecovery: Double
  private let faults: [String: SourceFaults]
  private let canBeSevered: [String: Bool]
  private let state = Mutex(State())
  /// The subscribers are known.
  private let isReady = StopSignal()

  /// - Parameters:
  ///   - span: when faults may come, in seconds since the run began.
  ///   - maxRecovery: how many seconds a source is waited for at the end.
  init(
    seed: UInt64, plan: RunPlan, span: ClosedRange<Double>, maxRecovery: Double,
    settings: FaultSchedule.Settings = FaultSchedule.Settings()
  ) {
    self.seed = seed
    self.span = span
    self.maxRecovery = maxRecovery
    self.settings = settings
    let names = plan.sources.map(\.id.value)
    faults = Dictionary(uniqueKeysWithValues: names.map { ($0, SourceFaults()) })
    canBeSevered = Dictionary(
      uniqueKeysWithValues: plan.sources.map { ($0.id.value, $0.input.canBeReadAgain) })
  }

  /// Gives sources their switches. The soak's own subscriber comes when the run has begun, so none is waited for.
  func prepare(_ plan: inout RunPlan) {
    for index in plan.sources.indices { plan.sources[index].faults = faults[plan.sources[index].id.value] }
    plan.sinks = plan.sinks.map { sink in
      guard case .zeromq(let endpoint, _) = sink.target else { return sink }
      return SinkPlan(
        name: sink.name, target: .zeromq(endpoint: endpoint, waitSubscribers: 0), origin: sink.origin,
        edges: sink.edges)
    }
  }

  // MARK: - During the run

  /// Receives events from the start of the graph until the run is over and everything has come.
  func subscribe() async {
    await isReady.wait()
    await withTaskGroup(of: Void.self) { group in
      for subscriber in state.withLock(\.subscribers) {
        group.addTask { await subscriber.run() }
      }
    }
  }

  /// Says that the publishers have closed.
  func runIsOver() {
    isReady.request()
    for subscriber in state.withLock(\.subscribers) { subscriber.finish() }
  }

  /// Works off the schedule; returns when it is through, or cancelled.
  func run(_ view: RunView, since start: ContinuousClock.Instant, stop: StopSignal) async {
    let subscribers = view.endpoints.map { SoakSubscriber($0) }
    let sources = view.meter.sources
    let schedule = FaultSchedule(
      seed: seed, sources: sources.map { ($0.id.value, canBeSevered[$0.id.value] ?? false) },
      subscribers: subscribers.map(\.address), span: span, settings: settings)
    state.withLock { state in
      state.began = start
      state.subscribers = subscribers
      state.lanesLeft = sources.count
    }
    isReady.request()
    stop.onRequest { for subscriber in subscribers { subscriber.endStall() } }
    await withTaskGroup(of: Void.self) { group in
      for (source, lane) in zip(sources, schedule.sources) {
        group.addTask {
          await self.workOff(lane, on: source, since: start)
          self.state.withLock { $0.lanesLeft -= 1 }
        }
      }
      for (subscriber, lane) in zip(subscribers, schedule.subscribers) {
        group.addTask { await self.workOff(lane, on: subscriber, since: start) }
      }
    }
  }

  /// Whether a fault touches a source at some time of an interval, in seconds since the run began.
  func isDisturbed(_ source: String, in interval: ClosedRange<Double>, since start: ContinuousClock.Instant)
    -> Bool
  {
    // Only the last can still be going on; the one before was over before it began.
    faults[source]?.effects.suffix(2).contains { effect in
      let from = (effect.start - start) / .seconds(1)
      let until = effect.recovered.map { ($0 - start) / .seconds(1) + settings.grace } ?? .infinity
      return from <= interval.upperBound && interval.lowerBound <= until
    } ?? false
  }

  /// Whether the run may end: every source is back, or has had its time.
  func isSettled(at time: Double, after duration: Double) -> Bool {
    if time >= duration + maxRecovery { return true }
    return faults.values.allSatisfy { $0.effects.last.map { $0.recovered != nil } ?? true }
      || state.withLock { $0.lanesLeft == 0 }
  }

  // MARK: - Faults

  private func workOff(
    _ lane: FaultSchedule.Lane, on source: RunningSource, since start: ContinuousClock.Instant
  ) async {
    guard let switches = faults[lane.target] else { return }
    for fault in lane.faults {
      guard await pause(until: start + .seconds(fault.at)), source.end == nil else { return }
      let length = Duration.seconds(fault.length)
      let before = switches.effects.count
      // Once the order is given, the source may be severed and back before this task is run again.
      let session = source.counts.session
      let ordered = ContinuousClock.now
      switches.order(fault.kind == .sever ? .sever(length) : .delay(length))
      while switches.effects.count == before {
        guard await pause(until: .now + Self.look) else { return }
        if source.end != nil || ContinuousClock.now - ordered > Self.patience {
          switches.cancel()
          break
        }
      }
      guard switches.effects.count > before, let effect = switches.effects.last else { continue }
      guard await recover(source, of: session, from: effect, switches) else { return }
    }
  }

  /// Waits until a source publishes frames that came after a fault.
  /// - Parameter session: the connection that it had before.
  /// - Returns: false when the run ended before.
  private func recover(
    _ source: RunningSource, of session: Int, from effect: SourceFaults.Effect, _ switches: SourceFaults
  ) async -> Bool {
    guard await pause(until: effect.end) else { return false }
    if case .sever = effect.order {
      while source.counts.session <= session {
        guard source.end == nil, await pause(until: .now + Self.look) else { return false }
      }
    }
    let published = source.counts.published
    while source.counts.published <= published {
      guard source.end == nil, await pause(until: .now + Self.look) else { return false }
    }
    switches.noteRecovery(at: .now)
    return true
  }

  private func workOff(
    _ lane: FaultSchedule.Lane, on subscriber: SoakSubscriber, since start: ContinuousClock.Instant
  ) async {
    for fault in lane.faults {
      guard await pause(until: start + .seconds(fault.at)) else { return }
      let begin = ContinuousClock.now
      subscriber.stall(for: .seconds(fault.length))
      let stall = ChaosReport.Fault(
        kind: .stall, target: lane.target, atS: (begin - start) / .seconds(1), lengthS: fault.length)
      state.withLock { $0.stalls.append(stall) }
      guard await pause(until: begin + .seconds(fault.length)) else { return }
    }
  }

  /// - Returns: false when the task was cancelled.
  private func pause(until time: ContinuousClock.Instant) async -> Bool {
    try? await Task.sleep(until: time, clock: .continuous)
    return !Task.isCancelled
  }

  // MARK: - After the run

  func report() async -> ChaosReport {
    let (began, subscribers, stalls) = state.withLock { ($0.began, $0.subscribers, $0.stalls) }
    var report = ChaosReport(seed: seed, graceS: settings.grace, faults: stalls, subscribers: [])
    if let began {
      for (source, switches) in faults {
        report.faults += switches.effects.map { effect in
          let recovery = effect.recovered.map { max(0, ($0 - effect.end) / .seconds(1)) }
          return ChaosReport.Fault(
            kind: effect.isSevering ? .sever : .delay, target: source,
            atS: (effect.start - began) / .seconds(1), lengthS: (effect.end - effect.start) / .seconds(1),
            recoveredAfterS: recovery,
            disturbedUntilS: effect.recovered.map { ($0 - began) / .seconds(1) + settings.grace })
        }
      }
    }
    report.faults.sort { ($0.atS, $0.target) < ($1.atS, $1.target) }
    for subscriber in subscribers { report.subscribers.append(await subscriber.report()) }
    return report
  }
}

extension SourceFaults.Effect {
  fileprivate var isSevering: Bool {
    if case .sever = order { true } else { false }
  }
}

extension MediaInput {
  /// Whether it can be opened a second time: a pipe cannot.
  fileprivate var canBeReadAgain: Bool {
    if argument == "-" { return false }
    var status = stat()
    return stat(argument, &status) != 0 || status.st_mode & S_IFMT != S_IFIFO
  }
}
