import CFFmpeg
import Foundation

/// One pass over an input: its container, its decoder and what has gone wrong so far.
final class DecodeSession {
  /// A picture as the decoder gave it, owned by whoever receives this.
  struct Decoded {
    let picture: UnsafeMutablePointer<AVFrame>
    /// Where it goes when nobody needs it any more.
    let pool: PicturePool
    let geometry: PictureGeometry
    let codec: String
    let arrival: PacketLedger.Arrival
    let isCorrupt: Bool
    /// Pictures that come before this one and were not decoded, since nobody wants them.
    let skippedBefore: [SkipPlan.Picture]
  }

  /// When to give up looking for a picture; only while opening.
  var deadline: ContinuousClock.Instant?

  private let source: MediaInput
  private let options: VideoReader.Options
  private let interrupt: MediaInterrupt
  private(set) var demuxer: Demuxer
  private var decoder: VideoDecoder
  /// `nil` where every picture is decoded.
  private var skipping: SkippingReader?
  private var skippedBefore: [SkipPlan.Picture] = []
  private let isRemote: Bool
  private let isLive: Bool
  private let readTimeout: Duration?
  private var packet: UnsafeMutablePointer<AVPacket>?
  private let pictures = PicturePool()
  private var ledger = PacketLedger()
  private var damage = DamageTracker()
  private var awaitsKeyframe: Bool
  private var skippedFrames = 0
  private var deliveredFrames = 0
  private var readErrors = 0
  private var decodeErrors = 0
  private var lastDecodeStatus: Int32 = 0
  /// Damaged frames left out since the last that was delivered.
  private var droppedInARow = 0
  private var hasDropped = false
  private var change = StreamChange()
  private var isDraining = false
  private var isFinished = false
  /// Thrown once the frames still in the decoder are out.
  private var failure: MediaError?

  /// Containers give an error for every sample behind a cut; more than this in a row is the end.
  private static let maxReadErrors = 64
  /// A decoder that gives only errors without taking packets.
  private static let maxDecodeErrors = 10_000
  /// So many frames may be held back before the first keyframe; some encoders never send one.
  private static let maxSkippedFrames = 300
  /// So many damaged frames may be left out in a row.
  private static let maxDroppedFrames = 1500

  init(_ input: MediaInput, options: VideoReader.Options, interrupt: MediaInterrupt) throws(MediaError) {
    let demuxer = try Demuxer(input, options: options, interrupt: interrupt)
    self.demuxer = demuxer
    self.options = options
    self.interrupt = interrupt
    source = input
    decoder = try Self.decoder(for: demuxer, options, isLive: input.isLive)
    isRemote = input.isRemote
    isLive = input.isLive
    readTimeout = options.readTimeout ?? (isRemote || isLive ? .seconds(10) : nil)
    skipping = Self.skipping(in: demuxer, options, isLive: isLive)
    awaitsKeyframe = decoder.needsKeyframe
    guard let packet = av_packet_alloc() else {
      throw MediaError(.outOfMemory, demuxer.input, "out of memory while opening")
    }
    self.packet = packet
  }

  deinit { av_packet_free(&packet) }

  private static func decoder(
    for demuxer: Demuxer, _ options: VideoReader.Options, isLive: Bool
  ) throws(MediaError) -> VideoDecoder {
    let geometry = demuxer.geometry(of: nil)
    let isLarge = geometry.codedWidth * geometry.codedHeight > 1920 * 1088
    return try VideoDecoder(
      stream: demuxer.stream,
      options: VideoDecoder.Options(
        threads: options.decoderThreads > 0 ? options.decoderThreads : isLarge ? 2 : 1,
        lowLatency: options.lowLatency && isLive, bySlices: isLive && options.decoderThreads == 0,
        hardware: options.hardware, openDevice: options.openDevice),
      input: demuxer.input)
  }

