/// A quantity over time in a bounded number of buckets. When they are all full, neighbours are put together and
/// later buckets are twice as long; the least and the greatest sample of each are kept.
struct SampleSeries: Sendable {
  struct Bucket: Sendable, Equatable {
    fileprivate(set) var count = 0
    fileprivate var timeSum = 0.0
    fileprivate var sum = 0.0
    /// Seconds since the run began, of the first sample.
    let start: Double
    fileprivate(set) var minimum: Double
    fileprivate(set) var maximum: Double

    /// Of the samples, in seconds since the run began.
    var time: Double { timeSum / Double(count) }
    var mean: Double { sum / Double(count) }

    fileprivate init(_ value: Double, at time: Double) {
      (count, timeSum, sum, start, minimum, maximum) = (1, time, value, time, value, value)
    }

    fileprivate mutating func merge(_ other: Bucket) {
      count += other.count
      timeSum += other.timeSum
      sum += other.sum
      minimum = min(minimum, other.minimum)
      maximum = max(maximum, other.maximum)
    }
  }

  /// Even, so that all can be put together in pairs.
  static let mostBuckets = 512

  private(set) var buckets: [Bucket] = []
  private var samplesInBucket = 1

  init() {
    // The soak itself must not grow while it measures growth.
    buckets.reserveCapacity(Self.mostBuckets)
  }

  /// Adds a sample; one that is not finite is left out.
  /// - Parameter time: seconds since the run began, not before that of the last sample.
  mutating func append(_ value: Double, at time: Double) {
    guard value.isFinite else { return }
    let sample = Bucket(value, at: time)
    if let last = buckets.last, last.count < samplesInBucket {
      buckets[buckets.count - 1].merge(sample)
      return
    }
    if buckets.count == Self.mostBuckets { coarsen() }
    buckets.append(sample)
  }

  /// The buckets of which all samples are from after a moment.
  func buckets(since time: Double) -> ArraySlice<Bucket> {
    buckets[(buckets.firstIndex { $0.start >= time } ?? buckets.endIndex)...]
  }

  var maximum: Double? { buckets.map(\.maximum).max() }

  private mutating func coarsen() {
    for index in 0..<(buckets.count / 2) {
      var pair = buckets[2 * index]
      pair.merge(buckets[2 * index + 1])
      buckets[index] = pair
    }
    buckets.removeLast(buckets.count / 2)
    samplesInBucket *= 2
  }
}

extension SampleSeries {
  /// Whether it grows after a moment; nil where that is too short to tell.
  func trend(since time: Double) -> GrowthTrend? {
    GrowthTrend(buckets(since: time).map { LinearFit.Point(x: $0.time, y: $0.mean) })
  }

  /// Whether its level rises after a moment.
  func levelGrowth(since time: Double) -> LevelGrowth? {
    LevelGrowth(buckets(since: time).map(\.mean))
  }
}
