/// Which frames show damage: those decoded with errors, and all that were coded after them up to the
/// next undamaged keyframe, since they may refer to them.
struct DamageTracker {
  /// The tag of the first damaged packet whose effect may still be seen.
  private var damagedFrom: Int64?

  /// The packet with that tag is damaged, or something before it was lost.
  mutating func damage(at tag: Int64) {
    damagedFrom = min(damagedFrom ?? tag, tag)
  }

  /// Whether a frame shows damage. Frames come in display order, tags in coding order.
  mutating func isCorrupt(tag: Int64, isKeyframe: Bool, decodedWithErrors: Bool) -> Bool {
    if decodedWithErrors { damage(at: tag) }
    guard let from = damagedFrom, tag >= from else { return false }
    if isKeyframe, tag > from, !decodedWithErrors {
      damagedFrom = nil
      return false
    }
    return true
  }
}
