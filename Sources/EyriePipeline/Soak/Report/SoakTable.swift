/// What a soak found, for people: aligned lines, then one for each limit that was broken.
public struct SoakTable: CustomStringConvertible {
  private let report: SoakReport

  /// - Parameter report: what to show.
  public init(_ report: SoakReport) {
    self.report = report
  }

  /// The table, without a line break at the end.
  public var description: String {
    var rows = [("soak", "\(headline), \(SoakText.time(report.ranS)) of \(SoakText.time(report.durationS))")]
    if let streams = report.streams { rows += Self.rows(of: streams) }
    for (name, source) in report.sources.sorted(by: { $0.key < $1.key }) {
      rows.append(("source", "\(name): " + Self.line(source)))
    }
    if let memory = Self.line(report.process.rssMb) { rows.append(("RSS MB", memory)) }
    rows.append(("descriptors", Self.change(report.process.descriptors)))
    rows.append(("threads", Self.change(report.process.threads)))
    let cpu = report.process.cpuCores.overTime.points
    if !cpu.isEmpty {
      let mean = cpu.reduce(0) { $0 + $1[2] } / Double(cpu.count)
      rows.append(("CPU", "\(SoakText.number(mean)) of \(report.machineCores) cores"))
    }
    if let chaos = report.chaos { rows.append(("chaos", Self.line(chaos))) }
    if let failure = report.failure { rows.append(("failure", failure)) }
    for result in report.limits where result.verdict == .unsure { rows.append(("unsure", result.line)) }
    for result in report.broken { rows.append(("broken", result.line)) }
    let width = rows.map(\.0.count).max() ?? 0
    return rows.map { $0.0 + String(repeating: " ", count: width - $0.0.count + 2) + $0.1 }
      .joined(separator: "\n")
  }

  private var headline: String {
    let held = report.limits.count { $0.verdict == .held }
    let kept = "\(held) of \(report.limits.count) limits held"
    return (report.verdict == .pass ? "PASS" : "FAIL") + (report.cutShort ? ", cut short" : "") + ", " + kept
  }

  private static func rows(of streams: StreamsReport) -> [(String, String)] {
    let more = streams.isAtMost ? " (more were not tried)" : ""
    return [("streams", "\(streams.greatest) in real time\(more)")]
      + streams.tries.map { attempt in
        let ratio = attempt.realtimeRatio.map { ", \(SoakText.number($0)) × real time" } ?? ""
        return (
          "try",
          "\(attempt.streams) stream\(attempt.streams == 1 ? "" : "s")\(attempt.isConfirmation ? " again" : ""): "
            + (attempt.holds ? "held" : "did not hold") + ratio
            + (attempt.holds ? "" : attempt.reason.map { ": \($0)" } ?? "")
        )
      }
  }

  private static func line(_ source: SoakReport.Source) -> String {
    var parts = [
      "\(SoakText.number(source.fps.mean)) FPS (p05 \(SoakText.number(source.fps.p05)), "
        + "least 10 s \(SoakText.number(source.fps.leastOfTenSeconds)))"
    ]
    if let ratio = source.realtimeRatio { parts.append("\(SoakText.number(ratio)) × real time") }
    parts.append(
      "latency ms p50 \(SoakText.number(source.latencyMs.p50)), p99 \(SoakText.number(source.latencyMs.p99))")
    let dropped = source.dropped.values.reduce(0) { $0 + $1.values.reduce(0, +) }
    if dropped > 0 { parts.append("dropped \(dropped)") }
    if source.reconnects > 0 { parts.append("reconnects \(source.reconnects)") }
    if source.errors > 0 { parts.append("errors \(source.errors)") }
    return parts.joined(separator: ", ")
  }

  private static func line(_ memory: SoakReport.Resource) -> String? {
    guard memory.max != nil else { return nil }
    let slope = memory.slopePerH.map { slope in
      ", \(SoakText.number(slope)) ± \(SoakText.number(memory.slopeMarginPerH)) an hour"
    }
    return change(memory) + (slope ?? ", too short for a slope")
  }

  private static func change(_ resource: SoakReport.Resource) -> String {
    "\(SoakText.number(resource.first)) → \(SoakText.number(resource.last)), "
      + "at most \(SoakText.number(resource.max))"
  }

  private static func line(_ chaos: ChaosReport) -> String {
    let counts = ChaosReport.Fault.Kind.allCases.map { kind in
      "\(chaos.faults.count { $0.kind == kind }) \(kind.rawValue)"
    }
    let slowest = chaos.faults.compactMap(\.recoveredAfterS).max()
    return "seed \(chaos.seed): \(counts.joined(separator: ", "))"
      + (slowest.map { ", back after \(SoakText.number($0)) s at most" } ?? "")
  }
}
