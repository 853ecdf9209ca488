import CFFmpeg

/// Watches the other videos of a transport stream for one that takes the place of the video being read: the
/// broadcast was spliced, or the camera restarted with other settings, and the video goes on under another
/// packet identifier.
///
/// Two videos that come by turns are two programmes, of which one was chosen; they are never mixed. A successor
/// comes when its predecessor has ended. Its packets are kept meanwhile, so that it is shown from its start.
final class SpliceWatch {
  /// What a packet of another video means.
  enum Verdict {
    /// Too early to say.
    case undecided
    /// It belongs to another programme.
    case otherProgramme
    /// The video goes on in this stream.
    case successor
  }

  /// The stream that may go on, from its first keyframe.
  private var candidate: Int32?
  private var packets: [UnsafeMutablePointer<AVPacket>] = []
  private var bytes = 0
  /// Whether the video being read came again after the candidate had begun. That may be its last packet, which
  /// is complete only when another one or the end is seen.
  private var isInterrupted = false
  private var otherProgrammes: Set<Int32> = []
  private var lastTicks: Int64?
  /// The longest step of the video being read, in ticks of 1/90000 s.
  private var longestStep: Int64 = 0

  /// How long the old video must be silent: so long, and longer than it ever was before.
  private static let silence: Int64 = 90_000
  private static let silenceOfUnknown: Int64 = 10 * 90_000
  /// What is kept of a candidate at most; so much without a packet of the old video decides, too.
  private static let maxPackets = 600
  private static let maxBytes = 64 << 20

  deinit { clear() }

  /// Whether a video has begun that nothing speaks against.
  var hasCandidate: Bool { !packets.isEmpty && !isInterrupted }

  /// A packet of the video being read came.
  func sawCurrent(_ packet: UnsafeMutablePointer<AVPacket>) {
    if !packets.isEmpty { isInterrupted = true }
    let ticks = packet.pointee.dts
    guard ticks != EYRIE_NOPTS else { return }
    if let lastTicks {
      let (step, overflow) = ticks.subtractingReportingOverflow(lastTicks)
      if !overflow, step < Self.silenceOfUnknown { longestStep = max(longestStep, step) }
    }
    lastTicks = ticks
  }

  /// A packet of another video came.
  func saw(_ packet: UnsafeMutablePointer<AVPacket>) -> Verdict {
    let index = packet.pointee.stream_index
    guard !otherProgrammes.contains(index) else { return .otherProgramme }
    guard candidate == nil || candidate == index else { return .undecided }
    if isInterrupted {
      otherProgrammes.insert(index)
      clear()
      return .otherProgramme
    }
    guard !packets.isEmpty || packet.pointee.flags & AV_PKT_FLAG_KEY != 0,
      let copy = av_packet_clone(packet)
    else { return .undecided }
    candidate = index
    packets.append(copy)
    bytes += Int(copy.pointee.size)
    let isFull = packets.count >= Self.maxPackets || bytes >= Self.maxBytes
    return isFull || isLongEnough ? .successor : .undecided
  }

  private var isLongEnough: Bool {
    guard let first = packets.first?.pointee.dts, let last = packets.last?.pointee.dts, first != EYRIE_NOPTS,
      last != EYRIE_NOPTS
    else { return false }
    let (span, overflow) = last.subtractingReportingOverflow(first)
    let wanted = longestStep > 0 ? max(Self.silence, longestStep * 3) : Self.silenceOfUnknown
    return !overflow && span > wanted
  }

  /// Gives the stream that goes on, and its packets so far to whoever frees them; starts anew.
  func take() -> (index: Int32, packets: [UnsafeMutablePointer<AVPacket>])? {
    guard let candidate, !packets.isEmpty else { return nil }
    let taken = packets
    packets = []
    clear()
    otherProgrammes = []
    lastTicks = nil
    longestStep = 0
    return (candidate, taken)
  }

  private func clear() {
    for packet in packets { FFmpeg.free(packet) }
    packets = []
    bytes = 0
    candidate = nil
    isInterrupted = false
  }
}
