import Foundation

/// Numbers and times for people.
enum SoakText {
  /// Three or four digits; `–` for what is not known.
  static func number(_ value: Double?) -> String {
    guard let value, value.isFinite else { return "–" }
    if value == value.rounded(), abs(value) < 1e9 { return String(Int(value)) }
    return switch abs(value) {
    case ..<0.1: String(format: "%.4f", value)
    case ..<10: String(format: "%.3f", value)
    case ..<100: String(format: "%.1f", value)
    default: String(format: "%.0f", value)
    }
  }

  /// `42 s`, `12 min 30 s`, `2 h 5 min`.
  static func time(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "–" }
    if seconds < 60, seconds != seconds.rounded() { return String(format: "%.1f s", seconds) }
    let whole = Int(seconds.rounded())
    if whole < 60 { return "\(whole) s" }
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60)
    if hours > 0 { return "\(hours) h" + (minutes > 0 ? " \(minutes) min" : "") }
    return "\(minutes) min" + (rest > 0 ? " \(rest) s" : "")
  }

  /// `1:05` or `2:01:05`.
  static func clock(_ seconds: Double) -> String {
    let whole = seconds.isFinite && seconds >= 0 && seconds < 1e9 ? Int(seconds) : 0
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60)
    return hours > 0
      ? String(format: "%d:%02d:%02d", hours, minutes, rest) : String(format: "%d:%02d", minutes, rest)
  }
}
