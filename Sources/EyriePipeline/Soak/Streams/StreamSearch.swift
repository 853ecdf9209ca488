import EyrieGraph

/// `--streams find`: the greatest number of streams that a pipeline keeps up with.
///
/// A number that holds is doubled until one does not, and the gap is halved: that gives the same number as adding
/// one at a time where more streams are never easier than fewer. What it gives has to hold twice; if it does not,
/// one less is tried, until a number has held twice.
struct StreamSearch {
  /// Nobody has that many cores.
  static let most = 256
  /// What a try is judged by.
  private static let limitNames: Set = ["duration_s", "frames", "min_realtime_ratio", "max_drop_rate"]

  let file: PipelineFile
  let options: SoakOptions
  let backend: ModelBackend
  let reporter: SoakReporter

  /// What is known so far.
  private struct Search {
    var tries: [StreamsReport.Try] = []
    /// The report of the last try.
    var report: SoakReport?
  }

  /// - Returns: the report of the last try, which is the confirmed one if there is any, with all tries in it.
  /// - Throws: `EyrieFailure` of kind usage if not even the first try could begin.
  func run(stop: StopSignal) async throws(EyrieFailure) -> (SoakReport, EyrieFailure?) {
    var search = Search()
    let holding = try await Self.greatest(upTo: Self.most) { (count) throws(EyrieFailure) in
      stop.isRequested ? nil : try await holds(count, &search, stop)
    }
    guard var report = search.report else {
      throw EyrieFailure(.stopped, "\(file.path): stopped before the first try")
    }
    let isUnfinished = stop.isRequested
    report.streams = StreamsReport(
      greatest: holding, isAtMost: holding == Self.most, tryS: options.duration,
      warmUpS: options.effectiveWarmUp, tries: search.tries)
    report.verdict = holding > 0 && !isUnfinished ? .pass : .fail
    report.cutShort = isUnfinished
    if !isUnfinished { report.failure = nil }
    return (
      report,
      isUnfinished
        ? EyrieFailure(.stopped, "\(file.path): stopped before the number of streams was found and confirmed")
        : nil
    )
  }

  /// The greatest number that holds twice; 0 if none does.
  /// - Parameter holds: tries a number; nil ends the search with what held last.
  static func greatest(
    upTo most: Int, _ holds: (Int) async throws(EyrieFailure) -> Bool?
  ) async throws(EyrieFailure) -> Int {
    var successes: [Int: Int] = [:]
    var holding = 0
    var failing = most + 1
    while failing - holding > 1 {
      let next = failing > most ? min(max(1, holding * 2), most) : holding + (failing - holding) / 2
      guard let isHolding = try await holds(next) else { return holding }
      if isHolding {
        holding = next
        successes[next, default: 0] += 1
      } else {
        failing = next
      }
    }
    while holding > 0, successes[holding, default: 0] < 2 {
      guard let isHolding = try await holds(holding) else { return holding }
      if isHolding { successes[holding, default: 0] += 1 } else { holding -= 1 }
    }
    return holding
  }

  /// One try with so many streams.
  private func holds(
    _ count: Int, _ search: inout Search, _ stop: StopSignal
  ) async throws(EyrieFailure) -> Bool {
    let multiplied = PipelineFile(path: file.path, definition: file.definition.withStreams(count))
    var limits = SoakLimits()
    limits.minRealtimeRatio = file.definition.soak?.minRealtimeRatio
    limits.maxDropRate = file.definition.soak?.maxDropRate
    let warmUp = options.effectiveWarmUp
    let session = SoakSession(
      plan: try multiplied.plan(), backend: backend, duration: warmUp + options.duration, warmUp: warmUp,
      interval: options.effectiveInterval, chaos: nil, reporter: reporter)
    let result = await session.run(stop: stop)
    if let failure = result.failure, failure.kind == .usage { throw failure }
    var report = SoakReportBuilder(pipeline: file.path, session: session, result: result, limits: limits)
      .report()
    report.limits.removeAll { !Self.limitNames.contains($0.name) }
    search.report = report
    guard !stop.isRequested else { return false }
    let attempt = attempt(
      count, report, isConfirmation: search.tries.contains { $0.streams == count && $0.holds })
    search.tries.append(attempt)
    let ratio = attempt.realtimeRatio.map { ", \(SoakText.number($0)) × real time" } ?? ""
    reporter.log(
      "\(count) \(count == 1 ? "stream" : "streams")\(attempt.isConfirmation ? " again" : ""): "
        + (attempt.holds ? "holds" : "does not hold") + ratio)
    return attempt.holds
  }

  private func attempt(_ count: Int, _ report: SoakReport, isConfirmation: Bool) -> StreamsReport.Try {
    let sources = report.sources.values
    let cpu = report.process.cpuCores.overTime.points.filter { $0.first ?? 0 > report.warmUpS }.map { $0[2] }
    return StreamsReport.Try(
      streams: count, isConfirmation: isConfirmation,
      holds: report.failure == nil && report.broken.isEmpty,
      realtimeRatio: sources.compactMap(\.realtimeRatio).min(),
      dropRate: sources.compactMap(\.dropRate).max(),
      fps: sources.compactMap(\.fps.mean).reduce(0, +),
      cpuCores: cpu.isEmpty ? nil : cpu.reduce(0, +) / Double(cpu.count),
      reason: report.failure ?? report.broken.first?.line)
  }
}

extension PipelineDefinition {
  /// The same pipeline with so many streams: its sources, and copies of them in turn, `cam-2`, `cam-3` …, on the
  /// same edges. Files play at the pace of their timestamps, and start again at their end. Stages and sinks that
  /// get nothing any more, because there are fewer streams than sources, are left out.
  func withStreams(_ count: Int) -> PipelineDefinition {
    guard !sources.isEmpty else { return self }
    var result = self
    var taken = Set(members.map(\.name))
    var streams: [String: [String]] = [:]
    for source in sources { streams[source.name] = [] }
    result.sources = (0..<count).map { index in
      var stream = sources[index % sources.count]
      let original = stream.name
      var number = index / sources.count + 1
      while number > 1 {
        stream.name = "\(original)-\(number)"
        if taken.insert(stream.name).inserted { break }
        number += 1
      }
      streams[original]?.append(stream.name)
      if !stream.isLive {
        stream.pacing = .realtime
        stream.loop = true
      }
      return stream
    }
    func multiplied(_ edges: [EdgeDefinition]) -> [EdgeDefinition] {
      edges.flatMap { edge in
        (streams[edge.from] ?? [edge.from]).map { name in
          var copy = edge
          copy.from = name
          return copy
        }
      }
    }
    for index in stages.indices { result.stages[index].from = multiplied(stages[index].from) }
    result.removeUnfed()
    return result
  }

  private mutating func removeUnfed() {
    while true {
      let names = Set((sources.map(\.name) + stages.map(\.name)))
      for index in stages.indices { stages[index].from.removeAll { !names.contains($0.from) } }
      for index in sinks.indices { sinks[index].from.removeAll { !names.contains($0.from) } }
      sinks.removeAll { $0.from.isEmpty }
      guard stages.contains(where: { $0.from.isEmpty }) else { return }
      stages.removeAll { $0.from.isEmpty }
    }
  }
}
