import CFFmpeg

/// One FFmpeg video decoder: packets in, frames in main memory and in display order out.
///
/// If it decodes on a device and that fails, it goes on in software, and `note` says why.
final class VideoDecoder {
  /// How to decode.
  struct Options {
    var threads: Int
    var lowLatency: Bool
    /// Whether threads share a frame and do not decode one each.
    var bySlices = false
    var hardware: HardwareDecoding
    var openDevice: HardwareDevice.Opener
  }

  /// Why pictures are decoded in software although they should not be; one line.
  private(set) var note: String?
  /// Whether a frame may be decoded wrongly if the stream is entered between keyframes and the decoder
  /// itself does not hold such frames back (FFmpeg's H.264 decoder does). H.261 has no keyframes.
  let needsKeyframe: Bool

  private let stream: UnsafeMutablePointer<AVStream>
  private let options: Options
  private var context: UnsafeMutablePointer<AVCodecContext>?
  private var device: HardwareDevice?
  /// Since the last picture that a device gave.
  private var deviceErrors = 0
  private var hasRestarted = false
  /// So many errors in a row are more than a damaged stream gives: the device is at fault.
  private static let maxDeviceErrors = 12

  /// - Parameter stream: outlives this.
  init(stream: UnsafeMutablePointer<AVStream>, options: Options, input: String) throws(MediaError) {
    self.stream = stream
    self.options = options
    let parameters = stream.pointee.codecpar.pointee
    guard let codec = avcodec_find_decoder(parameters.codec_id) else {
      throw .unsupportedCodec(parameters, input: input)
    }
    let properties = avcodec_descriptor_get(parameters.codec_id)?.pointee.props ?? 0
    needsKeyframe =
      properties & AV_CODEC_PROP_INTRA_ONLY == 0 && parameters.codec_id != AV_CODEC_ID_H264
      && parameters.codec_id != AV_CODEC_ID_H261
    if openDevice() { return }
    guard let allocated = avcodec_alloc_context3(codec) else {
      throw MediaError(.outOfMemory, input, "out of memory while opening the decoder")
    }
    context = allocated
    guard open(allocated, codec) else { throw .unsupportedCodec(parameters, input: input) }
  }

  deinit { avcodec_free_context(&context) }

  /// The frame rate stated in the coded stream, 0/1 where it states none.
  var frameRate: AVRational { context?.pointee.framerate ?? AVRational(num: 0, den: 1) }

  /// Hands over a packet marked with `tag`, or with `nil` says that no more will come.
  func send(_ packet: UnsafeMutablePointer<AVPacket>?, tag: Int64) -> Int32 {
    guard let context else { return EYRIE_ERROR_EOF }
    if let packet { eyrie_tag_packet(context, packet, tag) }
    return judged(avcodec_send_packet(context, packet))
  }

  /// Takes packets again after it was drained.
  func restart() {
    if let context { avcodec_flush_buffers(context) }
  }

  func receive(_ frame: UnsafeMutablePointer<AVFrame>) -> Int32 {
    let status = judged(avcodec_receive_frame(context, frame))
    guard status == 0, let device else { return status }
    let brought = device.bring(frame)
    guard brought < 0 else {
      deviceErrors = 0
      if device.isRefused {
        note = note ?? "decoding in software: \(device.name) does not decode this kind of stream"
      }
      return 0
    }
    av_frame_unref(frame)
    return goOnInSoftware(brought)
  }

  /// Whether it began anew, in the middle of the stream, since this was last asked.
  func takeRestart() -> Bool {
    defer { hasRestarted = false }
    return hasRestarted
  }

  /// Opens the first device that can decode this, or notes why none can.
  private func openDevice() -> Bool {
    var reasons: [String] = []
    for type in options.hardware.deviceTypes {
      switch options.openDevice(type, stream.pointee.codecpar.pointee.codec_id) {
      case .failed(let reason): reasons.append(reason)
      case .opened(let device, let codec):
        context = avcodec_alloc_context3(codec)
        self.device = device
        if let context, open(context, codec) { return true }
        avcodec_free_context(&context)
        self.device = nil
        reasons.append("\(device.name): the decoder refuses the device")
      }
    }
    if !reasons.isEmpty { note = "decoding in software: " + reasons.joined(separator: "; ") }
    return false
  }

  private func open(_ context: UnsafeMutablePointer<AVCodecContext>, _ codec: UnsafePointer<AVCodec>) -> Bool
  {
    context.pointee.pkt_timebase = stream.pointee.time_base
    context.pointee.thread_count = Int32(clamping: options.threads)
    if options.lowLatency {
      context.pointee.flags |= AV_CODEC_FLAG_LOW_DELAY
    }
    // Threads that decode a frame each hold back as many frames.
    if options.lowLatency || options.bySlices { context.pointee.thread_type = FF_THREAD_SLICE }
    context.pointee.max_pixels = FFmpeg.maxPixels
    guard avcodec_parameters_to_context(context, stream.pointee.codecpar) >= 0 else { return false }
    device?.attach(to: context)
    return avcodec_open2(context, codec, nil) >= 0
  }

  /// Counts the errors of a device.
  private func judged(_ status: Int32) -> Int32 {
    guard let device, !device.isRefused, status < 0, status != FFmpeg.error(EAGAIN),
      status != EYRIE_ERROR_EOF
    else { return status }
    deviceErrors += 1
    return deviceErrors < Self.maxDeviceErrors ? status : goOnInSoftware(status)
  }

  /// Gives the device up. The new decoder knows nothing of what came before the next keyframe.
  private func goOnInSoftware(_ status: Int32) -> Int32 {
    guard let failed = device, let codec = avcodec_find_decoder(stream.pointee.codecpar.pointee.codec_id),
      let fresh = avcodec_alloc_context3(codec)
    else { return status }
    note = "decoding in software: \(failed.name) failed in mid-stream (\(FFmpeg.message(status)))"
    avcodec_free_context(&context)
    device = nil
    context = fresh
    hasRestarted = true
    // Otherwise no packet is taken any more, and the reader counts those errors.
    return open(fresh, codec) ? FFmpeg.error(EAGAIN) : status
  }
}
