/// Which frames of a stream are delivered: each Nth, and of those at most so many a second.
///
/// The limit of the rate lays a grid over the timeline, one point each `1 ÷ maxFPS` seconds from the first
/// frame on, and delivers the first frame that is nearest to a point. So a stream of about that rate passes
/// whole, however its times jitter by less than half a step, and after a gap nothing is made up for.
struct FrameSelection {
  private let every: Int
  private let maxFPS: Double?
  private var origin: Int64?
  private var lastPoint: Double = 0

  /// - Parameters:
  ///   - every: below 1 means 1.
  ///   - maxFPS: frames a second; no limit if it is `nil`, not finite or not positive.
  init(every: Int, maxFPS: Double?) {
    self.every = max(1, every)
    self.maxFPS = maxFPS.flatMap { $0.isFinite && $0 > 0 ? min($0, 1e6) : nil }
  }

  /// Whether nothing is ever left out.
  var takesAll: Bool { every == 1 && maxFPS == nil }

  /// Whether the frame is delivered. Frames must be asked about in order, each once.
  mutating func takes(index: Int, nanoseconds: Int64) -> Bool {
    guard index % every == 0 else { return false }
    guard let maxFPS else { return true }
    guard let origin else {
      self.origin = nanoseconds
      return true
    }
    let point = (Double(nanoseconds &- origin) * maxFPS / 1e9).rounded()
    guard point > lastPoint else { return false }
    lastPoint = point
    return true
  }
}
