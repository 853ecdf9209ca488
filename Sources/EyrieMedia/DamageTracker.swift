/// Which frames show damage: those decoded with errors, and all that were coded after them up to the
/// next undamaged keyframe, since they may refer to them.
struct DamageTracker {
  /// Where the first damage lies whose effect may still be seen: at twice the tag of its packet, or one
  /// less for a loss before that packet.
  private var damagedFrom: Int64?

  /// The packet with that tag is damaged.
  mutating func damage(at tag: Int64) {
    damagedFrom = min(damagedFrom ?? .max, tag * 2)
  }

  /// Something before the packet with that tag was lost.
  mutating func loss(before tag: Int64) {
    damagedFrom = min(damagedFrom ?? .max, tag * 2 - 1)
  }

  /// Whether a frame shows damage. Frames come in display order, tags in coding order.
  mutating func isCorrupt(tag: Int64, isKeyframe: Bool, decodedWithErrors: Bool) -> Bool {
    if decodedWithErrors { damage(at: tag) }
    guard let from = damagedFrom, tag * 2 >= from else { return false }
    if isKeyframe, tag * 2 > from, !decodedWithErrors {
      damagedFrom = nil
      return false
    }
    return true
  }
}
