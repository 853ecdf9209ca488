import Foundation

/// Lines over the time of a soak, as SVG in a page.
struct LinePlot {
  struct Point {
    /// Seconds since the run began.
    let time: Double
    let value: Double
    /// The least and the greatest of what the point stands for.
    var range: ClosedRange<Double>?
  }

  enum Style {
    case solid
    case dashed
    /// Dashed, and not through samples.
    case trend
  }

  struct Line {
    let name: String
    let points: [Point]
    /// Lines of one colour belong together.
    let colour: Int
    var style = Style.solid
  }

  let title: String
  /// Of the vertical axis.
  let unit: String
  let lines: [Line]
  /// Seconds.
  let duration: Double
  let warmUp: Double
  var faults: [ChaosReport.Fault] = []
  /// The axis spans at least so much, so that noise does not look like mountains.
  var leastSpan = 1.0
  var startsAtZero = true

  static let colourCount = 8
  private static let size = (width: 900.0, height: 250.0)
  private static let frame = (left: 62.0, right: 26.0, top: 12.0, bottom: 42.0)

  var svg: String {
    guard lines.contains(where: { !$0.points.isEmpty }) else { return "" }
    let vertical = AxisTicks(range)
    var parts = [
      "<figure><figcaption>\(Markup.escaped(title)) <span class=\"unit\">\(Markup.escaped(unit))</span></figcaption>",
      "<svg viewBox=\"0 0 \(n(Self.size.width)) \(n(Self.size.height))\" role=\"img\" aria-label=\"\(Markup.escaped(title))\">",
    ]
    if warmUp > 0 { parts.append(area(from: 0, length: warmUp, "warmup", "warm-up")) }
    for fault in faults {
      let recovery = fault.recoveredAfterS ?? 0
      parts.append(
        area(
          from: fault.atS, length: fault.lengthS + recovery, "fault-\(fault.kind.rawValue)",
          "\(fault.kind.rawValue) \(fault.target) at \(SoakText.clock(fault.atS))"))
    }
    for value in vertical.values {
      parts.append(rule(x: (Self.frame.left, right), y: (y(value), y(value))))
      parts.append(text(vertical.label(value), x: Self.frame.left - 6, y: y(value) + 4, "end"))
    }
    for time in AxisTicks(seconds: 0...max(duration, 1)).values {
      parts.append(rule(x: (x(time), x(time)), y: (bottom, bottom + 4)))
      parts.append(text(SoakText.clock(time), x: x(time), y: bottom + 17, "middle"))
    }
    let form = duration >= 3600 ? "h:mm:ss" : "m:ss"
    parts.append(
      text("time since the start, \(form)", x: (Self.frame.left + right) / 2, y: bottom + 34, "middle"))
    parts.append(rule(x: (Self.frame.left, right), y: (bottom, bottom), "axis"))
    for line in lines { parts.append(contentsOf: drawn(line)) }
    parts.append("</svg>")
    parts.append(legend)
    parts.append("</figure>")
    return parts.joined(separator: "\n") + "\n"
  }

  // MARK: - Geometry

  private var right: Double { Self.size.width - Self.frame.right }
  private var bottom: Double { Self.size.height - Self.frame.bottom }

  private var range: ClosedRange<Double> {
    let points = lines.flatMap(\.points)
    let least = points.map { $0.range?.lowerBound ?? $0.value }.min() ?? 0
    let greatest = points.map { $0.range?.upperBound ?? $0.value }.max() ?? 0
    if startsAtZero { return 0...max(greatest * 1.08, leastSpan) }
    let padding = max((greatest - least) * 0.1, (leastSpan - (greatest - least)) / 2)
    return max(0, least - padding)...(greatest + max(padding, 1e-6))
  }

  private func x(_ time: Double) -> Double {
    Self.frame.left + (right - Self.frame.left) * min(max(time / max(duration, 1), 0), 1)
  }

  private func y(_ value: Double) -> Double {
    let span = range.upperBound - range.lowerBound
    return bottom - (bottom - Self.frame.top) * (value - range.lowerBound) / span
  }

  private func n(_ value: Double) -> String {
    let text = String(format: "%.1f", value)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  // MARK: - Marks

  private func rule(x: (Double, Double), y: (Double, Double), _ kind: String = "grid") -> String {
    "<line class=\"\(kind)\" x1=\"\(n(x.0))\" y1=\"\(n(y.0))\" x2=\"\(n(x.1))\" y2=\"\(n(y.1))\"/>"
  }

  private func text(_ text: String, x: Double, y: Double, _ anchor: String) -> String {
    "<text x=\"\(n(x))\" y=\"\(n(y))\" text-anchor=\"\(anchor)\">\(Markup.escaped(text))</text>"
  }

  private func area(from time: Double, length: Double, _ kind: String, _ about: String) -> String {
    let width = max(1.5, x(time + length) - x(time))
    return
      "<rect class=\"\(kind)\" x=\"\(n(x(time)))\" y=\"\(n(Self.frame.top))\" width=\"\(n(width))\" "
      + "height=\"\(n(bottom - Self.frame.top))\"><title>\(Markup.escaped(about))</title></rect>"
  }

  private func drawn(_ line: Line) -> [String] {
    var parts: [String] = []
    let kind = Self.kind(line)
    let bands = line.points.compactMap { point in point.range.map { (point.time, $0) } }
    if bands.count > 1, bands.contains(where: { $0.1.upperBound > $0.1.lowerBound }) {
      let outline =
        bands.map { "\(n(x($0.0))),\(n(y($0.1.upperBound)))" }
        + bands.reversed().map { "\(n(x($0.0))),\(n(y($0.1.lowerBound)))" }
      parts.append("<polygon class=\"band \(kind)\" points=\"\(outline.joined(separator: " "))\"/>")
    }
    let points = line.points.map { "\(n(x($0.time))),\(n(y($0.value)))" }.joined(separator: " ")
    parts.append("<polyline class=\"line \(kind)\" points=\"\(points)\"/>")
    if line.points.count <= 40, line.style != .trend {
      parts += line.points.map {
        "<circle class=\"dot \(kind)\" cx=\"\(n(x($0.time)))\" cy=\"\(n(y($0.value)))\" r=\"2.5\"/>"
      }
    }
    return parts
  }

  private static func kind(_ line: Line) -> String {
    let round = line.colour / colourCount
    return "c\(line.colour % colourCount)"
      + (line.style != .solid ? " dashed" : round > 0 ? " round\(min(round, 2))" : "")
  }

  private var legend: String {
    var entries = lines.map { line in
      "<li><svg viewBox=\"0 0 26 10\" class=\"key\"><polyline class=\"line \(Self.kind(line))\" points=\"0,5 26,5\"/></svg>"
        + "\(Markup.escaped(line.name))</li>"
    }
    for kind in ChaosReport.Fault.Kind.allCases where faults.contains(where: { $0.kind == kind }) {
      entries.append(
        "<li><svg viewBox=\"0 0 26 10\" class=\"key\"><rect class=\"fault-\(kind.rawValue)\" x=\"0\" y=\"0\" "
          + "width=\"26\" height=\"10\"/></svg>\(kind.rawValue)</li>")
    }
    return "<ul class=\"legend\">" + entries.joined() + "</ul>"
  }
}

extension LinePlot.Line {
  /// A series of the report.
  init(_ name: String, _ series: SoakReport.Series, colour: Int) {
    self.init(
      name: name,
      points: series.points.compactMap { point in
        guard point.count == 4, point[1] <= point[3] else { return nil }
        return LinePlot.Point(time: point[0], value: point[2], range: point[1]...point[3])
      }, colour: colour)
  }
}
