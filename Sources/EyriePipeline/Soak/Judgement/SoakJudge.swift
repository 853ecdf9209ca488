import EyrieEvents

/// Compares what a soak measured with the limits of the pipeline file, and with those that hold for every soak.
struct SoakJudge {
  /// In MB: twice the step in which a pipeline of files was seen to take memory. A process that has begun a minute
  /// ago still settles by as much.
  private static let memoryGrain = 4.0

  let limits: SoakLimits
  let recorded: SoakRecorder.State
  let warmUp: Double

  /// How long it was to run, and how long it ran, in seconds.
  let duration: Double
  /// Whether a signal ended it.
  let isCutShort: Bool
  let chaos: ChaosReport?

  /// Every limit: of the run, of each source, of the process, of faults.
  func results() -> [LimitResult] {
    [ran] + recorded.sources.flatMap(results) + processResults + FrameAccount(recorded).results
      + (chaos.map { ChaosJudge(limits: limits, report: $0).results } ?? [])
  }

  // MARK: - The run

  /// A soak of sources that have ended has not seen what it was to see.
  private var ran: LimitResult {
    var result = LimitResult(
      "duration_s", isLeast: true, limit: duration, isDefault: true, measured: recorded.time, unit: "s")
    // The last sample may come a moment early.
    if recorded.time >= duration * 0.999 - 0.05 {
      result.verdict = .held
    } else if isCutShort {
      result.verdict = .unsure
      result.note = "cut short by a signal"
    } else {
      result.note = "the run ended by itself: give files 'loop: true'"
    }
    return result
  }

  // MARK: - Sources

  private func results(of recorder: SourceRecorder) -> [LimitResult] {
    let source = recorder.source
    let judged = recorder.judged
    let counts = source.counts
    var results: [LimitResult] = []
    func add(
      _ name: String, isLeast: Bool = false, _ limit: Double?, default usual: Double? = nil,
      _ measured: Double?, unit: String
    ) {
      guard let asked = limit ?? usual else { return }
      var result = LimitResult(
        name, of: source.id.value, isLeast: isLeast, limit: asked, isDefault: limit == nil,
        measured: measured, unit: unit)
      // Faults may have left no time to judge it: whether it comes back is judged by itself.
      if measured == nil, isCutShort || chaos != nil { result.verdict = .unsure }
      results.append(result)
    }

    var life = LimitResult(
      "frames", of: source.id.value, isLeast: true, limit: 1, isDefault: true,
      measured: Double(counts.published), unit: "frames")
    if case .failed(let message)? = source.verdict {
      life.verdict = .broken
      life.note = message
    } else if counts.published == 0 {
      life.verdict = isCutShort ? .unsure : .broken
      life.note = counts.lastFailure ?? "no frame of it was published"
    }
    results.append(life)
    add(
      "min_realtime_ratio", isLeast: true, limits.minRealtimeRatio,
      default: source.hasOwnPace ? SoakDefaults.minRealtimeRatio : nil, judged.realtimeRatio, unit: "×")
    add("min_fps", isLeast: true, limits.minFPS, recorder.windows.mean, unit: "FPS")
    add("max_drop_rate", limits.maxDropRate, judged.dropRate, unit: "of frames")
    add(
      "max_latency_p99_ms", limits.maxLatencyP99Milliseconds,
      RunSummary.Latency.milliseconds(recorder.latency, 0.99), unit: "ms")
    add(
      "max_reconnects", limits.maxReconnects.map(Double.init),
      Double(counts.reconnects - recorder.provoked.reconnects), unit: "times")
    add(
      "max_errors", limits.maxErrors.map(Double.init), Double(counts.failures - recorder.provoked.errors),
      unit: "times")
    return results
  }

  // MARK: - The process

  private var processResults: [LimitResult] {
    var results: [LimitResult] = []
    if let limit = limits.maxMemorySlope {
      results.append(memory(limit))
    }
    results.append(
      level(
        "max_fd_growth", limits.maxDescriptorGrowth, SoakDefaults.maxDescriptorGrowth,
        recorded.process.descriptors, unit: "descriptors"))
    results.append(
      level(
        "max_thread_growth", limits.maxThreadGrowth, SoakDefaults.maxThreadGrowth, recorded.process.threads,
        unit: "threads"))
    return results
  }

  private func memory(_ limit: Double) -> LimitResult {
    let trend = recorded.process.resident.trend(since: warmUp)
    var result = LimitResult(
      "max_rss_slope_mb_per_h", limit: limit, isDefault: false, measured: trend?.slope, unit: "MB/h")
    result.margin = trend?.margin
    switch trend?.verdict(limit: limit, grain: Self.memoryGrain) {
    case .within?: result.verdict = .held
    case .beyond?: result.verdict = .broken
    case .unsure?:
      result.verdict = .unsure
      result.note = "no steady growth beyond the limit; soak longer to be sure"
    case nil:
      result.verdict = .unsure
      result.note = "too few samples after the warm-up to tell"
    }
    return result
  }

  private func level(
    _ name: String, _ limit: Int?, _ usual: Int, _ series: SampleSeries, unit: String
  ) -> LimitResult {
    var result = LimitResult(
      name, limit: Double(limit ?? usual), isDefault: limit == nil,
      measured: series.levelGrowth(since: warmUp)?.growth, unit: unit)
    if result.measured == nil {
      result.verdict = .unsure
      result.note =
        series.buckets.isEmpty
        ? "this system does not tell" : "too few samples after the warm-up to tell"
    }
    return result
  }
}

extension LimitResult {
  /// A limit compared with a value; a value that is missing or no number breaks it.
  init(
    _ name: String, of source: String? = nil, isLeast: Bool = false, limit: Double, isDefault: Bool,
    measured: Double?, unit: String
  ) {
    let isKept = measured.map { isLeast ? $0 >= limit : $0 <= limit } ?? false
    let finite = measured.flatMap { $0.isFinite ? $0 : nil }
    self.init(
      name: name, source: source, isLeast: isLeast, limit: limit, isDefault: isDefault, measured: finite,
      margin: nil, unit: unit, verdict: isKept ? .held : .broken,
      note: measured == nil ? "nothing could be measured after the warm-up" : nil)
  }

  /// One line for people: what, of which source, what was measured, what the limit is.
  public var line: String {
    let place = source.map { "\($0): " } ?? ""
    let comparison = isLeast ? "at least" : "at most"
    let range = margin.map { " ± \(SoakText.number($0))" } ?? ""
    let found = measured.map { "measured \(SoakText.number($0))\(range) \(unit)" } ?? "not measured"
    let explanation = note.map { ": \($0)" } ?? ""
    return "\(place)\(name): \(found), limit \(comparison) \(SoakText.number(limit))" + explanation
  }
}
