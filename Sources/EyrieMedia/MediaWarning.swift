/// Something that was wrong with the stream and did not stop the reader, and how often it happened.
public struct MediaWarning: Codable, Sendable, Hashable {
  /// What can be wrong.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// The container says that a packet is damaged (lost transport packets).
    case corruptPacket = "corrupt_packet"
    /// Packets of a stream over RTP did not arrive.
    case lostPackets = "lost_packets"
    /// The decoder could not use a packet.
    case decodeError = "decode_error"
    /// A picture was decoded with errors, or refers to one that was; see `VideoFrame.isCorrupt`.
    case corruptFrame = "corrupt_frame"
    /// Such a picture was left out, because `VideoReader.Options.damagedFrames` says so.
    case corruptFrameDropped = "corrupt_frame_dropped"
    /// The video went on in another stream or with another codec, and was followed there.
    case streamChanged = "stream_changed"
    /// A picture before the first keyframe was left out.
    case beforeKeyframe = "before_keyframe"
    /// The container could not be read for a stretch.
    case readError = "read_error"
    /// The end of the input came with an error: it is cut off.
    case cutOff = "cut_off"
    /// A frame had no timestamp; one was made from the frame rate.
    case timestampMissing = "timestamp_missing"
    /// Time jumped (backwards, or ahead by more than a minute in a transport stream or a day elsewhere) and
    /// was joined up.
    case timestampDiscontinuity = "timestamp_discontinuity"
    /// A timestamp was not after the one before; it was moved just behind it.
    case timestampNotIncreasing = "timestamp_not_increasing"
    /// More changes of size than the probe lists.
    case sizeChangesNotListed = "size_changes_not_listed"
  }

  /// What was wrong.
  public var kind: Kind
  /// How often.
  public var count: Int
}

/// Counts warnings by kind: bounded, however damaged the stream is.
struct WarningCounter {
  private var counts: [MediaWarning.Kind: Int] = [:]

  mutating func count(_ kind: MediaWarning.Kind) {
    counts[kind, default: 0] += 1
  }

  /// How often that happened.
  subscript(kind: MediaWarning.Kind) -> Int { counts[kind] ?? 0 }

  /// In the order of the declaration.
  var summary: [MediaWarning] {
    MediaWarning.Kind.allCases.compactMap { kind in
      counts[kind].map { MediaWarning(kind: kind, count: $0) }
    }
  }
}
