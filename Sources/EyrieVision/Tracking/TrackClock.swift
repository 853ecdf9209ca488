/// The stream's time as tracks live in it: it stands still where presentation times go back, and goes on
/// from there.
struct TrackClock: Sendable {
  /// Seconds since the first update.
  private(set) var now = 0.0
  private var last: Int64?

  /// Seconds from the last update to a presentation time, 0 where that is not later.
  func seconds(to nanoseconds: Int64) -> Double {
    guard let last, nanoseconds > last else { return 0 }
    let (difference, overflow) = nanoseconds.subtractingReportingOverflow(last)
    return overflow ? Double(nanoseconds) / 1e9 - Double(last) / 1e9 : Double(difference) / 1e9
  }

  /// Moves on, and returns by how much.
  mutating func advance(to nanoseconds: Int64) -> Double {
    let seconds = seconds(to: nanoseconds)
    last = nanoseconds
    now += seconds
    return seconds
  }
}
