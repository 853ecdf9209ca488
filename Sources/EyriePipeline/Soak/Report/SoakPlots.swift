/// The plots of the report.
struct SoakPlots {
  /// More lines than these cannot be told apart.
  private static let mostLines = 16
  private static let mostLatencies = 8

  private let report: SoakReport

  init(_ report: SoakReport) {
    self.report = report
  }

  var markup: String {
    [rates, latencies, memory, descriptors, threads, queues, cpu].joined()
  }

  private func plot(
    _ title: String, _ unit: String, _ lines: [LinePlot.Line], leastSpan: Double = 1,
    startsAtZero: Bool = true
  ) -> String {
    LinePlot(
      title: title, unit: unit, lines: lines, duration: report.ranS, warmUp: min(report.warmUpS, report.ranS),
      faults: report.chaos?.faults ?? [], leastSpan: leastSpan, startsAtZero: startsAtZero
    ).svg
  }

  // MARK: - Sources

  private var rates: String {
    let all = report.sources.sorted { ($0.value.fps.mean ?? 0, $0.key) < ($1.value.fps.mean ?? 0, $1.key) }
    let shown = all.prefix(Self.mostLines).sorted { $0.key < $1.key }
    let lines = shown.enumerated().map { index, entry in
      LinePlot.Line(entry.key, entry.value.fpsOverTime, colour: index)
    }
    let some = all.count > shown.count ? ", the slowest \(shown.count) of \(all.count) sources" : ""
    return plot("Frames published a second\(some)", "FPS", lines)
  }

  private var latencies: String {
    let all = report.sources.sorted {
      ($0.value.latencyMs.p99 ?? 0, $1.key) > ($1.value.latencyMs.p99 ?? 0, $0.key)
    }
    let shown = all.prefix(Self.mostLatencies).sorted { $0.key < $1.key }
    let lines = shown.enumerated().flatMap { index, entry in
      let minutes = entry.value.latencyPerMinute
      func points(_ value: (RunSummary.Latency) -> Double?) -> [LinePlot.Point] {
        minutes.compactMap { minute in
          value(minute.latencyMs).map {
            LinePlot.Point(time: minute.atS + minute.spanS / 2, value: $0, range: nil)
          }
        }
      }
      return [
        LinePlot.Line(name: "\(entry.key) p99", points: points(\.p99), colour: index),
        LinePlot.Line(name: "\(entry.key) p50", points: points(\.p50), colour: index, style: .dashed),
      ]
    }
    let some = all.count > shown.count ? ", the slowest \(shown.count) of \(all.count) sources" : ""
    return plot("Latency in each minute\(some)", "ms", lines)
  }

  // MARK: - The process

  private var memory: String {
    let resident = report.process.rssMb
    var lines = [LinePlot.Line("resident", resident.overTime, colour: 0)]
    if let slope = resident.slopePerH {
      // The line of least squares goes through the middle of what it was made of.
      let warm = LinePlot.Line("", resident.overTime, colour: 0).points.filter { $0.time >= report.warmUpS }
      let count = Double(max(warm.count, 1))
      let time: Double = warm.reduce(0) { $0 + $1.time } / count
      let mean: Double = warm.reduce(0) { $0 + $1.value } / count
      let ends = [warm.first, warm.last].compactMap(\.self).map { end in
        LinePlot.Point(time: end.time, value: mean + slope * (end.time - time) / 3600, range: nil)
      }
      let margin = resident.slopeMarginPerH.map { " ± \(SoakText.number($0))" } ?? ""
      lines.append(
        LinePlot.Line(
          name: "slope \(SoakText.number(slope))\(margin) MB/h", points: ends, colour: 1, style: .trend))
    }
    return plot("Resident memory", "MB", lines, leastSpan: 8, startsAtZero: false)
  }

  private var descriptors: String {
    plot(
      "Open file descriptors", "",
      [LinePlot.Line("descriptors", report.process.descriptors.overTime, colour: 2)],
      leastSpan: 5)
  }

  private var threads: String {
    plot(
      "Threads", "", [LinePlot.Line("threads", report.process.threads.overTime, colour: 3)], leastSpan: 5)
  }

  private var queues: String {
    let lines = report.queues.sorted { $0.key < $1.key }.enumerated().map { index, entry in
      LinePlot.Line("in front of \(entry.key)", entry.value, colour: index)
    }
    return plot("Queue depths", "items", lines, leastSpan: 4)
  }

  private var cpu: String {
    plot(
      "CPU", "cores", [LinePlot.Line("cores in use", report.process.cpuCores.overTime, colour: 6)],
      leastSpan: Double(report.machineCores))
  }
}
