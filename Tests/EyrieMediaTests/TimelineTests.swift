import Testing

@testable import EyrieMedia

@Suite struct TimelineTests {
  private static let millisecond: Int64 = 1_000_000

  private func clock(wrapBits: Int32 = 33, mayJump: Bool = true) -> Timeline.Clock {
    Timeline.Clock(
      numerator: 1, denominator: 90_000, wrapBits: wrapBits, frameDuration: 40 * Self.millisecond,
      mayJump: mayJump)
  }

  /// Times in milliseconds for timestamps in units of 1/90000 s.
  private func times(_ ticks: [Int64?], _ clock: Timeline.Clock, duration: Int64 = 3600) -> [Int64] {
    var timeline = Timeline(clock)
    return ticks.map { timeline.stamp($0, duration: duration).nanoseconds / Self.millisecond }
  }

  @Test func ownTimeIsKept() {
    #expect(times([-136_592, -129_392, 0, 90_000], clock()) == [-1517, -1437, 0, 1000])
  }

  @Test func wrapIsUnwrapped() {
    let top: Int64 = 1 << 33
    let ticks = [top - 7200, top - 3600, 0, 3600].map { Optional($0) }
    let start = (top - 7200) / 90
    #expect(times(ticks, clock()).map { $0 - start } == [0, 40, 80, 120])
  }

  /// Frames come a little out of order around the wrap, as containers with wrong times do.
  @Test func wrapBackAndForth() {
    var timeline = Timeline(clock())
    let top: Int64 = 1 << 33
    var last: Int64 = .min
    for ticks in [top - 3600, 0, top - 1800, 3600, 7200] {
      let stamp = timeline.stamp(ticks, duration: 3600)
      #expect(stamp.nanoseconds > last)
      last = stamp.nanoseconds
    }
    #expect(last / Self.millisecond == (top + 7200) / 90)
  }

  @Test func stepsBackAreJoinedUpEachTime() {
    let ticks: [Int64?] = [0, 3600, 900_000, 903_600, 450_000, 453_600, 0, 3600]
    #expect(times(ticks, clock()) == [0, 40, 10_000, 10_040, 10_080, 10_120, 10_160, 10_200])
  }

  @Test func farJumpsAheadAreJoinedUp() {
    let ticks: [Int64?] = [0, 3600, 90_000_000, 90_003_600]
    #expect(times(ticks, clock()) == [0, 40, 80, 120])
    #expect(times(ticks, clock(mayJump: false)) == [0, 40, 1_000_000, 1_000_040])
    let absurd: [Int64?] = [0, 3600, 90_000 * 90_000, 90_000 * 90_000 + 3600]
    #expect(times(absurd, clock(wrapBits: 64, mayJump: false)) == [0, 40, 80, 120])
  }

  @Test func missingTimesAreMadeUp() {
    #expect(times([nil, nil, nil], clock(), duration: 0) == [0, 40, 80])
    // The step seen so far goes before the nominal one.
    #expect(times([0, 7200, nil, nil, 28_800], clock()) == [0, 80, 160, 240, 320])
    // But not a pause.
    #expect(times([0, 90_000, nil], clock()) == [0, 1000, 1040])
  }

  @Test func equalTimesAreParted() {
    var timeline = Timeline(clock())
    let stamps = [0, 0, 0, 3600].map { timeline.stamp($0, duration: 3600) }
    #expect(stamps.map(\.nanoseconds) == [0, 1000, 2000, 40_000_000])
    #expect(stamps[1].warning == .timestampNotIncreasing)
  }

  @Test func absurdTimesNeitherTrapNorStop() {
    for bits in [Int32(33), 64] {
      var timeline = Timeline(clock(wrapBits: bits))
      var last: Int64 = .min
      for ticks: Int64 in [0, .max, .min, .min + 1, 1 << 62, -1, .max - 1, 0, .min, 3600, .max] {
        for duration: Int64 in [0, .max, .min, -1] {
          let stamp = timeline.stamp(ticks, duration: duration)
          #expect(stamp.nanoseconds > last)
          last = stamp.nanoseconds
        }
      }
    }
    var broken = Timeline(
      Timeline.Clock(numerator: 0, denominator: 0, wrapBits: -5, frameDuration: 1, mayJump: true))
    #expect(broken.stamp(5, duration: 5).nanoseconds == 0)
    #expect(broken.stamp(6, duration: 5).nanoseconds == 1)
  }

  @Test func timeGoesOnAcrossLoops() {
    var timeline = Timeline(clock())
    var found: [Int64] = []
    for pass in 0..<3 {
      if pass > 0 { timeline.restart(clock()) }
      for ticks: Int64 in [180_000, 183_600, 187_200] {
        found.append(timeline.stamp(ticks, duration: 3600).nanoseconds / Self.millisecond)
      }
    }
    #expect(found == (0..<9).map { 2000 + 40 * $0 })
  }

  @Test(arguments: [nil, 180_000, -5, .max] as [Int64?])
  func timeGoesOnAcrossAPause(first: Int64?) {
    for (gap, step) in [(3_000_000_000, 3000), (0, 40), (-9_000_000_000, 40), (.max, 86_400_000)]
      as [(Int64, Int64)]
    {
      var timeline = Timeline(clock())
      let before = timeline.stamp(900_000, duration: 3600).nanoseconds
      timeline.restart(clock())
      timeline.bridge(gap)
      let after = timeline.stamp(first, duration: 3600).nanoseconds
      // A camera's first frame may have no time; the next one, which has, comes one frame later.
      #expect((after - before) / Self.millisecond == step || first == .max)
      #expect(after > before)
      let next = timeline.stamp((first ?? 0) &+ 3600, duration: 3600).nanoseconds
      #expect((next - after) / Self.millisecond == 40 || first == .max)
      #expect(next > after)
    }
  }
}
