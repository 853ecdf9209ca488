import CFFmpeg

/// One FFmpeg video decoder: packets in, frames out in display order.
final class VideoDecoder {
  private var context: UnsafeMutablePointer<AVCodecContext>?
  /// Whether a frame may be decoded wrongly if the stream is entered between keyframes and the decoder
  /// itself does not hold such frames back (FFmpeg's H.264 decoder does). H.261 has no keyframes.
  let needsKeyframe: Bool

  init(stream: UnsafeMutablePointer<AVStream>, threads: Int, lowLatency: Bool, input: String)
    throws(MediaError)
  {
    let parameters = stream.pointee.codecpar.pointee
    guard let codec = avcodec_find_decoder(parameters.codec_id) else {
      throw .unsupportedCodec(parameters, input: input)
    }
    let properties = avcodec_descriptor_get(parameters.codec_id)?.pointee.props ?? 0
    needsKeyframe =
      properties & AV_CODEC_PROP_INTRA_ONLY == 0 && parameters.codec_id != AV_CODEC_ID_H264
      && parameters.codec_id != AV_CODEC_ID_H261
    guard let context = avcodec_alloc_context3(codec) else {
      throw MediaError(.outOfMemory, input, "out of memory while opening the decoder")
    }
    self.context = context
    context.pointee.pkt_timebase = stream.pointee.time_base
    context.pointee.thread_count = Int32(clamping: threads)
    if lowLatency {
      context.pointee.flags |= AV_CODEC_FLAG_LOW_DELAY
      // Threads that decode a frame each hold back as many frames.
      context.pointee.thread_type = FF_THREAD_SLICE
    }
    context.pointee.max_pixels = FFmpeg.maxPixels
    guard avcodec_parameters_to_context(context, stream.pointee.codecpar) >= 0,
      avcodec_open2(context, codec, nil) >= 0
    else { throw .unsupportedCodec(parameters, input: input) }
  }

  deinit { avcodec_free_context(&context) }

  /// The frame rate stated in the coded stream, 0/1 where it states none.
  var frameRate: AVRational { context?.pointee.framerate ?? AVRational(num: 0, den: 1) }

  /// Hands over a packet marked with `tag`, or with `nil` says that no more will come.
  func send(_ packet: UnsafeMutablePointer<AVPacket>?, tag: Int64) -> Int32 {
    guard let context else { return EYRIE_ERROR_EOF }
    if let packet { eyrie_tag_packet(context, packet, tag) }
    return avcodec_send_packet(context, packet)
  }

  /// Takes packets again after it was drained.
  func restart() {
    if let context { avcodec_flush_buffers(context) }
  }

  func receive(_ frame: UnsafeMutablePointer<AVFrame>) -> Int32 {
    avcodec_receive_frame(context, frame)
  }
}
