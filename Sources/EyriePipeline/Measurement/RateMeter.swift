/// Measures a sustained rate: the mean, and how far whole seconds fell below it.
struct RateMeter: Sendable {
  private var first: ContinuousClock.Instant?
  /// When the last frame was counted.
  private(set) var last: ContinuousClock.Instant?
  private var total = 0
  private var windowStart: ContinuousClock.Instant?
  private var inWindow = 0
  /// How many whole windows had a certain count. Bounded by the number of different rates, however long the
  /// run is.
  private var windows: [Int: Int] = [:]

  /// Counts one frame.
  mutating func record(at time: ContinuousClock.Instant) {
    total += 1
    last = time
    guard let windowStart else {
      first = time
      self.windowStart = time
      inWindow = 1
      return
    }
    var start = windowStart
    while time - start >= .seconds(1) {
      windows[inWindow, default: 0] += 1
      inWindow = 0
      start += .seconds(1)
    }
    self.windowStart = start
    inWindow += 1
  }

  /// Frames a second from the first to the last frame; nil for fewer than two frames.
  var mean: Double? {
    guard let first, let last, total > 1, last > first else { return nil }
    return Double(total - 1) / ((last - first) / .seconds(1))
  }

  /// The rate that 95 % of the whole one-second windows reached (nearest rank); the mean when the run was
  /// shorter than one window.
  var p05: Double? {
    let count = windows.values.reduce(0, +)
    guard count > 0 else { return mean }
    let rank = max(1, Int((Double(count) * 0.05).rounded(.up)))
    var seen = 0
    for (frames, occurrences) in windows.sorted(by: { $0.key < $1.key }) {
      seen += occurrences
      if seen >= rank { return Double(frames) }
    }
    return mean
  }
}
