import EyrieEvents
import EyrieGraph
import Synchronization

/// Everything that a soak has measured so far. Written by the observer of the run, read when the run is over. Safe
/// from any thread.
final class SoakRecorder: Sendable {
  struct State: Sendable {
    /// nil until the graph has begun to run.
    fileprivate(set) var view: RunView?
    fileprivate(set) var sources: [SourceRecorder] = []
    fileprivate(set) var process = ProcessRecorder()
    /// Seconds since the run began, of the last sample.
    fileprivate(set) var time = 0.0
    fileprivate(set) var sampleCount = 0
  }

  /// In seconds, as is the next.
  let interval: Double
  let warmUp: Double
  private let state = Mutex(State())

  init(interval: Double, warmUp: Double) {
    self.interval = interval
    self.warmUp = warmUp
  }

  var current: State { state.withLock { $0 } }

  /// The last samples, for a progress line. Nothing is copied.
  var latest: (rates: [Double], residentMb: Double?, descriptors: Double?, threads: Double?) {
    state.withLock { state in
      (
        state.sources.map { $0.rate.buckets.last?.mean ?? 0 }, state.process.resident.buckets.last?.mean,
        state.process.descriptors.buckets.last?.maximum, state.process.threads.buckets.last?.maximum
      )
    }
  }

  func begin(_ view: RunView) {
    state.withLock { state in
      state.view = view
      state.sources = view.meter.sources.map { SourceRecorder($0, interval: interval) }
      state.process.sample([], at: 0, seconds: 0)
      for index in state.sources.indices {
        state.sources[index].sample(at: 0, seconds: 0, isWarm: false, isDisturbed: false)
      }
    }
  }

  /// Takes a sample of everything.
  /// - Parameters:
  ///   - time: seconds since the run began.
  ///   - isDisturbed: whether a fault of the soak's own making touches an interval of a source.
  func sample(at time: Double, isDisturbed: (_ source: String, _ interval: ClosedRange<Double>) -> Bool) {
    state.withLock { state in
      guard let view = state.view, time > state.time else { return }
      let seconds = time - state.time
      // Samples come some microseconds early or late.
      let isWarm = state.time >= warmUp - interval / 20
      for index in state.sources.indices {
        let source = state.sources[index].source.id.value
        state.sources[index].sample(
          at: time, seconds: seconds, isWarm: isWarm, isDisturbed: isDisturbed(source, state.time...time))
      }
      state.process.sample(view.graph.snapshot().edges, at: time, seconds: seconds)
      state.time = time
      state.sampleCount += 1
    }
  }
}
