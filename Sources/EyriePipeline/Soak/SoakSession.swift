import EyrieGraph
import EyrieMedia
import Foundation

/// One run that is watched for a given time, with or without faults.
struct SoakSession: Sendable {
  /// What came of it.
  struct Result: Sendable {
    let recorded: SoakRecorder.State
    let startedAt: Date
    /// Why the run failed, if it did.
    let failure: EyrieFailure?
    /// Whether somebody stopped it before its time.
    let isCutShort: Bool
    /// Items in flight when the time to drain was over.
    let leftBehind: Int
    let chaos: ChaosReport?
  }

  let plan: RunPlan
  let backend: ModelBackend
  /// In seconds, as are the next two.
  let duration: Double
  let warmUp: Double
  let interval: Double
  let chaos: ChaosRun?
  let reporter: SoakReporter

  /// Runs until the time is up, the run ends by itself, or the stop is requested.
  func run(stop outer: StopSignal) async -> Result {
    let startedAt = Date()
    let recorder = SoakRecorder(interval: interval, warmUp: warmUp)
    let stop = StopSignal(linkedTo: outer)
    var plan = plan
    chaos?.prepare(&plan)
    let run = DetectionRun(plan, backend: backend)
    let (summary, failure) = await withTaskGroup(of: Void.self) { group in
      if let chaos {
        group.addTask { await chaos.subscribe() }
      }
      var outcome: (RunSummary?, EyrieFailure?)
      do throws(EyrieFailure) {
        let summary = try await run.run(
          stop: stop, reporter: RunReporter(log: reporter.log),
          observer: { view in await watch(view, recorder, stop: stop) })
        outcome = (summary, nil)
      } catch {
        outcome = (nil, error)
      }
      chaos?.runIsOver()
      await group.waitForAll()
      return outcome
    }
    let recorded = recorder.current
    return Result(
      recorded: recorded, startedAt: startedAt, failure: failure,
      isCutShort: outer.isRequested && recorded.time < duration - interval / 2,
      leftBehind: summary?.leftBehind ?? 0, chaos: await chaos?.report())
  }

  /// Samples until the time is up, and then stops the run.
  private func watch(_ view: RunView, _ recorder: SoakRecorder, stop: StopSignal) async {
    let start = ContinuousClock.now
    recorder.begin(view)
    await withTaskGroup(of: Void.self) { group in
      if let chaos {
        group.addTask { await chaos.run(view, since: start, stop: stop) }
      }
      await sample(recorder, since: start, stop: stop)
      group.cancelAll()
    }
  }

  private func sample(
    _ recorder: SoakRecorder, since start: ContinuousClock.Instant, stop: StopSignal
  ) async {
    var count = 0.0
    while true {
      count += 1
      let due = min(count * interval, max(duration, (count - 1) * interval + 0.001))
      try? await Task.sleep(until: start + .seconds(due), tolerance: .zero, clock: .continuous)
      let time = (ContinuousClock.now - start) / .seconds(1)
      // What a run does while it drains is not judged.
      if stop.isRequested || Task.isCancelled { return }
      recorder.sample(at: time) { source, span in
        chaos?.isDisturbed(source, in: span, since: start) ?? false
      }
      reporter.progress?(progress(recorder, time))
      if time >= duration - 0.001, chaos?.isSettled(at: time, after: duration) ?? true {
        stop.request()
        return
      }
      // Samples that are long due are left out.
      count = max(count, (time / interval).rounded(.down))
    }
  }

  private func progress(_ recorder: SoakRecorder, _ time: Double) -> String {
    let latest = recorder.latest
    let rates = latest.rates.prefix(8).map { String(format: "%.1f", $0) }.joined(separator: " ")
    return "\(SoakText.clock(time)) of \(SoakText.clock(duration))"
      + (time < warmUp ? " (warm-up)" : "") + "  FPS \(rates)\(latest.rates.count > 8 ? " …" : "")"
      + (latest.residentMb.map { "  RSS \(Int($0)) MB" } ?? "")
      + (latest.descriptors.map { "  fds \(Int($0))" } ?? "")
      + (latest.threads.map { "  threads \(Int($0))" } ?? "")
  }
}

/// How a soak talks to the person who started it. Closures are called from any thread and must not block for long.
public struct SoakReporter: Sendable {
  /// A line for the log.
  public let log: @Sendable (String) -> Void
  /// The state of the soak in one line, after each sample; nil where nobody looks.
  public let progress: (@Sendable (String) -> Void)?

  /// - Parameters:
  ///   - log: takes a line for the log.
  ///   - progress: takes the state of the soak; nil where nobody looks.
  public init(log: @escaping @Sendable (String) -> Void, progress: (@Sendable (String) -> Void)? = nil) {
    self.log = log
    self.progress = progress
  }
}
