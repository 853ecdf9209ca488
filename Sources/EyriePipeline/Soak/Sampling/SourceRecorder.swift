import EyrieGraph
import EyrieMedia

/// What a soak measures of one source: its counters from one sample to the next.
struct SourceRecorder: Sendable {
  /// Sums over the time that is judged: after the warm-up, while the source lives, without faults that the soak
  /// itself made.
  struct Judged: Sendable {
    var seconds = 0.0
    var published = 0
    var lost = 0
    /// Stream time between published frames.
    var streamSeconds = 0.0

    /// Of the frames that left the run, in whichever way.
    var dropRate: Double? { published + lost > 0 ? Double(lost) / Double(published + lost) : nil }

    /// Stream time that was processed for each second. Frames that were dropped were not.
    var realtimeRatio: Double? {
      seconds > 0 ? streamSeconds * (1 - (dropRate ?? 0)) / seconds : nil
    }
  }

  /// The counters at one moment.
  private struct Reading {
    let published: Int
    let lost: Int
    let session: Int
    let errors: Int
    /// Of the last published frame, in seconds.
    let frameTime: Double?
    /// How far the stream has come, in seconds: the time of the last published frame, and what has passed since it
    /// was, as far as its frames lie apart. Without that, a short soak would gain or lose up to a frame.
    let streamTime: Double?
    let latency: LatencyHistogram
    let hasEnded: Bool

    /// - Parameter period: how far the frames lie apart, in seconds.
    init(_ source: RunningSource, period: Double) {
      let counts = source.counts
      let results = source.results
      published = counts.published
      lost = counts.allLosses.values.reduce(0) { $0 + $1.values.reduce(0, +) }
      session = counts.session
      errors = counts.failures
      let passed = results.rate.last.map { (ContinuousClock.now - $0) / .seconds(1) } ?? 0
      frameTime = results.presentationTime.map { Double($0.last) / 1e9 }
      streamTime = frameTime.map { $0 + (source.hasOwnPace ? min(max(passed, 0), period) : 0) }
      latency = results.latency
      hasEnded = source.end != nil
    }
  }

  let source: RunningSource
  private var last: Reading?
  /// Frames published a second, all the time.
  private(set) var rate = SampleSeries()
  /// All the time.
  private(set) var minutes = LatencyMinutes()
  private(set) var judged = Judged()
  private(set) var windows: RateWindows
  /// Of the frames that are judged.
  private(set) var latency = LatencyHistogram()
  /// Reconnections and failures of the soak's own making.
  private(set) var provoked = (reconnects: 0, errors: 0)
  /// Between published frames so far, for their mean distance.
  private var progress = (seconds: 0.0, frames: 0)
  private var period: Double { progress.frames > 0 ? progress.seconds / Double(progress.frames) : 0 }

  init(_ source: RunningSource, interval: Double) {
    self.source = source
    windows = RateWindows(interval: interval)
  }

  /// Takes the counters.
  /// - Parameters:
  ///   - time: seconds since the run began.
  ///   - seconds: since the last sample.
  ///   - isWarm: whether the whole interval is after the warm-up.
  ///   - isDisturbed: whether a fault of the soak's own making touches the interval.
  mutating func sample(at time: Double, seconds: Double, isWarm: Bool, isDisturbed: Bool) {
    let reading = Reading(source, period: period)
    defer { last = reading }
    let before = last
    let frames = reading.published - (before?.published ?? 0)
    let latency = before.map { reading.latency.since($0.latency) } ?? reading.latency
    minutes.add(latency, until: time)
    if seconds > 0 { rate.append(Double(frames) / seconds, at: time) }
    let streamSeconds = streamTime(from: before, to: reading, frames: frames, seconds: seconds)
    if isDisturbed, let before {
      provoked.errors += reading.errors - before.errors
      provoked.reconnects += max(0, reading.session - max(before.session, 1))
    }
    // The time before the first frame is that of opening; what comes after the last is not the source's any more.
    guard isWarm, !isDisturbed, let before, before.published > 0, !reading.hasEnded else {
      windows.breakOff()
      return
    }
    windows.add(frames: frames, seconds: seconds)
    self.latency.merge(latency)
    judged.seconds += seconds
    judged.published += frames
    judged.lost += reading.lost - before.lost
    judged.streamSeconds += streamSeconds
  }

  /// How far the stream came in an interval. Over a new connection, or a jump of timestamps, its times say how long
  /// it was away: there the frames count, each for the mean distance of the frames so far.
  private mutating func streamTime(
    from before: Reading?, to reading: Reading, frames: Int, seconds: Double
  ) -> Double {
    guard let before, let start = before.streamTime, let end = reading.streamTime else { return 0 }
    let hasJumped = source.hasOwnPace && end - start > seconds + 10
    guard before.session == reading.session, !hasJumped, end >= start else { return Double(frames) * period }
    if let first = before.frameTime, let last = reading.frameTime {
      progress = (progress.seconds + last - first, progress.frames + frames)
    }
    return end - start
  }
}
