import Foundation

/// The result of a benchmark for people.
public struct BenchTable: CustomStringConvertible {
  private let report: BenchRun.Report

  /// - Parameter report: what to show.
  public init(_ report: BenchRun.Report) {
    self.report = report
  }

  /// The table, without a line break at the end.
  public var description: String {
    let model = report.model
    var lines = ["round  raw FPS  pipeline FPS  ratio"]
    for (number, round) in report.rounds.enumerated() {
      lines.append(
        String(
          format: "%5d  %7.1f  %12.1f  %5.3f", number + 1, round.rawFps, round.pipelineFps, round.ratio))
    }
    lines.append(String(format: "median ratio pipeline ÷ raw inference: %.3f", report.ratio))
    lines.append(
      "model \(model.name), \(model.inputWidth)×\(model.inputHeight), \(model.precision), "
        + "\(model.requests) infer requests")
    let memory = report.memory
    lines.append(
      String(
        format: "memory MiB: %.0f at the start, %.0f with the model compiled, %.0f after the pipeline "
          + "(%.0f private: weights, tensors, frames, heaps; %.0f of libraries and files), peak %.0f",
        memory.start.totalMb, memory.compiled.totalMb, memory.pipeline.totalMb, memory.pipeline.anonymousMb,
        memory.pipeline.fileMb, memory.peakMb))
    return lines.joined(separator: "\n")
  }

  static func line(_ round: BenchRun.Report.Round) -> String {
    String(
      format: "raw inference %.1f FPS, pipeline %.1f FPS, ratio %.3f", round.rawFps, round.pipelineFps,
      round.ratio)
  }
}