  private static func skipping(
    in demuxer: Demuxer, _ options: VideoReader.Options, isLive: Bool
  ) -> SkippingReader? {
    let selection = FrameSelection(every: options.every, maxFPS: options.maxFPS)
    if selection.takesAll || !demuxer.hasTimestamps { return nil }
    return SkippingReader(
      demuxer.stream.pointee.codecpar.pointee, looksAhead: demuxer.isRewindable && !isLive)
  }

  var isRewindable: Bool { demuxer.isRewindable }

  var frameRate: Double? { demuxer.frameRate(stated: decoder.frameRate) }

  var clock: Timeline.Clock { demuxer.clock(frameRate: frameRate) }

  /// FFmpeg's name of the codec.
  var codec: String { String(cString: avcodec_get_name(demuxer.stream.pointee.codecpar.pointee.codec_id)) }

  /// How many pictures were not decoded.
  var undecodedCount: Int { skipping?.skippedCount ?? 0 }

  /// At the end: the pictures that were not decoded and come after the last frame.
  func rest() -> [SkipPlan.Picture] { skipping?.rest() ?? [] }

  /// The next picture that may be shown, or `nil` at the end.
  /// - Parameter wants: whether the last of these pictures, which follow the latest frame, is to be delivered.
  func next(
    _ warnings: inout WarningCounter, wants: ([SkipPlan.Picture]) -> Bool = { _ in true }
  ) throws(MediaError) -> Decoded? {
    guard let frame = pictures.take() else {
      throw MediaError(.outOfMemory, demuxer.input, "out of memory while decoding")
    }
    do {
      while !isFinished {
        try checkStop()
        let status = decoder.receive(frame)
        if decoder.takeRestart() { awaitKeyframe() }
        if status == 0 {
          if let decoded = accept(frame, &warnings) { return decoded }
          av_frame_unref(frame)
        } else if status == FFmpeg.error(EAGAIN), !isDraining {
          try feed(&warnings, wants)
        } else if status == EYRIE_ERROR_EOF || status == FFmpeg.error(EAGAIN) {
          isFinished = try !followChange(&warnings)
        } else {
          try countDecodeError(status, tag: ledger.nextTag - 1, &warnings)
        }
      }
      try checkOutcome()
    } catch {
      pictures.giveBack(frame)
      throw error
    }
    pictures.giveBack(frame)
    return nil
  }

  /// Why pictures are not decoded where they should be.
  var note: String? { decoder.note }

  private func awaitKeyframe() {
    skipping?.distrust()
    awaitsKeyframe = decoder.needsKeyframe
    skippedFrames = 0
  }

  private func checkStop() throws(MediaError) {
    if demuxer.ioGuard.isInterrupted { throw .interrupted(demuxer.input) }
    if let deadline, ContinuousClock.now > deadline {
      throw MediaError(
        .undecodable, demuxer.input,
        "no picture found in the time allowed for opening; check what the file holds")
    }
  }

  /// At the end: a failure that was put off, or the lack of any picture, is an error.
  private func checkOutcome() throws(MediaError) {
    if let failure {
      self.failure = nil
      throw failure
    }
    guard deliveredFrames == 0 else { return }
    if hasDropped {
      throw MediaError(
        .undecodable, demuxer.input, "every picture is damaged, and damaged ones are left out as told")
    }
    if isLive, lastDecodeStatus == 0 { throw .ended(demuxer.input, " before its first picture") }
    if !demuxer.isRewindable, demuxer.formatName.contains("mp4") {
      throw MediaError(
        .undecodable, demuxer.input,
        "no picture could be decoded: the index of this MP4 lies at its end, which a pipe cannot go back from; name "
          + "the file itself, or write it with FFmpeg's -movflags +faststart")
    }
    let detail = lastDecodeStatus < 0 ? " (\(FFmpeg.message(lastDecodeStatus)))" : ""
    throw MediaError(
      .undecodable, demuxer.input,
      "no picture could be decoded\(detail); the file is damaged or has no frames")
  }

