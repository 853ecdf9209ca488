import Foundation

/// `report.html`: everything in one file, without scripts and without anything from elsewhere.
struct SoakPage {
  let report: SoakReport

  init(_ report: SoakReport) {
    self.report = report
  }

  var html: String {
    let word = report.verdict == .pass ? "PASS" : "FAIL"
    let name = Markup.escaped(report.pipeline)
    return """
      <!DOCTYPE html>
      <html lang="en" xmlns="http://www.w3.org/1999/xhtml">
      <head>
      <meta charset="utf-8"/>
      <meta name="viewport" content="width=device-width, initial-scale=1"/>
      <title>\(word): soak of \(name)</title>
      <style>
      \(PageStyle.sheet)
      </style>
      </head>
      <body>
      <h1><span class="verdict \(report.verdict.rawValue)">\(word)</span> Soak of \(name)</h1>
      <p class="about">\(Markup.escaped(about))</p>
      \(failure)\(streams)\(limits)\(sources)\(chaos)<h2>Over time</h2>
      \(SoakPlots(report).markup)\(legendOfJudging)</body>
      </html>

      """
  }

  private var about: String {
    let cut = report.cutShort ? "Cut short: ran " : "Ran "
    return cut + "\(SoakText.time(report.ranS)) of \(SoakText.time(report.durationS)), judged from "
      + "\(SoakText.time(report.warmUpS)) on; a sample every \(SoakText.time(report.intervalS)). "
      + "Began \(report.startedAt), on \(report.machineCores) cores."
  }

  private var failure: String {
    report.failure.map { "<p class=\"failure\">The run failed: \(Markup.escaped($0))</p>\n" } ?? ""
  }

  // MARK: - Limits

  private var limits: String {
    guard !report.limits.isEmpty else { return "" }
    let rows = shownLimits.map { result -> (kind: String, cells: [String]) in
      let margin = result.margin.map { " ± \(SoakText.number($0))" } ?? ""
      let asked = (result.isLeast ? "≥ " : "≤ ") + SoakText.number(result.limit)
      return (
        result.verdict.rawValue,
        [
          Markup.escaped(result.name), Markup.escaped(result.source ?? ""),
          Markup.escaped("\(asked) \(result.unit)")
            + (result.isDefault ? " <span class=\"unit\">(default)</span>" : ""),
          Markup.escaped(SoakText.number(result.measured) + margin + " " + result.unit),
          Markup.escaped(result.verdict.rawValue + (result.note.map { ": \($0)" } ?? "")),
        ]
      )
    }
    return "<h2>Limits</h2>\n" + Markup.table(["limit", "source", "asked", "measured", "verdict"], rows)
  }

  /// Of a limit that all sources keep, the one that is nearest to breaking it.
  private var shownLimits: [LimitResult] {
    var names: [String] = []
    for result in report.limits where !names.contains(result.name) { names.append(result.name) }
    return names.flatMap { name -> [LimitResult] in
      let all = report.limits.filter { $0.name == name }
      let worth = all.filter { $0.verdict != .held }
      guard worth.isEmpty else { return worth }
      let nearest = all.min { first, second in
        let (a, b) = (first.measured ?? 0, second.measured ?? 0)
        return first.isLeast ? a < b : a > b
      }
      return nearest.map { nearest in
        var shown = nearest
        if all.count > 1 { shown.source = "all; nearest: \(nearest.source ?? "")" }
        return [shown]
      } ?? []
    }
  }

  // MARK: - Sources

