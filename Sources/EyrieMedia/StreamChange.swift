/// Notices that a transport stream has become another one, and knows where.
struct StreamChange {
  /// How to go on once the frames still in the decoder are out.
  enum Way {
    /// In the stream that took the place of the one that ended.
    case successor
    /// In the same file, read afresh from where the decoder could make nothing of it any more: FFmpeg's reader
    /// keeps to the codec that a packet identifier had first.
    case reopening
  }

  /// So many packets without a picture are no mere delay: decoders hold back 16 frames, of two fields each, and
  /// one more for each thread.
  static let patience = 64
  private static let capacity = 256

  var due: Way?
  /// Whether the input was read to its end.
  var isAtEnd = false
  /// The packets of which no picture came yet, or will ever come.
  private var pending: [(tag: Int64, position: Int64)] = []
  private var pendingBytes = 0
  private var highestTag: Int64 = 0
  private var packets = 0
  private var errors = 0
  /// Whether reading afresh was tried since the last picture, in vain.
  private var isExhausted = false

  /// The decoder gets a packet that lies at a place in the file, −1 where unknown.
  mutating func sawPacket(tag: Int64, position: Int64, bytes: Int) {
    packets += 1
    pendingBytes += bytes
    if pending.count < Self.capacity { pending.append((tag, position)) }
  }

  mutating func sawError() { errors += 1 }

  mutating func sawPicture(tag: Int64) {
    packets = 0
    pendingBytes = 0
    errors = 0
    isExhausted = false
    highestTag = max(highestTag, tag)
    pending.removeAll { $0.tag <= highestTag }
  }

  /// Whether the decoder makes nothing of the packets any more.
  var isStuck: Bool { due == nil && !isExhausted && packets >= Self.patience }
  /// The same at the end of the input, once all frames are out. There may be few packets: one codec's parser
  /// sees no end in the packets of another.
  var isStuckAtEnd: Bool {
    isAtEnd && due == nil && !isExhausted && !pending.isEmpty && (errors > 0 || pendingBytes > 10_000)
  }

  /// Where the first packet lies that was coded after all pictures so far.
  var position: Int64? { pending.first.flatMap { $0.position > 0 ? $0.position : nil } }

  /// What was due is done, or could not be.
  mutating func finish(following: Bool) {
    self = StreamChange()
    isExhausted = !following
  }
}