  /// Wraps a decoded frame, or refuses one that cannot be right.
  private func accept(_ frame: UnsafeMutablePointer<AVFrame>, _ warnings: inout WarningCounter) -> Decoded? {
    decodeErrors = 0
    let tag = eyrie_frame_tag(frame)
    change.sawPicture(tag: tag)
    let isKeyframe = eyrie_frame_is_key(frame) != 0
    let decodedWithErrors =
      frame.pointee.decode_error_flags != 0 || frame.pointee.flags & AV_FRAME_FLAG_CORRUPT != 0
    if let skipping { skippedBefore += skipping.left(frame, tag: tag, isDamaged: decodedWithErrors) }
    if awaitsKeyframe {
      let startsAnew = isKeyframe || frame.pointee.pict_type == AV_PICTURE_TYPE_I
      if !startsAnew, skippedFrames < Self.maxSkippedFrames {
        skippedFrames += 1
        warnings.count(.beforeKeyframe)
        return nil
      }
      awaitsKeyframe = false
    }
    let isCorrupt = damage.isCorrupt(tag: tag, isKeyframe: isKeyframe, decodedWithErrors: decodedWithErrors)
    if isCorrupt, options.damagedFrames == .drop, droppedInARow < Self.maxDroppedFrames {
      droppedInARow += 1
      hasDropped = true
      warnings.count(.corruptFrameDropped)
      return nil
    }
    if !isCorrupt { droppedInARow = 0 }
    defer { skippedBefore.removeAll(keepingCapacity: true) }
    deliveredFrames += 1
    return Decoded(
      picture: frame, pool: pictures, geometry: demuxer.geometry(of: frame), codec: codec,
      arrival: ledger.arrival(of: tag),
      isCorrupt: isCorrupt, skippedBefore: skippedBefore)
  }

  /// Gives the decoder one more packet, or tells it that there are no more.
  private func feed(
    _ warnings: inout WarningCounter, _ wants: ([SkipPlan.Picture]) -> Bool
  ) throws(MediaError) {
    guard let packet else { return }
    let (status, tag) =
      if let skipping {
        skipping.next(
          into: packet, arrival: { ledger.arrival(of: $0) }, read: { read(into: $0, &warnings) }, wants: wants
        )
      } else {
        read(into: packet, &warnings)
      }
    guard status == 0 else { return try handleReadStatus(status, &warnings) }
    if demuxer.isTransportStream {
      change.sawPacket(tag: tag, position: packet.pointee.pos, bytes: Int(packet.pointee.size))
    }
    let sent = decoder.send(packet, tag: tag)
    av_packet_unref(packet)
    if sent < 0, sent != EYRIE_ERROR_EOF { try countDecodeError(sent, tag: tag, &warnings) }
    if change.isStuck, deliveredFrames > 0 { leaveStuckStream() }
  }

  /// Reads the next packet of the stream and gives it a tag.
  private func read(
    into packet: UnsafeMutablePointer<AVPacket>, _ warnings: inout WarningCounter
  ) -> (status: Int32, tag: Int64) {
    let status = demuxer.read(into: packet, timeout: readTimeout)
    let passedOver = demuxer.takePassedOverErrors()
    for _ in 0..<passedOver {
      warnings.count(.readError)
      // The hole may have begun within the packet before it. Opening complains of much that does no harm.
      if ledger.nextTag > 1 { damage.damage(at: ledger.nextTag - 1) }
    }
    let losses = demuxer.takeLosses()
    if passedOver > 0 || losses > 0 { skipping?.distrust() }
    guard status == 0 else { return (status, 0) }
    readErrors = 0
    let tag = ledger.note(packet)
    if losses > 0 {
      // The packet was put together while they were missed. Or its successor, which begins with what ended it.
      for _ in 0..<losses { warnings.count(.lostPackets) }
      damage.damage(at: tag)
      damage.damage(at: tag + 1)
    }
    if packet.pointee.flags & AV_PKT_FLAG_CORRUPT != 0 {
      warnings.count(.corruptPacket)
      damage.damage(at: tag)
    }
    return (0, tag)
  }