  private var sources: String {
    guard !report.sources.isEmpty else { return "" }
    let rows = report.sources.sorted { $0.key < $1.key }.map {
      name, source -> (kind: String, cells: [String]) in
      let drops = source.dropped.sorted { $0.key < $1.key }.flatMap { stage, reasons in
        reasons.sorted { $0.key < $1.key }.map { "\($0.value) at \(stage) (\($0.key))" }
      }
      let latency = source.latencyMs
      let cells = [
        "\(name)\n\(source.input)", SoakText.number(source.fps.mean), SoakText.number(source.fps.p05),
        SoakText.number(source.fps.leastOfTenSeconds), SoakText.number(source.realtimeRatio),
        [latency.p50, latency.p95, latency.p99, latency.max].map { SoakText.number($0) }.joined(
          separator: " / "),
        "\(source.published) of \(source.decoded)", drops.isEmpty ? "0" : drops.joined(separator: ", "),
        "\(source.reconnects) / \(source.errors)",
      ]
      return (
        "", cells.map { Markup.escaped($0).replacing("\n", with: "<br/>") }
      )
    }
    let head = [
      "source", "FPS mean", "p05", "least 10 s", "real time ×", "latency ms p50 / p95 / p99 / max",
      "published",
      "dropped", "reconnects / errors",
    ]
    return "<h2>Sources</h2>\n" + Markup.table(head, rows)
  }

  // MARK: - Chaos and streams

  private var chaos: String {
    guard let chaos = report.chaos else { return "" }
    let faults = chaos.faults.map { fault -> (kind: String, cells: [String]) in
      let recovery =
        fault.kind == .stall
        ? "" : fault.recoveredAfterS.map { "after \(SoakText.number($0)) s" } ?? "never"
      return (
        "",
        [
          SoakText.clock(fault.atS), fault.kind.rawValue, fault.target, "\(SoakText.number(fault.lengthS)) s",
          recovery,
        ].map(Markup.escaped)
      )
    }
    let subscribers = chaos.subscribers.map { subscriber -> (kind: String, cells: [String]) in
      let counts = [
        subscriber.published, subscriber.beforeSubscription, subscriber.received,
        subscriber.lost + subscriber.missingAtEnd, subscriber.droppedByPublisher, subscriber.uncounted,
      ]
      return ("", [Markup.escaped(subscriber.endpoint)] + counts.map(String.init))
    }
    return "<h2>Chaos</h2>\n<p class=\"about\">Seed \(chaos.seed). A source is not judged from a fault until "
      + "\(SoakText.number(chaos.graceS)) s after it gives frames again.</p>\n"
      + (subscribers.isEmpty
        ? ""
        : Markup.table(
          [
            "subscriber", "published", "before it came", "received", "missing", "of which counted",
            "uncounted",
          ],
          subscribers))
      + "<details\(faults.count <= 30 ? " open=\"open\"" : "")><summary>\(faults.count) faults</summary>\n"
      + Markup.table(["at", "fault", "on", "lasted", "back"], faults) + "</details>\n"
  }

  private var streams: String {
    guard let streams = report.streams else { return "" }
    let rows = streams.tries.map { attempt -> (kind: String, cells: [String]) in
      (
        attempt.holds ? "held" : "broken",
        [
          "\(attempt.streams)" + (attempt.isConfirmation ? " (again)" : ""),
          SoakText.number(attempt.realtimeRatio),
          SoakText.number(attempt.dropRate), SoakText.number(attempt.fps), SoakText.number(attempt.cpuCores),
          attempt.holds ? "holds" : attempt.reason ?? "does not hold",
        ].map(Markup.escaped)
      )
    }
    let more = streams.isAtMost ? " More were not tried." : ""
    return
      "<h2>Streams</h2>\n<p><b>\(streams.greatest)</b> streams hold in real time.\(more) Each try was judged for "
      + "\(SoakText.time(streams.tryS)) after a warm-up of \(SoakText.time(streams.warmUpS)). "
      + "What follows is the last try.</p>\n"
      + Markup.table(
        ["streams", "least real time ×", "drop rate", "FPS of all", "CPU cores", "verdict"], rows)
  }

  private var legendOfJudging: String {
    """
    <p class="about">Slopes are by least squares after the warm-up; the margin is that of 95 % confidence, widened by \
    the autocorrelation of the samples. A slope breaks its limit only if it lies beyond it by more than the margin, over the whole \
    time and over each half by itself. Descriptors and threads are judged by their level: the median of the last third \
    less that of the first. Bands are from the least to the greatest sample.</p>

    """
  }
}
