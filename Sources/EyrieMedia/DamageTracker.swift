/// Which frames show damage: those decoded with errors, and all that were coded after them up to the
/// next undamaged keyframe, since they may refer to them.
struct DamageTracker {
  /// Where damage lies whose effect may still be seen, the first first: at twice the tag of its packet, or one
  /// less for a loss before that packet. Packets are read ahead of their frames, so damage behind the next
  /// keyframe may be known before that is shown.
  private var damages: [Int64] = []

  /// More are not told apart; the first one decides until the next keyframe.
  private static let capacity = 128

  /// The packet with that tag is damaged.
  mutating func damage(at tag: Int64) { add(tag * 2) }

  /// Something before the packet with that tag was lost.
  mutating func loss(before tag: Int64) { add(tag * 2 - 1) }

  private mutating func add(_ place: Int64) {
    guard damages.last != place else { return }
    if damages.count == Self.capacity { damages.remove(at: 1) }
    damages.append(place)
  }

  /// Whether a frame shows damage. Frames come in display order, tags in coding order.
  mutating func isCorrupt(tag: Int64, isKeyframe: Bool, decodedWithErrors: Bool) -> Bool {
    if decodedWithErrors { damage(at: tag) }
    guard !damages.isEmpty else { return false }
    if isKeyframe, !damages.contains(tag * 2) { damages.removeAll { $0 < tag * 2 } }
    return damages.contains { $0 <= tag * 2 }
  }
}
