/// What becomes of frames that show damage: decoded with errors, or with reference to one that was.
public enum DamagedFrames: String, Sendable, CaseIterable, Codable {
  /// They are delivered, and marked by `VideoFrame.isCorrupt`.
  case flag
  /// They are left out, and counted, until the next undamaged keyframe; but if none comes within 1500 frames (a
  /// minute at 25 FPS), they are delivered again, marked.
  case drop
}
