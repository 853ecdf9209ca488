import EyrieGraph
import EyrieTestTools
import Testing

@testable import EyriePipeline

/// What a soak computes, against values that were worked out by hand.
@Suite("Statistics of a soak")
struct SoakStatisticsTests {
  @Test("fit a line by least squares")
  func line() throws {
    let exact = try #require(
      LinearFit((0..<10).map { LinearFit.Point(x: Double($0), y: 3 + 2 * Double($0)) }))
    #expect(abs(exact.slope - 2) < 1e-12)
    #expect(abs(exact.intercept - 3) < 1e-12)
    #expect(exact.standardError < 1e-9)
    // Means 2.5 and 2.75; Σ(x−x̄)² = 5; Σ(x−x̄)(y−ȳ) = 4.5. The slope is 0.9, the intercept 0.5, the residuals are
    // −0.4, 0.7, −0.2, −0.1 and their squares add up to 0.7. Neighbours anticorrelate, so nothing is widened: the
    // variance is 0.7 ÷ 2, the standard error √(0.35 ÷ 5), and with two degrees of freedom the margin 4.30 times that.
    let fit = try #require(
      LinearFit([(1, 1), (2, 3), (3, 3), (4, 4)].map { LinearFit.Point(x: $0.0, y: $0.1) }))
    #expect(abs(fit.slope - 0.9) < 1e-12)
    #expect(abs(fit.intercept - 0.5) < 1e-12)
    #expect(fit.autocorrelation == 0)
    #expect(abs(fit.standardError - 0.264_575) < 1e-6)
    #expect(abs(fit.margin - 4.30 * 0.264_575) < 1e-5)
    #expect(LinearFit([LinearFit.Point(x: 0, y: 0), LinearFit.Point(x: 1, y: 1)]) == nil)
    #expect(LinearFit((0..<5).map { LinearFit.Point(x: 1, y: Double($0)) }) == nil)
  }

  @Test("trust a slope less where neighbours are alike")
  func autocorrelation() throws {
    let jagged = try #require(
      LinearFit((0..<100).map { LinearFit.Point(x: Double($0), y: $0 % 2 == 0 ? 1 : -1) }))
    let waves = try #require(
      LinearFit((0..<100).map { LinearFit.Point(x: Double($0), y: $0 / 10 % 2 == 0 ? 1 : -1) }))
    #expect(jagged.autocorrelation == 0)
    #expect((0.7...0.9).contains(waves.autocorrelation))
    #expect(waves.standardError > 2.3 * jagged.standardError)
    for (freedom, quantile) in [(1.0, 12.71), (5, 2.57), (10, 2.23), (30, 2.04), (1e6, 1.96)] {
      #expect(abs(LinearFit.quantile(freedom: freedom) - quantile) < 0.02)
    }
  }

  private func trend(_ value: (Double) -> Double) throws -> GrowthTrend {
    var noise = SplitMix64(seed: 7)
    return try #require(
      GrowthTrend(
        (0..<120).map { second in
          let jitter = Double.random(in: -0.05...0.05, using: &noise)
          return LinearFit.Point(x: Double(second), y: value(Double(second)) + jitter)
        }))
  }

  @Test("tell a leak from the steps of an allocator and from noise")
  func growth() throws {
    // 10 MB in two minutes.
    #expect(try trend { 100 + $0 / 12 }.verdict(limit: 5, grain: 4) == .beyond)
    #expect(abs(try trend { 100 + $0 / 12 }.slope - 300) < 5)
    // Two megabytes are what a young process takes while it settles.
    #expect(try trend { 100 + $0 / 60 }.verdict(limit: 5, grain: 4) == .unsure)
    #expect(try trend { 100 + $0 / 60 }.verdict(limit: 5, grain: 1) == .beyond)
    // One step of 1 MB lies in one half only.
    let step = try trend { $0 < 70 ? 100 : 101 }
    #expect(step.slope > 20)
    #expect(step.verdict(limit: 5, grain: 4) == .unsure)
    // So do three, as a pipeline of files really had them when they began anew.
    let steps = try trend { 213 + ($0 < 12 ? 0 : 3.5) + ($0 < 22 ? 0 : 2) + ($0 < 100 ? 0 : 2.1) + $0 / 300 }
    #expect(steps.slope > 100)
    #expect(steps.verdict(limit: 5, grain: 4) == .unsure)
    // A leak in steps of half a megabyte, one in three seconds.
    #expect(try trend { 100 + ($0 / 3).rounded(.down) / 2 }.verdict(limit: 5, grain: 4) == .beyond)
    #expect(try trend { _ in 100 }.verdict(limit: 5, grain: 4) == .within)
    #expect(try trend { 100 - $0 / 12 }.verdict(limit: 5, grain: 4) == .within)
    #expect(GrowthTrend((0..<9).map { LinearFit.Point(x: Double($0), y: 0) }) == nil)
  }

  @Test("find growth in the level, and not in peaks and dips")
  func level() {
    #expect(LevelGrowth([20, 20, 14, 29, 20, 31, 20, 33, 20])?.growth == 0)
    // Medians of 20, 20, 21 and 23, 33, 24.
    #expect(LevelGrowth([20, 20, 21, 29, 22, 31, 23, 33, 24])?.growth == 4)
    #expect(LevelGrowth([20, 20.2, 20, 20, 20, 20.4])?.growth == 0)
    #expect(LevelGrowth([20, 20, 20, 20, 20]) == nil)
  }

  @Test("judge a process that grows")
  func processGrowth() throws {
    var series = SampleSeries()
    for second in 0..<60 { series.append(Double(20 + second / 5), at: Double(second)) }
    // Seconds 10 to 25, of which 17 is the median, and 44 to 59, of which it is 51.
    #expect(series.levelGrowth(since: 10)?.growth == 7)
    #expect(try #require(series.trend(since: 10)).verdict(limit: 100, grain: 4) == .beyond)
    #expect(series.trend(since: 55) == nil)
  }

  @Test("give the mean, the p05 and the least ten seconds of a rate")
  func rates() {
    var windows = RateWindows(interval: 1)
    for second in 0..<40 { windows.add(frames: second == 25 ? 5 : second == 30 ? 15 : 25, seconds: 1) }
    #expect(windows.mean == 24.25)
    // The second least of 40.
    #expect(windows.p05 == 15)
    // Seconds 25 and 30 in one window.
    #expect(windows.leastOfTenSeconds == 22)
    var interrupted = RateWindows(interval: 1)
    for second in 0..<18 {
      if second == 9 { interrupted.breakOff() }
      interrupted.add(frames: 25, seconds: 1)
    }
    #expect(interrupted.leastOfTenSeconds == nil)
    #expect(interrupted.p05 == 25)
    #expect(RateWindows(interval: 1).mean == nil && RateWindows(interval: 1).p05 == nil)
  }

  @Test("give latency percentiles for each minute by itself")
  func minutes() throws {
    var minutes = LatencyMinutes()
    for second in 0..<90 {
      var latency = LatencyHistogram()
      latency.record(.milliseconds(second < 60 ? 10 : 40))
      if second == 30 { latency.record(.milliseconds(500)) }
      minutes.add(latency, until: Double(second + 1))
    }
    let spans = minutes.spans
    #expect(spans.map(\.start) == [0, 60])
    #expect(spans.map(\.length) == [60, 30])
    #expect(spans.map(\.frames) == [61, 30])
    #expect(spans[0].max == 500)
    #expect(abs(try #require(spans[0].p50) - 10) < 0.2)
    #expect(abs(try #require(spans[0].p95) - 10) < 0.2)
    #expect(spans[1].max == 40)
    #expect(abs(try #require(spans[1].p99) - 40) < 0.8)
  }

  @Test("stay small however long a soak is, and keep the extremes")
  func series() throws {
    var series = SampleSeries()
    for second in 0..<100_000 { series.append(second == 54_321 ? 9 : Double(second % 2), at: Double(second)) }
    series.append(.nan, at: 100_000)
    #expect((SampleSeries.mostBuckets / 2...SampleSeries.mostBuckets).contains(series.buckets.count))
    #expect(series.buckets.reduce(0) { $0 + $1.count } == 100_000)
    #expect(series.maximum == 9)
    #expect(series.buckets.map(\.minimum).max() == 0)
    #expect(series.buckets[0].start == 0)
    #expect(zip(series.buckets, series.buckets.dropFirst()).allSatisfy { $0.time < $1.start })
    let warm = series.buckets(since: 50_000)
    #expect(try #require(warm.first).start >= 50_000)
    var spans = LatencyMinutes()
    for minute in 0..<5_000 { spans.add(LatencyHistogram(), until: Double(minute + 1) * 60) }
    #expect(spans.spans.count <= 480)
    #expect(spans.spans.reduce(0) { $0 + $1.length } == 300_000)
  }

  @Test("take one histogram from another")
  func histograms() throws {
    var histogram = LatencyHistogram()
    for value in 1...100 { histogram.record(.milliseconds(value)) }
    let earlier = histogram
    for _ in 0..<10 { histogram.record(.milliseconds(20)) }
    let difference = histogram.since(earlier)
    #expect(difference.count == 10)
    #expect(abs(try #require(difference.percentile(0.5)) - 20e6) < 20e6 * 0.016)
    #expect(abs(Double(difference.maximum) - 20e6) < 20e6 * 0.016)
    histogram.record(.seconds(3))
    #expect(histogram.since(earlier).maximum == 3_000_000_000)
    #expect(histogram.since(histogram).count == 0 && histogram.since(histogram).percentile(0.5) == nil)
    histogram.record(nanoseconds: .max)
    #expect(histogram.since(earlier).maximum == .max)
  }

  @Test("puts ticks at round numbers")
  func ticks() {
    #expect(AxisTicks(0...23).values == [0, 5, 10, 15, 20])
    #expect(
      AxisTicks(107.2...109.1).values.map { AxisTicks(107.2...109.1).label($0) } == [
        "107.5", "108.0", "108.5", "109.0",
      ])
    #expect(AxisTicks(seconds: 0...600).values == [0, 120, 240, 360, 480, 600])
    #expect(AxisTicks(3...3).values == [3])
    #expect(AxisTicks(seconds: 0...2_592_000).values.count <= 9)
    #expect(
      SoakText.time(750) == "12 min 30 s" && SoakText.time(42) == "42 s" && SoakText.clock(7265) == "2:01:05")
  }

  @Test("reads what this process holds")
  func process() throws {
    let before = ProcessResources.current()
    let descriptors = try #require(before.descriptors)
    #expect(descriptors >= 3)
    #if os(Linux)
      #expect(try #require(before.residentMb) > 1)
      #expect(try #require(before.threads) >= 1)
    #endif
  }

  @Test("reads durations as people write them")
  func durations() throws {
    for (text, seconds) in [("90s", 90.0), ("10m", 600), ("2h", 7200), ("500ms", 0.5), ("1.5", 1.5)] {
      #expect(try SoakOptions.seconds(text, option: "--duration") == seconds)
    }
    for text in ["", "m", "10x", "-", "1 m", "nan", "inf", "m10"] {
      #expect(throws: EyrieFailure.self) { try SoakOptions.seconds(text, option: "--duration") }
    }
  }
}
