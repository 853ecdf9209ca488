import Foundation

/// The summary of a run for people: aligned lines, the most frequent labels first.
public struct SummaryTable: CustomStringConvertible {
  private let summary: RunSummary

  /// - Parameter summary: what to show.
  public init(_ summary: RunSummary) {
    self.summary = summary
  }

  /// The table, without a line break at the end.
  public var description: String {
    let frames = summary.frames
    let between = frames.predicted > 0 ? ", \(frames.predicted) predicted" : ""
    var rows: [(String, String)] = [
      (
        "frames",
        "\(frames.decoded) decoded, \(frames.inferred) inferred\(between), \(frames.published) published"
      ),
      ("dropped", Self.dropped(frames.dropped)),
      ("detections", detections),
      (
        "sustained FPS", "mean \(Self.number(summary.fps.mean)), p05 \(Self.number(summary.fps.p05))" + source
      ),
      (
        "latency ms",
        "p50 \(Self.number(summary.latencyMs.p50)), p99 \(Self.number(summary.latencyMs.p99)), "
          + "max \(Self.number(summary.latencyMs.max))"
      ),
    ]
    let tracks = summary.sources.values.reduce(0) { $0 + $1.tracks }
    if tracks > 0 { rows.append(("tracks", "\(tracks)")) }
    for (stage, crops) in summary.crops.sorted(by: { $0.key < $1.key }) {
      rows.append(("crops", "\(stage): " + Self.line(crops)))
    }
    if summary.events.published > 0 {
      let lost = summary.events.droppedAtHighWaterMark
      rows.append(
        (
          "events",
          "\(summary.events.published) published"
            + (lost > 0 ? ", at least \(lost) lost by slow subscribers" : "")
        ))
    }
    if summary.sources.count > 1 {
      for (name, source) in summary.sources.sorted(by: { $0.key < $1.key }) {
        rows.append(("source", "\(name): " + Self.line(source)))
      }
    }
    for model in summary.models {
      rows.append(
        (
          "model",
          "\(model.name), \(model.inputWidth)×\(model.inputHeight), "
            + "\(model.arithmetic), "
            + "\(model.requests) infer requests"
        ))
    }
    rows.append(
      (
        "used",
        "\(Self.number(summary.wallS)) s, \(Self.number(summary.cpuS)) CPU s, "
          + "peak memory \(Int(summary.rssPeakMb.rounded())) MiB"
      ))
    if summary.leftBehind > 0 {
      rows.append(("left behind", "\(summary.leftBehind) items when the time to drain was over"))
    }
    for warning in summary.warnings { rows.append(("warning", warning)) }
    let width = rows.map(\.0.count).max() ?? 0
    return rows.map { $0.0 + String(repeating: " ", count: width - $0.0.count + 2) + $0.1 }.joined(
      separator: "\n")
  }

  private var detections: String {
    let labels = summary.detectionsByLabel.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    let shown = labels.prefix(12).map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    let more = labels.count > 12 ? ", and \(labels.count - 12) more labels" : ""
    return "\(summary.detections)" + (labels.isEmpty ? "" : ": " + shown + more)
  }

  private var source: String {
    guard let rate = summary.fps.source else { return "" }
    let ratio = summary.realtimeRatio.map { " (\(Self.number($0)) × real time)" } ?? ""
    return "; the stream has \(Self.number(rate))\(ratio)"
  }

  private static func line(_ crops: RunSummary.Crops) -> String {
    let lost = crops.dropped.sorted { $0.key < $1.key }.map {
      ", \($0.value) \($0.key.replacing("_", with: " "))"
    }
    return "\(crops.seen) seen, \(crops.classified) classified, \(crops.reused) reused" + lost.joined()
  }

  private static func line(_ source: RunSummary.Source) -> String {
    let size = source.width.flatMap { width in source.height.map { "\(width)×\($0)" } } ?? "no picture"
    var parts = [
      "\(source.published) of \(source.frames) frames", size, "\(number(source.fps.mean)) FPS",
      "p99 \(number(source.latencyMs.p99)) ms",
    ]
    if !source.dropped.isEmpty { parts.append("dropped \(dropped(source.dropped))") }
    if source.reconnects > 0 { parts.append("reconnects \(source.reconnects)") }
    if source.errors > 0 { parts.append("errors \(source.errors)") }
    return parts.joined(separator: ", ")
  }

  private static func dropped(_ dropped: [String: [String: Int]]) -> String {
    let parts = dropped.sorted { $0.key < $1.key }.flatMap { stage, reasons in
      reasons.sorted { $0.key < $1.key }.map { "\($0.value) at \(stage) (\($0.key))" }
    }
    return parts.isEmpty ? "0" : parts.joined(separator: ", ")
  }

  private static func number(_ value: Double?) -> String {
    guard let value, value.isFinite else { return "–" }
    return String(format: value < 10 ? "%.2f" : "%.1f", value)
  }
}

extension RunSummary.Model {
  /// For people.
  var arithmetic: String { weights == "int8" ? "int8, else \(precision)" : precision }
}
