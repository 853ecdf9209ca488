import CFFmpeg
import Foundation

/// An opened container and the video stream chosen in it.
final class Demuxer {
  let input: String
  let ioGuard: IOGuard
  /// The chosen stream. Valid as long as this object.
  private(set) var stream: UnsafeMutablePointer<AVStream>
  /// Whether the input can be opened again from its start.
  let isRewindable: Bool
  private var context: UnsafeMutablePointer<AVFormatContext>?
  /// Outlives `context`, which reads through it.
  private let bytes: (any ByteSource)?
  private let errors = DemuxerErrors()
  /// Only for transport streams, whose video may go on in another stream.
  private let splices: SpliceWatch?
  /// Packets of the stream that were read before it was chosen.
  private var waiting: ArraySlice<UnsafeMutablePointer<AVPacket>> = []

  /// What `read` returns where the video has ended and goes on in another stream: see `followSplice`.
  static let streamEnded: Int32 = 1

  /// Opens and probes; bounded by `openTimeout` except while a pipe waits for its writer.
  /// - Parameter offset: Where to enter a file, in bytes from its start.
  init(
    _ input: MediaInput, options: VideoReader.Options, interrupt: MediaInterrupt, at offset: Int64 = 0
  ) throws(MediaError) {
    FFmpeg.silence()
    try input.checkAddress()
    let name = input.description
    let ioGuard = IOGuard(interrupt: interrupt)
    let opener = Opener(input: name, ioGuard: ioGuard, options: options)
    let opened = try errors.collect { () throws(MediaError) in try opener.open(input.locate(), at: offset) }
    ioGuard.arm(nil)
    self.input = name
    self.ioGuard = ioGuard
    bytes = opened.bytes
    isRewindable = opened.isRewindable
    stream = opened.stream
    context = opened.context
    let isTransportStream = String(cString: opened.context.pointee.iformat.pointee.name) == "mpegts"
    splices = isTransportStream ? SpliceWatch() : nil
  }

  deinit {
    for packet in waiting { FFmpeg.free(packet) }
    // Saying goodbye to a server that does not listen must not take long.
    ioGuard.beginClosing(within: .milliseconds(500))
    avformat_close_input(&context)
    withExtendedLifetime((bytes, ioGuard)) {}
  }

  /// Reads the next packet of the chosen stream. Returns FFmpeg's status, or `streamEnded`; other streams are
  /// passed over.
  func read(into packet: UnsafeMutablePointer<AVPacket>, timeout: Duration?) -> Int32 {
    guard let context else { return EYRIE_ERROR_EOF }
    if let next = waiting.popFirst() {
      av_packet_move_ref(packet, next)
      FFmpeg.free(next)
      return 0
    }
    let index = stream.pointee.index
    ioGuard.arm(timeout)
    defer { ioGuard.arm(nil) }
    while true {
      if ioGuard.mustStop { return EYRIE_ERROR_EXIT }
      let status = errors.collect { av_read_frame(context, packet) }
      // A source with nothing to give right now: its own waits are over, or it has none (cameras).
      if status == FFmpeg.error(EAGAIN) {
        usleep(2_000)
        continue
      }
      if status == 0, packet.pointee.stream_index != index {
        let hasEnded = isContinued(by: packet)
        av_packet_unref(packet)
        if hasEnded { return Self.streamEnded }
        continue
      }
      if status == 0 { splices?.sawCurrent(packet) }
      if status == EYRIE_ERROR_EOF, splices?.hasCandidate == true { return Self.streamEnded }
      // An error below the container looks like its end: the byte stream knows better.
      if status == EYRIE_ERROR_EOF, let io = context.pointee.pb, io.pointee.error < 0,
        io.pointee.error != EYRIE_ERROR_EOF
      {
        return io.pointee.error
      }
      return status
    }
  }

  /// Whether this packet of another stream shows that the chosen video goes on there.
  private func isContinued(by packet: UnsafeMutablePointer<AVPacket>) -> Bool {
    let index = Int(packet.pointee.stream_index)
    guard let splices, let context, index >= 0, index < Int(context.pointee.nb_streams),
      let other = context.pointee.streams?[index],
      other.pointee.codecpar.pointee.codec_type == AVMEDIA_TYPE_VIDEO,
      StreamChoice(context).isDecodable(other)
    else { return false }
    switch splices.saw(packet) {
    case .undecided: return false
    case .successor: return true
    case .otherProgramme:
      other.pointee.discard = AVDISCARD_ALL
      return false
    }
  }

