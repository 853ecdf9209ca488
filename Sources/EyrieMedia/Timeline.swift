/// Turns a stream's timestamps into nanoseconds that strictly increase over the whole life of a reader.
///
/// The stream's own time is kept wherever it can be: gaps stay, a start other than zero stays. It is
/// unwrapped, made up from the frame rate where it is missing, and joined up (one frame apart) where it
/// goes back or stands still, where it jumps further ahead than any pause, and where the input starts again.
struct Timeline {
  /// How the time base and the container of one session (one pass over the input) count.
  struct Clock {
    var numerator: Int32
    var denominator: Int32
    /// Timestamps wrap at 2 to this power; 64 where they do not.
    var wrapBits: Int32
    /// Nanoseconds from one frame to the next where nothing better is known; positive.
    var frameDuration: Int64
    /// Whether the container may jump at a splice (transport streams).
    var mayJump: Bool
  }

  struct Stamp: Equatable {
    /// Strictly increasing.
    var nanoseconds: Int64
    /// The stream's own time: unwrapped, but neither joined up nor moved.
    var streamNanoseconds: Int64
    var warning: MediaWarning.Kind?
  }

  private var clock: Clock
  private var wrapOffset: Int128 = 0
  private var lastTicks: Int64?
  private var offset: Int64 = 0
  private var last: Int64?
  private var lastFrameDuration: Int64
  private var lastStep: Int64?
  private var isRestarted = false
  /// Frames in a row that were not after the one before.
  private var disorderedInARow = 0
  /// How long after the last frame the first one of a new session comes; nil for one frame.
  private var gap: Int64?

  /// Times beyond this (146 years) are taken for damage, which keeps every sum below within 64 bits.
  private static let limit: Int64 = 1 << 62
  /// A step back shorter than this is disorder, not a splice.
  private static let disorder: Int64 = 500_000_000
  /// So many frames in a row that come too early are no disorder any more: the clock was set back, or stands.
  private static let patience = 3
  /// A step ahead longer than this is a splice in a transport stream, which may be joined anywhere, and
  /// damage elsewhere: nobody waits a day for the next frame.
  private static let jump: (transport: Int64, other: Int64) = (60_000_000_000, 86_400_000_000_000)
  private static let longestFrame: Int64 = 60_000_000_000

  init(_ clock: Clock) {
    self.clock = clock
    lastFrameDuration = clock.frameDuration
  }

  /// The input starts again: time goes on one frame after the last, or after `bridge`.
  mutating func restart(_ clock: Clock) {
    self.clock = clock
    wrapOffset = 0
    lastTicks = nil
    isRestarted = true
  }

  /// Says how many nanoseconds passed before the next frame, the first after a restart.
  mutating func bridge(_ gap: Int64) {
    self.gap = min(gap, Self.jump.other)
  }

  /// The time of the next frame in display order. `duration` in ticks, 0 where unknown.
  mutating func stamp(_ ticks: Int64?, duration: Int64) -> Stamp {
    var own: Int64?
    if let ticks { own = unwrappedNanoseconds(ticks) }
    defer {
      let length = nanoseconds(Int128(duration)) ?? 0
      lastFrameDuration = (1...Self.longestFrame).contains(length) ? length : clock.frameDuration
    }
    guard let last else {
      let first = own ?? 0
      self.last = first
      return Stamp(
        nanoseconds: first, streamNanoseconds: first, warning: own == nil ? .timestampMissing : nil)
    }
    guard let own else { return synthesised(after: last) }
    if isRestarted {
      isRestarted = false
      return joined(own, after: last, warning: nil)
    }
    let (time, overflow) = own.addingReportingOverflow(offset)
    guard !overflow, (-Self.limit..<Self.limit).contains(time) else { return synthesised(after: last) }
    if time <= last {
      disorderedInARow += 1
      if last - time > Self.disorder || disorderedInARow >= Self.patience {
        return joined(own, after: last, warning: .timestampDiscontinuity)
      }
      self.last = last + 1_000
      return Stamp(nanoseconds: last + 1_000, streamNanoseconds: own, warning: .timestampNotIncreasing)
    }
    if time - last > (clock.mayJump ? Self.jump.transport : Self.jump.other) {
      return joined(own, after: last, warning: .timestampDiscontinuity)
    }
    disorderedInARow = 0
    lastStep = time - last
    self.last = time
    return Stamp(nanoseconds: time, streamNanoseconds: own, warning: nil)
  }

  /// Puts `own` one frame after `last` and keeps that shift from now on.
  private mutating func joined(_ own: Int64, after last: Int64, warning: MediaWarning.Kind?) -> Stamp {
    let time = last + max(lastFrameDuration, gap ?? 0)
    gap = nil
    let (shift, overflow) = time.subtractingReportingOverflow(own)
    if !overflow { offset = shift }
    self.last = time
    return Stamp(nanoseconds: time, streamNanoseconds: own, warning: warning)
  }

  private mutating func synthesised(after last: Int64) -> Stamp {
    // The step seen before is better than a nominal frame rate (AVI counts fields), unless it was a gap.
    var step = lastFrameDuration
    if let lastStep, lastStep <= 4 * lastFrameDuration { step = lastStep }
    step = max(step, gap ?? 0)
    gap = nil
    let time = last + step
    self.last = time
    return Stamp(nanoseconds: time, streamNanoseconds: time &- offset, warning: .timestampMissing)
  }

  private mutating func unwrappedNanoseconds(_ ticks: Int64) -> Int64? {
    if let lastTicks, (8..<63).contains(clock.wrapBits) {
      let period = Int128(1) << Int128(clock.wrapBits)
      let step = Int128(ticks) - Int128(lastTicks)
      if step < -period / 2 {
        wrapOffset += period
      } else if step > period / 2, wrapOffset > 0 {
        wrapOffset -= period
      }
    }
    lastTicks = ticks
    return nanoseconds(Int128(ticks) + wrapOffset)
  }

  private func nanoseconds(_ ticks: Int128) -> Int64? {
    guard clock.denominator > 0, clock.numerator > 0, abs(ticks) < 1 << 66 else { return nil }
    // 66 + 31 + 30 bits: fits. Rounded to the nearest.
    let scaled = ticks * Int128(clock.numerator) * 1_000_000_000
    let half = Int128(clock.denominator) / 2
    let rounded = (scaled + (scaled < 0 ? -half : half)) / Int128(clock.denominator)
    guard let value = Int64(exactly: rounded), (-Self.limit..<Self.limit).contains(value) else { return nil }
    return value
  }
}
