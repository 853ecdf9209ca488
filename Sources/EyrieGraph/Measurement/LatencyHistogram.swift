/// Counts durations in buckets whose width grows with the value: percentiles within 1.6 % at a fixed size.
///
/// The same idea as HdrHistogram: each power of two is split into 32 equal buckets. Recording neither
/// allocates nor compares; one histogram takes 15 KiB.
public struct LatencyHistogram: Sendable {
  private static let subBucketBits = 5
  private static let subBuckets = 1 << subBucketBits
  private static let bucketCount = (64 - subBucketBits + 1) * subBuckets

  private var buckets = [UInt64](repeating: 0, count: bucketCount)
  /// The number of recorded durations.
  public private(set) var count: UInt64 = 0
  /// The longest recorded duration, exact, in nanoseconds.
  public private(set) var maximum: UInt64 = 0
  private var sum: Double = 0

  /// An empty histogram.
  public init() {}

  /// The mean of the recorded durations in nanoseconds; 0 when there are none.
  public var mean: Double { count == 0 ? 0 : sum / Double(count) }

  /// Records one duration; a negative one counts as zero.
  public mutating func record(_ duration: Duration) {
    let parts = duration.components
    guard parts.seconds >= 0, parts.attoseconds >= 0 else { return record(nanoseconds: 0) }
    let (nanoseconds, overflow) = UInt64(parts.seconds).multipliedReportingOverflow(by: 1_000_000_000)
    record(nanoseconds: overflow ? .max : nanoseconds &+ UInt64(parts.attoseconds / 1_000_000_000))
  }

  /// Records one duration in nanoseconds.
  public mutating func record(nanoseconds: UInt64) {
    buckets[Self.index(of: nanoseconds)] &+= 1
    count &+= 1
    maximum = max(maximum, nanoseconds)
    sum += Double(nanoseconds)
  }

  /// The duration in nanoseconds that a share of the recorded ones does not exceed (nearest rank).
  /// - Parameter share: 0…1; 0.99 for the 99th percentile.
  /// - Returns: nil when nothing was recorded.
  public func percentile(_ share: Double) -> Double? {
    guard count > 0 else { return nil }
    let rank = max(1, UInt64((Double(count) * min(max(share, 0), 1)).rounded(.up)))
    var seen: UInt64 = 0
    for (index, inBucket) in buckets.enumerated() where inBucket > 0 {
      seen &+= inBucket
      if seen >= rank { return min(Self.middle(of: index), Double(maximum)) }
    }
    return Double(maximum)
  }

  /// Adds another histogram's counts to this one.
  public mutating func merge(_ other: LatencyHistogram) {
    for index in buckets.indices { buckets[index] &+= other.buckets[index] }
    count &+= other.count
    maximum = max(maximum, other.maximum)
    sum += other.sum
  }

  /// What was recorded since an earlier state of this histogram. Its maximum is exact if it is that of the whole
  /// histogram, and otherwise the middle of the bucket that it fell into.
  public func since(_ earlier: LatencyHistogram) -> LatencyHistogram {
    var difference = LatencyHistogram()
    for index in buckets.indices where buckets[index] > earlier.buckets[index] {
      difference.buckets[index] = buckets[index] - earlier.buckets[index]
      difference.count &+= difference.buckets[index]
      let middle = Self.middle(of: index)
      difference.maximum = middle < Double(maximum) ? UInt64(middle) : maximum
    }
    if maximum > earlier.maximum { difference.maximum = maximum }
    difference.sum = max(0, sum - earlier.sum)
    return difference
  }

  private static func index(of value: UInt64) -> Int {
    guard value >= UInt64(subBuckets) else { return Int(value) }
    let exponent = 63 - value.leadingZeroBitCount
    let shift = exponent - subBucketBits
    return (shift + 1) * subBuckets + Int((value >> UInt64(shift)) & UInt64(subBuckets - 1))
  }

  private static func middle(of index: Int) -> Double {
    guard index >= subBuckets else { return Double(index) }
    let shift = index / subBuckets - 1
    let low = Double(subBuckets + index % subBuckets)
    let width = Double(sign: .plus, exponent: shift, significand: 1)
    return low * width + (width - 1) / 2
  }
}
