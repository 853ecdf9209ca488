/// Knows of each picture between packet and frame where in display order it will come, so that one that nobody
/// wants need not be decoded, and yet is counted as if it had been.
///
/// A place is known when no packet still to be read can come before it: a later packet has a later decoding
/// time, and no picture is shown before it is decoded. Trust begins when a keyframe leaves the decoder,
/// since only then is it certain which pictures around it were decodable at all, and ends with
/// whatever is not as it should be: a packet without time, time that goes back, damage, a picture that did not
/// come out.
struct SkipPlan {
  /// A picture by its packet.
  struct Picture {
    let tag: Int64
    let ticks: Int64
    let duration: Int64
    let arrival: PacketLedger.Arrival
  }

  private enum Trust: Equatable {
    case none
    /// Begins when the keyframe with this tag comes out.
    case awaiting(tag: Int64)
    case full
  }

  private struct Entry {
    let picture: Picture
    var isSkipped = false
  }

  private var trust = Trust.none
  /// Read and not yet out, by time.
  private var entries: [Entry] = []
  private var latestDecodingTime: Int64?
  /// More than any decoder and look-ahead hold.
  private static let capacity = 64

  /// Takes note of a packet read, in the order of the stream.
  /// - Parameter restarts: whether it is a keyframe to which other pictures refer.
  mutating func read(_ picture: Picture?, decodingTime: Int64?, restarts: Bool) {
    guard let picture, let decodingTime, picture.ticks >= decodingTime,
      latestDecodingTime.map({ $0 < decodingTime }) ?? true, entries.count < Self.capacity
    else {
      latestDecodingTime = decodingTime
      entries.removeAll { !$0.isSkipped }
      return distrust()
    }
    latestDecodingTime = decodingTime
    let place = entries.firstIndex { $0.picture.ticks >= picture.ticks } ?? entries.endIndex
    if place < entries.endIndex, entries[place].picture.ticks == picture.ticks { distrust() }
    entries.insert(Entry(picture: picture), at: place)
    if restarts { trust = .awaiting(tag: picture.tag) }
  }

  /// Something is wrong: nothing is skipped until the next keyframe is out.
  mutating func distrust() { trust = .none }

  /// Whether anything may be skipped now.
  var isTrusted: Bool { trust == .full }

  /// Whether no later packet can hold a picture that is shown before this time.
  func isSettled(_ ticks: Int64) -> Bool { latestDecodingTime.map { ticks <= $0 &+ 1 } ?? false }

  /// The pictures that will leave before the one with that tag, and it; `nil` if it is not known.
  func pictures(upTo tag: Int64) -> [Picture]? {
    guard let place = entries.firstIndex(where: { $0.picture.tag == tag }) else { return nil }
    return entries[...place].map(\.picture)
  }

  /// The picture with that tag is not decoded.
  mutating func skip(_ tag: Int64) {
    guard let place = entries.firstIndex(where: { $0.picture.tag == tag }) else { return }
    entries[place].isSkipped = true
  }

  /// A frame left the decoder.
  /// - Returns: what was skipped before it, in order.
  mutating func left(tag: Int64, ticks: Int64?, isKeyframe: Bool) -> [Picture] {
    let limit = ticks ?? .min
    let isAwaited = trust == .awaiting(tag: tag)
    var before: [Picture] = []
    var isExpected = false
    entries.removeAll { entry in
      let picture = entry.picture
      if picture.tag == tag {
        isExpected = picture.ticks == limit
        return true
      }
      guard picture.ticks < limit || (isKeyframe && picture.tag < tag) else { return false }
      if entry.isSkipped {
        before.append(picture)
      } else if trust == .full {
        // It should have come out.
        trust = .none
      }
      return true
    }
    if !isExpected {
      trust = .none
    } else if isAwaited {
      trust = .full
    }
    return before
  }

  /// At the end: what was skipped after the last frame.
  mutating func rest() -> [Picture] {
    defer { entries = [] }
    return entries.filter(\.isSkipped).map(\.picture)
  }
}
