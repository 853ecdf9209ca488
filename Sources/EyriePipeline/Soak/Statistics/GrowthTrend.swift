/// Whether something that a process holds grows: of a series, the line through it, and those through its halves.
struct GrowthTrend: Sendable, Equatable {
  /// Fewer buckets than this say nothing about a slope.
  static let fewestPoints = 10

  /// What a limit on the slope comes to.
  enum Verdict: Sendable, Equatable {
    case within
    case beyond
    /// The slope is known less well than the limit asks.
    case unsure
  }

  /// x in seconds.
  let fit: LinearFit
  private let halves: [LinearFit]
  /// From the first point to the last, in seconds.
  private let span: Double

  /// In units an hour, as are the next two.
  var slope: Double { fit.slope * 3600 }
  var standardError: Double { fit.standardError * 3600 }
  var margin: Double { fit.margin * 3600 }

  /// - Returns: nil where there is too little to tell.
  init?(_ points: [LinearFit.Point]) {
    guard points.count >= Self.fewestPoints, let fit = LinearFit(points) else { return nil }
    self.fit = fit
    span = (points.last?.x ?? 0) - (points.first?.x ?? 0)
    let middle = points.count / 2
    halves = [LinearFit(Array(points[..<middle])), LinearFit(Array(points[middle...]))].compactMap(\.self)
  }

  /// Compares the slope with a limit.
  ///
  /// It is beyond only if it is with 95 % confidence, of the whole and of each half of the time by itself. An
  /// allocator takes memory in steps: a few of them, where files begin anew or a first camera comes back, are a steep
  /// line and no leak. Within a half, the residuals around a step are long and alike, so its margin is wide; a leak
  /// goes on evenly, and its margins stay narrow.
  /// - Parameter grain: less than so much in all is no growth.
  func verdict(limit: Double, grain: Double) -> Verdict {
    if slope + margin <= limit { return .within }
    let isSteady = halves.count == 2 && halves.allSatisfy { ($0.slope - $0.margin) * 3600 > limit }
    guard fit.slope * span > grain else { return .unsure }
    return slope - margin > limit && isSteady ? .beyond : .unsure
  }
}

/// Whether what is counted in ones (descriptors, threads) grows. What comes for a moment moves the peaks, and a source
/// that is away the floor; what leaks moves the level: the median of the last third is compared with that of the first.
struct LevelGrowth: Sendable, Equatable {
  let first: Double
  let last: Double
  /// In ones: a bucket of several samples may have a mean in between.
  var growth: Double { (last - first).rounded() }

  /// - Parameter values: at even distances.
  /// - Returns: nil for fewer than six.
  init?(_ values: [Double]) {
    let third = values.count / 3
    guard third >= 2 else { return nil }
    first = Self.median(values.prefix(third))
    last = Self.median(values.suffix(third))
  }

  /// The lower of the two in the middle.
  private static func median(_ values: ArraySlice<Double>) -> Double {
    let sorted = values.sorted()
    return sorted[(sorted.count - 1) / 2]
  }
}