  /// The decoder makes nothing of the packets any more.
  private func leaveStuckStream() {
    if demuxer.isRewindable {
      change.due = .reopening
      drain()
    } else if isLive {
      failure = MediaError(
        .undecodable, demuxer.input,
        "no picture in \(StreamChange.patience) packets; the stream is damaged or has changed")
      drain()
    }
  }

  /// The old stream has given all its frames: goes on in the one that took its place, if there is one.
  private func followChange(_ warnings: inout WarningCounter) throws(MediaError) -> Bool {
    if change.isStuckAtEnd, demuxer.isTransportStream, demuxer.isRewindable, deliveredFrames > 0 {
      change.due = .reopening
    }
    guard failure == nil, let way = change.due else { return false }
    let isFollowing: Bool
    switch way {
    case .successor:
      demuxer.followSplice()
      isFollowing = true
    case .reopening:
      let fresh = reopened()
      isFollowing = fresh != nil
      demuxer = fresh ?? demuxer
    }
    if isFollowing {
      warnings.count(.streamChanged)
      decoder = try Self.decoder(for: demuxer, options, isLive: isLive)
      skippedBefore += skipping?.rest() ?? []
      skipping = Self.skipping(in: demuxer, options, isLive: isLive)
      awaitKeyframe()
      damage = DamageTracker()
    } else {
      if change.isAtEnd { return false }
      decoder.restart()
    }
    isDraining = false
    change.finish(following: isFollowing)
    return true
  }

  /// The file as it is from where the decoder got stuck, if that is of another codec.
  private func reopened() -> Demuxer? {
    guard let position = change.position, case .file(let path) = source.locate() else { return nil }
    let fresh = try? Demuxer(
      source, options: options, interrupt: interrupt,
      at: TransportStreamFile.start(before: position, path: path))
    let old = demuxer.stream.pointee.codecpar.pointee.codec_id
    return fresh.flatMap { $0.stream.pointee.codecpar.pointee.codec_id != old ? $0 : nil }
  }

  private func handleReadStatus(_ status: Int32, _ warnings: inout WarningCounter) throws(MediaError) {
    if demuxer.ioGuard.isInterrupted { throw .interrupted(demuxer.input) }
    switch status {
    case Demuxer.streamEnded:
      change.due = .successor
      drain()
    case EYRIE_ERROR_EOF:
      change.isAtEnd = true
      drain()
    case EYRIE_ERROR_INVALID_DATA:
      damage.loss(before: ledger.nextTag)
      readErrors += 1
      guard readErrors < Self.maxReadErrors else {
        warnings.count(.cutOff)
        return drain()
      }
      warnings.count(.readError)
    case EYRIE_ERROR_EXIT:
      failure = .stalled(demuxer.input, after: readTimeout)
      drain()
    case FFmpeg.error(ETIMEDOUT) where isRemote:
      failure = .stalled(demuxer.input, after: nil)
      drain()
    case FFmpeg.error(EIO) where isRemote:
      failure = .disconnected(demuxer.input, "reading")
      drain()
    default:
      failure = .ffmpeg(status, "reading", input: demuxer.input, guard: demuxer.ioGuard)
      drain()
    }
  }

  private func drain() {
    isDraining = true
    _ = decoder.send(nil, tag: 0)
  }

  private func countDecodeError(
    _ status: Int32, tag: Int64, _ warnings: inout WarningCounter
  ) throws(MediaError) {
    lastDecodeStatus = status
    change.sawError()
    warnings.count(.decodeError)
    damage.damage(at: tag)
    skipping?.distrust()
    decodeErrors += 1
    if status == FFmpeg.error(ENOMEM) {
      throw MediaError(.outOfMemory, demuxer.input, "out of memory while decoding")
    }
    // While packets are taken, their number bounds the errors. Without them something must.
    if isDraining, decodeErrors > Self.maxDecodeErrors { isFinished = true }
  }
}
