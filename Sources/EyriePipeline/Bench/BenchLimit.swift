import Foundation

/// Says in a sentence what limits the rate, and where the rest of the bound went.
struct BenchLimit: CustomStringConvertible {
  private let report: BenchReport

  init(_ report: BenchReport) {
    self.report = report
  }

  var description: String {
    guard let others = report.othersCpuShare?.median, others > 0.1 else { return "\(work)\(bound); \(keeps)" }
    // Neither the bound nor idle cores can be told then.
    return "other processes took \(Self.percent(others)) of the machine, so that rates say little; \(work); "
      + "\(Self.percent(own)) of the pipeline's CPU time is beyond these three"
  }

  /// What the CPU time of a frame goes to.
  private var work: String {
    let parts = [
      ("inference", report.inferenceCpuMs.median), ("decoding", report.decodeCpuMs.median),
      ("scaling", report.scaleCpuMs.median),
    ].sorted { $0.1 > $1.1 }
    let sum = parts.reduce(0) { $0 + $1.1 }
    guard sum > 0, let first = parts.first else { return "nothing takes CPU time" }
    let others = parts.dropFirst().map { "\($0.0) \(Self.percent($0.1 / sum))" }.joined(separator: ", ")
    return "\(first.0) takes \(Self.percent(first.1 / sum)) of the CPU time of a frame (\(others))"
  }

  /// Says so where inference alone cannot fill the cores.
  private var bound: String {
    let cost = BenchBound.Cost(
      inferenceMs: report.inferenceCpuMs.median, decodeMs: report.decodeCpuMs.median,
      scaleMs: report.scaleCpuMs.median)
    let raw = report.rawInferenceFps.median
    let isFilled = BenchBound(cost: cost, rawInferenceFPS: raw, cores: report.cpuCores).fps < raw
    guard !isFilled, raw > 0 else { return "" }
    return String(
      format: ", and bare inference is the bound: it keeps %.1f of %g cores busy",
      raw * cost.inferenceMs / 1_000, report.cpuCores)
  }

  /// The share of the pipeline's CPU time that is not that of the parts.
  private var own: Double { report.cpuRatio.median > 0 ? max(0, 1 - report.cpuRatio.median) : 0 }

  /// `ratio ≈ (parts ÷ CPU time of a frame in the pipeline) × (cores kept busy ÷ cores)`, where the cores are the
  /// bound: so what is missing is CPU time of its own, or idle cores.
  private var keeps: String {
    let ratio = String(format: "the pipeline reaches %.2f of the bound", report.ratio.median)
    guard report.cpuRatio.median > 0, report.cpuCores > 0 else { return ratio }
    let idle = max(0, 1 - report.pipelineCpuCores.median / report.cpuCores)
    return ratio + ": \(Self.percent(own)) of its CPU time is beyond these three, and cores are idle for "
      + "\(Self.percent(idle)) of the time"
  }

  static func percent(_ share: Double) -> String { String(format: "%.0f %%", share * 100) }
}
