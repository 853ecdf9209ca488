/// What was found out about the tracks of one source, so that each is looked at once and not in every frame.
///
/// A track is looked at when it appears; again when its crop got clearly better, or when `refresh` has passed since (the
/// first time earlier); and again after a while where the look failed. All times are of the stream.
struct TrackMemory {
  private struct Entry {
    var ticket: CropTicket
    /// The look before, which holds until this one has a result.
    var before: CropTicket?
    var lookedAt: Int64
    var quality: CropQuality
    var seenAt: Int64
    /// Whether it has been looked at once only.
    var isFirst: Bool

    var known: Known { Known(ticket: ticket, before: before) }
  }

  /// The last look at a track.
  struct Known {
    let ticket: CropTicket
    /// The look before; it holds until the last one has a result.
    let before: CropTicket?
  }

  enum Decision {
    /// The track is to be looked at now.
    case look
    case reuse(Known)
  }

  /// So much time lies between two looks at a track, however much better its crop gets or whatever failed.
  private static let shortestInterval: Int64 = 1_000_000_000
  /// Tracks that were not seen for so long are forgotten: longer than any tracker keeps one.
  private static let longestAbsence: Int64 = 120_000_000_000

  /// In nanoseconds; nil never looks again for its age.
  private let refresh: Int64?
  private var entries: [Int: Entry] = [:]
  /// When entries are looked through for what can be forgotten.
  private var nextSweep = 64

  init(refresh: Double?) {
    self.refresh = refresh.map { Int64($0 * 1e9) }
  }

  /// How many tracks are remembered.
  var count: Int { entries.count }

  /// - Parameter quality: computed only where it matters.
  mutating func decide(_ track: Int, at time: Int64, quality: () -> CropQuality) -> Decision {
    guard let entry = entries[track] else { return .look }
    entries[track]?.seenAt = time
    let age = time - entry.lookedAt
    let outcome = entry.ticket.outcome
    // With a model that is too slow, looks must not pile up.
    guard outcome != nil, age >= min(Self.shortestInterval, (refresh ?? .max) / 2) else {
      return .reuse(entry.known)
    }
    if case .failed? = outcome { return .look }
    if let refresh, age >= (entry.isFirst ? firstRefresh(of: track, refresh) : refresh) { return .look }
    if age >= Self.shortestInterval, quality().isClearlyBetter(than: entry.quality) { return .look }
    return .reuse(entry.known)
  }

  /// Objects that appear together would be looked at together ever after, and the detector would get nothing done
  /// meanwhile. So the first time comes earlier, at some place in the second half of the interval.
  private func firstRefresh(of track: Int, _ refresh: Int64) -> Int64 {
    // Multiples of the golden ratio lie evenly between 0 and 1, however many there are.
    let fraction = (Double(track) * 0.618_033_988_749_895).truncatingRemainder(dividingBy: 1)
    return refresh / 2 + Int64(Double(refresh / 2) * fraction)
  }

  /// What is known of a track without another look; nil for nothing.
  func known(of track: Int) -> Known? { entries[track]?.known }

  /// - Returns: the look before, if it had a result.
  mutating func remember(_ ticket: CropTicket, of track: Int, quality: CropQuality, at time: Int64)
    -> CropTicket?
  {
    let last = entries[track]
    let before = last.flatMap { $0.ticket.result == nil ? $0.before : $0.ticket }
    entries[track] = Entry(
      ticket: ticket, before: before, lookedAt: time, quality: quality, seenAt: time, isFirst: last == nil)
    if entries.count >= nextSweep {
      entries = entries.filter { time - $0.value.seenAt < Self.longestAbsence }
      nextSweep = max(64, entries.count * 2)
    }
    return before
  }
}
