import Foundation

/// Events as lines for people.
public enum EventText {
  /// One line, without a line feed: time, source, what happened. The texts in it come from outside, so
  /// control characters are written as `\u{…}` and cannot drive the terminal.
  public static func line(_ event: Event) -> String {
    let text =
      switch event {
      case .detections(let event): line(event)
      case .stream(let event): line(event)
      case .stats(let event): line(event)
      }
    return text.oneLine
  }

  private static func line(_ event: DetectionsEvent) -> String {
    var parts = ["frame \(event.frame)", summary(event.detections)]
    if let latency = event.latency { parts.append("\(fixed(latency, 1)) ms") }
    return head(event.capturedAt, event.source, parts)
  }

  private static func line(_ event: StreamEvent) -> String {
    var parts = ["stream \(event.state.rawValue.replacing("_", with: " "))"]
    if !event.message.isEmpty { parts.append(event.message) }
    return head(event.capturedAt, event.source, parts)
  }

  private static func line(_ event: StatsEvent) -> String {
    var parts = ["stats"]
    if let fps = event.fps { parts.append("\(fixed(fps, 1)) fps") }
    parts.append(
      "decoded \(event.frames.decoded), inferred \(event.frames.inferred), published \(event.frames.published), "
        + "dropped \(event.dropped.total)")
    if let uptime = event.uptime { parts.append("up \(fixed(uptime, 0)) s") }
    if let state = event.state, state != .connected {
      parts.append(state.rawValue.replacing("_", with: " "))
    }
    return head(event.capturedAt, event.source, parts)
  }

  /// `2 person, 1 car (0.91 0.88 0.77)`: the most frequent label first, and the scores in that order.
  private static func summary(_ detections: [Detection]) -> String {
    guard !detections.isEmpty else { return "nothing" }
    let groups = Dictionary(grouping: detections, by: \.label)
      .sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }
    let counts = groups.map { "\($0.value.count) \($0.key)" }.joined(separator: ", ")
    let scores = groups.flatMap { $0.value.map(\.confidence).sorted(by: >) }
    let shown = scores.prefix(8).map { fixed($0, 2) }.joined(separator: " ")
    return "\(counts) (\(shown)\(scores.count > 8 ? " …" : ""))"
  }

  private static func head(_ time: WallTime, _ source: SourceID, _ parts: [String]) -> String {
    // 2026-01-31T09:08:07.123456Z: the time of day in milliseconds.
    let clock = time.description.dropFirst(11).prefix(12)
    return ([String(clock), source.value] + parts).joined(separator: "  ")
  }

  /// A number with a fixed number of decimals, whatever the locale.
  private static func fixed(_ value: Double, _ decimals: Int) -> String {
    String(format: "%.\(decimals)f", locale: nil, value)
  }
}
