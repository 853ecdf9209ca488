/// A sustained rate, from the frames of one interval after the other. Its size does not depend on how long the
/// soak is.
struct RateWindows: Sendable {
  /// How many intervals make ten seconds.
  private let longWindow: Int
  private var frames = 0
  private var seconds = 0.0
  /// How many intervals had a certain rate, to four digits.
  private var rates: [Double: Int] = [:]
  private var recent: [(frames: Int, seconds: Double)] = []
  /// The least rate of any ten seconds; nil where there were none without a gap.
  private(set) var leastOfTenSeconds: Double?

  /// - Parameter interval: in seconds.
  init(interval: Double) {
    longWindow = max(1, Int((10 / interval).rounded(.up)))
  }

  /// Counts the frames of an interval that follows the last one.
  mutating func add(frames: Int, seconds: Double) {
    guard seconds > 0 else { return }
    self.frames += frames
    self.seconds += seconds
    rates[Self.rounded(Double(frames) / seconds), default: 0] += 1
    recent.append((frames, seconds))
    guard recent.count >= longWindow else { return }
    let rate = Double(recent.reduce(0) { $0 + $1.frames }) / recent.reduce(0) { $0 + $1.seconds }
    leastOfTenSeconds = min(leastOfTenSeconds ?? rate, rate)
    recent.removeFirst()
  }

  /// Says that the next interval does not follow the last one: no window spans the gap.
  mutating func breakOff() {
    recent.removeAll(keepingCapacity: true)
  }

  /// Frames a second over all intervals.
  var mean: Double? { seconds > 0 ? Double(frames) / seconds : nil }

  /// The rate that 95 % of the intervals reached (nearest rank).
  var p05: Double? {
    let count = rates.values.reduce(0, +)
    let rank = max(1, Int((Double(count) * 0.05).rounded(.up)))
    var seen = 0
    for (rate, occurrences) in rates.sorted(by: { $0.key < $1.key }) {
      seen += occurrences
      if seen >= rank { return rate }
    }
    return nil
  }

  private static func rounded(_ rate: Double) -> Double {
    var unit = 0.1
    while rate >= unit * 10_000, unit < 1e12 { unit *= 10 }
    return unit < 1 ? (rate * 10).rounded() / 10 : (rate / unit).rounded() * unit
  }
}
