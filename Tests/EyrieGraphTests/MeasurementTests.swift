import EyrieTestTools
import Testing

@testable import EyrieGraph

@Suite("A latency histogram")
struct LatencyHistogramTests {
  @Test("gives percentiles within its stated precision", arguments: [0.0, 0.5, 0.95, 0.99, 1.0])
  func precision(share: Double) throws {
    var generator = SplitMix64(seed: 7)
    var histogram = LatencyHistogram()
    var values: [UInt64] = []
    for _ in 0..<20_000 {
      let value = UInt64.random(
        in: 0...(1 << UInt64.random(in: 1...40, using: &generator)), using: &generator)
      values.append(value)
      histogram.record(nanoseconds: value)
    }
    values.sort()
    let rank = max(1, Int((Double(values.count) * share).rounded(.up)))
    let exact = Double(values[rank - 1])
    let got = try #require(histogram.percentile(share))
    #expect(abs(got - exact) <= exact * 0.016 + 0.5)
  }

  @Test("takes every value without trapping", arguments: [UInt64.min, 1, 31, 32, 63, 64, 1 << 62, .max])
  func range(value: UInt64) {
    var histogram = LatencyHistogram()
    histogram.record(nanoseconds: value)
    #expect(
      histogram.percentile(0.5) == Double(value)
        || abs((histogram.percentile(0.5) ?? 0) / Double(value) - 1) < 0.016)
    #expect(histogram.maximum == value)
  }

  @Test("counts a negative duration as zero and an endless one as the greatest")
  func durations() {
    var histogram = LatencyHistogram()
    histogram.record(.seconds(-3))
    #expect(histogram.maximum == 0)
    histogram.record(.seconds(Int64.max))
    #expect(histogram.maximum == .max)
    histogram.record(.milliseconds(20))
    #expect(histogram.count == 3)
  }

  @Test("has no percentile without values")
  func empty() {
    #expect(LatencyHistogram().percentile(0.5) == nil)
  }

  @Test("merges")
  func merge() {
    var first = LatencyHistogram()
    var second = LatencyHistogram()
    for value in 1...100 { first.record(nanoseconds: UInt64(value)) }
    for value in 101...200 { second.record(nanoseconds: UInt64(value)) }
    first.merge(second)
    #expect(first.count == 200)
    #expect(first.maximum == 200)
    #expect(first.mean == 100.5)
  }
}

@Suite("A backoff")
struct BackoffTests {
  @Test("grows to its cap, with jitter, and never beyond", arguments: [0, 1, 5, 40, Int.max])
  func bounds(attempt: Int) {
    var generator = SplitMix64(seed: 3)
    let backoff = Backoff(initial: .milliseconds(100), cap: .seconds(5))
    let ceiling = min(Duration.seconds(5), .milliseconds(100) * (1 << min(attempt, 20)))
    let pauses = (0..<200).map { _ in backoff.pause(attempt: attempt, using: &generator) }
    #expect(pauses.allSatisfy { $0 >= .zero && $0 <= ceiling })
    #expect((pauses.max() ?? .zero) > ceiling * 0.8)
    #expect((pauses.min() ?? .zero) < ceiling * 0.2)
  }

  @Test("is never shorter than its floor", arguments: [0, 1, 40])
  func floor(attempt: Int) {
    var generator = SplitMix64(seed: 4)
    let backoff = Backoff(initial: .seconds(60), cap: .seconds(300), floor: .seconds(30))
    let pauses = (0..<200).map { _ in backoff.pause(attempt: attempt, using: &generator) }
    #expect(pauses.allSatisfy { $0 >= .seconds(30) && $0 <= .seconds(300) })
    let impossible = Backoff(initial: .seconds(1), cap: .seconds(2), floor: .seconds(9))
    #expect(impossible.pause(attempt: 0, using: &generator) == .seconds(1))
  }
}
