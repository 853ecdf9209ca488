import CFFmpeg

/// Stands between container and decoder and leaves out packets whose pictures nobody wants.
///
/// Of a file it reads up to three packets ahead, since it may take those to know a picture's place; never of a
/// live source.
final class SkippingReader {
  private struct Held {
    let packet: UnsafeMutablePointer<AVPacket>
    let tag: Int64
    let isDisposable: Bool
  }

  private var plan = SkipPlan()
  private var content: PacketContent
  private let lookAhead: Int
  private var held: [Held] = []
  /// What ended reading, until what is held is gone.
  private var status: Int32 = 0
  /// Pictures that were not decoded.
  private(set) var skippedCount = 0

  /// `nil` if nothing can be known of this stream's packets.
  init?(_ parameters: AVCodecParameters, looksAhead: Bool) {
    guard let content = PacketContent(parameters) else { return nil }
    self.content = content
    lookAhead = looksAhead ? 3 : 0
  }

  deinit {
    for item in held { FFmpeg.free(item.packet) }
  }

  /// The next packet to decode, with its tag, or why there is none.
  /// - Parameters:
  ///   - packet: an empty one; it is filled.
  ///   - arrival: when the packet with a tag arrived.
  ///   - read: reads the stream's next packet and marks it with a tag.
  ///   - wants: whether the last of these pictures, which follow the latest frame, is to be delivered.
  func next(
    into packet: UnsafeMutablePointer<AVPacket>, arrival: (Int64) -> PacketLedger.Arrival,
    read: (UnsafeMutablePointer<AVPacket>) -> (status: Int32, tag: Int64),
    wants: ([SkipPlan.Picture]) -> Bool
  ) -> (status: Int32, tag: Int64) {
    while true {
      if let first = held.first, status < 0 || isDecidable(first) {
        held.removeFirst()
        defer { FFmpeg.free(first.packet) }
        if isUnwanted(first, wants) {
          plan.skip(first.tag)
          skippedCount += 1
          continue
        }
        av_packet_move_ref(packet, first.packet)
        return (0, first.tag)
      }
      if status < 0, held.isEmpty {
        defer { status = 0 }
        return (status, 0)
      }
      let (result, tag) = read(packet)
      guard result == 0 else {
        plan.distrust()
        status = result
        continue
      }
      // Without memory for holding it, it is decoded.
      guard let copy = av_packet_alloc() else { return (0, tag) }
      let isDisposable = note(packet, tag, arrival(tag))
      av_packet_move_ref(copy, packet)
      held.append(Held(packet: copy, tag: tag, isDisposable: isDisposable))
    }
  }

  /// A frame left the decoder.
  /// - Returns: the pictures skipped before it.
  func left(_ frame: UnsafeMutablePointer<AVFrame>, tag: Int64, isDamaged: Bool) -> [SkipPlan.Picture] {
    if isDamaged { plan.distrust() }
    let ticks = frame.pointee.best_effort_timestamp
    return plan.left(
      tag: tag, ticks: ticks == EYRIE_NOPTS ? nil : ticks, isKeyframe: eyrie_frame_is_key(frame) != 0)
  }

  /// Something could not be decoded.
  func distrust() { plan.distrust() }

  /// At the end: the pictures skipped after the last frame.
  func rest() -> [SkipPlan.Picture] { plan.rest() }

  private func note(
    _ packet: UnsafeMutablePointer<AVPacket>, _ tag: Int64, _ arrival: PacketLedger.Arrival
  ) -> Bool {
    let (pts, dts, flags) = (packet.pointee.pts, packet.pointee.dts, packet.pointee.flags)
    let bytes = UnsafeBufferPointer(
      start: UnsafePointer(packet.pointee.data), count: Int(packet.pointee.size))
    let isDisposable = content.isDisposable(bytes)
    // Decoded and never shown, as an edit list says.
    if flags & AV_PKT_FLAG_DISCARD != 0 { return false }
    let picture = SkipPlan.Picture(
      tag: tag, ticks: pts, duration: packet.pointee.duration, arrival: arrival)
    plan.read(
      pts == EYRIE_NOPTS ? nil : picture, decodingTime: dts == EYRIE_NOPTS ? nil : dts,
      // Where every picture is a keyframe (JPEG), each would put off the trust that the one before brought.
      restarts: flags & AV_PKT_FLAG_KEY != 0 && !(isDisposable && plan.isTrusted))
    if flags & AV_PKT_FLAG_CORRUPT != 0 { plan.distrust() }
    return isDisposable
  }

  private func isDecidable(_ item: Held) -> Bool {
    !item.isDisposable || held.count > lookAhead || plan.isSettled(item.packet.pointee.pts)
  }

  private func isUnwanted(_ item: Held, _ wants: ([SkipPlan.Picture]) -> Bool) -> Bool {
    guard item.isDisposable, plan.isTrusted, plan.isSettled(item.packet.pointee.pts),
      let pictures = plan.pictures(upTo: item.tag)
    else { return false }
    return !wants(pictures)
  }
}