  /// Goes on in the stream that took the place of the one that ended.
  func followSplice() {
    guard let taken = splices?.take() else { return }
    waiting = taken.packets[...]
    if let context, let next = StreamChoice(context).streams.first(where: { $0.pointee.index == taken.index })
    {
      stream = next
    }
  }

  /// Whether it is a transport stream: such a stream can be entered anywhere.
  var isTransportStream: Bool { splices != nil }

  /// How often packets were missing in a stream over RTP since the last call.
  func takeLosses() -> Int { errors.takeLosses() }

  /// How many errors the container's reader passed over since the last call.
  func takePassedOverErrors() -> Int { errors.take() }

  /// FFmpeg's name of JPEG pictures one after the other over HTTP (`multipart/x-mixed-replace`).
  static let jpegPush = "mpjpeg"

  /// The container's format, as FFmpeg names it (`mov,mp4,m4a,3gp,3g2,mj2`).
  var formatName: String {
    guard let name = context?.pointee.iformat?.pointee.name else { return "" }
    return String(cString: name)
  }

  private var formatFlags: Int32 { context?.pointee.iformat?.pointee.flags ?? 0 }

  /// Whether the container carries times. Raw streams and pictures have none; what FFmpeg reports for
  /// pictures is made up.
  var hasTimestamps: Bool {
    if formatName == Self.jpegPush { return true }
    return formatFlags & AVFMT_NOTIMESTAMPS == 0 && !isPicture && stream.pointee.start_time != EYRIE_NOPTS
  }

  private var isPicture: Bool { formatName.hasPrefix("image2") || formatName.hasSuffix("_pipe") }

  var duration: Double? {
    guard !isPicture || stream.pointee.nb_frames > 1 || stream.pointee.duration > 1 else { return nil }
    if stream.pointee.duration != EYRIE_NOPTS, stream.pointee.duration > 0 {
      return Double(stream.pointee.duration) * av_q2d(stream.pointee.time_base)
    }
    guard let total = context?.pointee.duration, total != EYRIE_NOPTS, total > 0 else { return nil }
    return Double(total) / Double(AV_TIME_BASE)
  }

  /// Frames a second: the mean where known, else FFmpeg's guess, else what the coded stream itself states.
  /// With few frames seen a guess can be the time base itself (90000), which is no frame rate.
  func frameRate(stated: AVRational) -> Double? {
    let container = [stream.pointee.avg_frame_rate, stream.pointee.r_frame_rate]
    // A raw stream's container is FFmpeg, which assumes 25.
    let rates = hasTimestamps || isPicture ? container + [stated] : [stated] + container
    return rates.lazy.compactMap(Self.plausible).first
  }

  private static func plausible(_ rate: AVRational) -> Double? {
    guard rate.num > 0, rate.den > 0, case let value = av_q2d(rate), value <= 1000 else { return nil }
    return value
  }

  /// How this container counts time.
  func clock(frameRate: Double?) -> Timeline.Clock {
    let nanoseconds = (1e9 / (frameRate ?? 25)).rounded()
    return Timeline.Clock(
      numerator: stream.pointee.time_base.num, denominator: stream.pointee.time_base.den,
      wrapBits: stream.pointee.pts_wrap_bits,
      frameDuration: (1_000...10_000_000_000).contains(nanoseconds) ? Int64(nanoseconds) : 40_000_000,
      mayJump: formatFlags & AVFMT_TS_DISCONT != 0)
  }

  /// Size, sample aspect ratio (the container's before the codec's) and orientation of a decoded frame,
  /// or with `nil` of what the header says.
  func geometry(of frame: UnsafeMutablePointer<AVFrame>?) -> PictureGeometry {
    let matrix = frame.flatMap(Self.displayMatrix) ?? eyrie_stream_display_matrix(stream)
    let parameters = stream.pointee.codecpar.pointee
    return PictureGeometry(
      codedWidth: Int(frame?.pointee.width ?? parameters.width),
      codedHeight: Int(frame?.pointee.height ?? parameters.height),
      aspect: av_guess_sample_aspect_ratio(context, stream, frame),
      orientation: matrix.map(Orientation.init(displayMatrix:)) ?? .upright)
  }

  private static func displayMatrix(_ frame: UnsafeMutablePointer<AVFrame>) -> UnsafePointer<Int32>? {
    guard let data = av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX),
      data.pointee.size >= 9 * MemoryLayout<Int32>.size
    else { return nil }
    return UnsafeRawPointer(data.pointee.data).assumingMemoryBound(to: Int32.self)
  }
}
