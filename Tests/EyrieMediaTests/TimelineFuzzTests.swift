import EyrieTestTools
import Testing

@testable import EyrieMedia

/// Whatever a stream's clock does, time goes on: never back, never by more than the longest pause that is
/// believed, and by about a frame for each frame in the long run.
@Suite struct TimelineFuzzTests {
  /// What a hostile or broken clock may do from one frame to the next.
  private enum Move: CaseIterable {
    case on, repeated, back, farBack, ahead, farAhead, missing, wrap, extreme, zero, negative, jitter
  }

  private func next(_ ticks: Int64, _ move: Move, _ random: inout SplitMix64) -> Int64? {
    switch move {
    case .on: ticks &+ 3600
    case .repeated: ticks
    case .back: ticks &- .random(in: 1...45_000, using: &random)
    case .farBack: ticks &- .random(in: 45_000...(1 << 40), using: &random)
    case .ahead: ticks &+ .random(in: 1...5_400_000, using: &random)
    case .farAhead: ticks &+ .random(in: 5_400_000...(1 << 45), using: &random)
    case .missing: nil
    case .wrap: ticks & ((1 << 33) - 1)
    case .extreme: [.max, .min, .min + 1, .max - 1, 1 << 62, -(1 << 62)].randomElement(using: &random)
    case .zero: 0
    case .negative: 0 &- ticks
    case .jitter: ticks &+ .random(in: -3600...7200, using: &random)
    }
  }

  @Test(arguments: [Int32(33), 64, 32, 0], [false, true])
  func timeNeverGoesBack(wrapBits: Int32, mayJump: Bool) {
    let longest: Int64 = mayJump ? 60_000_000_000 : 86_400_000_000_000
    for seed in 0..<60 {
      var random = SplitMix64(seed: UInt64(seed) << 8 | UInt64(wrapBits) << 1 | (mayJump ? 1 : 0))
      let clock = Timeline.Clock(
        numerator: 1, denominator: [90_000, 1000, 25, 1_000_000_000].randomElement(using: &random) ?? 1,
        wrapBits: wrapBits, frameDuration: 40_000_000, mayJump: mayJump)
      // Few of the moves at a time, so that each has its turn to rule.
      let moves = (0..<3).compactMap { _ in Move.allCases.randomElement(using: &random) } + [.on]
      var timeline = Timeline(clock)
      var ticks: Int64 = .random(in: -100_000...100_000_000, using: &random)
      var last: Int64?
      for frame in 0..<400 {
        if frame % 150 == 149 {
          timeline.restart(clock)
          timeline.bridge(.random(in: -5...5_000_000_000, using: &random))
        }
        let stated = next(ticks, moves.randomElement(using: &random) ?? .on, &random)
        if let stated { ticks = stated }
        let duration: Int64 = [0, 3600, -1, .max].randomElement(using: &random) ?? 0
        let time = timeline.stamp(stated, duration: duration).nanoseconds
        if let last {
          #expect(time > last, "seed \(seed), frame \(frame): \(time) after \(last)")
          #expect(time - last <= longest, "seed \(seed), frame \(frame): \(time - last) ns at once")
        }
        last = time
      }
    }
  }

  /// A clock that stands, ticks by less than a frame can last, or is set back again and again does not make all
  /// frames fall on one moment.
  @Test(arguments: [0, -1, -90, -3600, -40_000])
  func aBrokenClockDoesNotStall(step: Int64) {
    var timeline = Timeline(
      Timeline.Clock(
        numerator: 1, denominator: 90_000, wrapBits: 33, frameDuration: 40_000_000, mayJump: true))
    let times = (0..<100).map { timeline.stamp(9_000_000 + $0 * step, duration: 3600).nanoseconds }
    let seconds = Double(times[99] - times[0]) / 1e9
    #expect((3.8...4.0).contains(seconds), "\(seconds) s for 99 frames of 40 ms")
  }

  /// Clips shorter than the disorder that is put up with, one after the other.
  @Test func shortClipsFollowOneAnother() {
    var timeline = Timeline(
      Timeline.Clock(
        numerator: 1, denominator: 90_000, wrapBits: 33, frameDuration: 40_000_000, mayJump: true))
    var times: [Int64] = []
    for _ in 0..<5 {
      for frame: Int64 in 0..<10 { times.append(timeline.stamp(frame * 3600, duration: 3600).nanoseconds) }
    }
    let seconds = Double(times[49] - times[0]) / 1e9
    // Two frames of each clip are taken for disorder.
    #expect((1.6...2.0).contains(seconds), "\(seconds)")
  }
}
