import Foundation

/// The result of a benchmark for people.
public struct BenchTable: CustomStringConvertible {
  private let report: BenchReport

  /// - Parameter report: what to show.
  public init(_ report: BenchReport) {
    self.report = report
  }

  /// The table, without a line break at the end.
  public var description: String {
    var lines = report.inputs.map { input in
      "input   \(input.name): \(input.codec) \(input.width)×\(input.height)"
        + (input.sources > 1 ? ", \(input.sources) sources" : "")
    }
    lines += report.models.map { model in
      "model   \(model.name), \(model.inputWidth)×\(model.inputHeight), \(model.arithmetic), "
        + "\(model.requests) infer requests"
    }
    lines.append(String(format: "cores   %g, \(report.device)", report.cpuCores) + busy)
    lines += ["", Self.row("", ["median", "min", "max"])]
    lines += [
      Self.row("raw inference, FPS", report.rawInferenceFps, 1),
      Self.row("  CPU ms a frame", report.inferenceCpuMs, 2),
      Self.row("decoding, CPU ms a frame", report.decodeCpuMs, 2),
      Self.row("scaling, CPU ms a frame", report.scaleCpuMs, 2),
      Self.row("bound, FPS", report.boundFps, 1),
      Self.row("pipeline, FPS", report.pipelineFps, 1),
      Self.row("  CPU ms a frame", report.pipelineCpuMs, 2),
      Self.row("  CPU cores", report.pipelineCpuCores, 2),
      Self.row("pipeline ÷ bound", report.ratio, 3),
      Self.row("parts ÷ pipeline, CPU time", report.cpuRatio, 3),
      "", Self.row("stage", ["p50 ms", "p95 ms", "queue"]),
    ]
    let stages = report.stages.sorted { Self.place($0.key) < Self.place($1.key) }
    for (name, stage) in stages {
      let queue = stage.queue.map { "\($0.depthMax) of \($0.capacity)" } ?? "–"
      lines.append(
        Self.row(name, [Self.number(stage.serviceMs.p50, 2), Self.number(stage.serviceMs.p95, 2), queue]))
    }
    lines += scaling + against + ["", report.limit, memory]
    return lines.joined(separator: "\n")
  }

  /// What others took may be what the ratio lacks.
  private var busy: String {
    guard let others = report.othersCpuShare, others.max >= 0.05 else { return "" }
    return "; other processes took \(BenchLimit.percent(others.median)) of the machine, in one round "
      + "\(BenchLimit.percent(others.max)): measure again when it is quiet"
  }

  private var memory: String {
    let memory = report.memory
    return String(
      format:
        "this process held %.0f MiB at the start, %.0f with the model compiled, %.0f after the pipeline "
        + "(%.0f private, %.0f of libraries and files), at most %.0f",
      memory.start.totalMb, memory.compiled.totalMb, memory.pipeline.totalMb, memory.pipeline.anonymousMb,
      memory.pipeline.fileMb, memory.peakMb)
  }

  private var scaling: [String] {
    guard let scaling = report.scaling else { return [] }
    let head = ["FPS", "CPU ms", "÷ one", "MiB", "MiB added"]
    return ["", Self.row("sources, each in its own process", head)]
      + scaling.steps.map { step in
        Self.row(
          "\(step.sources)",
          [
            Self.number(step.fps.median, 1), Self.number(step.cpuMs.median, 2),
            Self.number(step.cpuRatio.median, 3), Self.number(step.residentMb.median, 0),
            Self.number(step.mbPerAddedSource?.median, 1),
          ])
      }
  }

  private var against: [String] {
    guard let against = report.against else { return [] }
    let versions = against.versions.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    func side(_ name: String, _ side: PeerReport.Side) -> String {
      Self.row(
        name,
        [
          Self.number(side.fps.median, 1), Self.number(side.peakMb.median, 0),
          Self.number(side.detectionsPerFrame.median, 2),
        ])
    }
    return [
      "", Self.row("each in its own process", ["FPS", "peak MiB", "objects"]),
      side("eyrie run", against.eyrie),
      side("\(against.name), \(URL(fileURLWithPath: against.model).lastPathComponent)", against.peer),
      Self.row(
        "ratio", [Self.number(against.fpsRatio.median, 2), Self.number(against.memoryRatio.median, 2), ""]),
      versions.joined(separator: ", "),
    ]
  }

  static func line(_ round: BenchReport.Round) -> String {
    String(
      format: "raw inference %.1f FPS, bound %.1f, pipeline %.1f, ratio %.3f", round.rawInferenceFps,
      round.boundFps, round.pipelineFps, round.ratio)
  }

  /// In the order in which frames pass.
  private static func place(_ stage: String) -> (Int, String) {
    let order = ["decode", "resize", "detect", "track", "publish"]
    return (order.firstIndex(of: stage) ?? order.count, stage)
  }

  private static func row(_ name: String, _ spread: Spread, _ digits: Int) -> String {
    row(name, [spread.median, spread.min, spread.max].map { number($0, digits) })
  }

  private static func row(_ name: String, _ cells: [String]) -> String {
    let line = name.padding(to: 34) + cells.map { $0.padded(to: 10) }.joined()
    return String(line.reversed().drop { $0 == " " }.reversed())
  }

  private static func number(_ value: Double?, _ digits: Int) -> String {
    guard let value, value.isFinite else { return "–" }
    return String(format: "%.\(digits)f", value)
  }
}

extension String {
  /// With spaces behind it.
  fileprivate func padding(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
  /// With spaces before it.
  fileprivate func padded(to width: Int) -> String {
    String(repeating: " ", count: max(0, width - count)) + self
  }
}
