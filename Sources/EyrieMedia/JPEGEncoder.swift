import CFFmpeg

/// Encodes pictures as JPEG (full-range YUV, BT.601, as JFIF wants it).
public enum JPEGEncoder {
  private static let what = "JPEG"

  /// Encodes one picture.
  ///
  /// - Parameters:
  ///   - rgb: Packed 8-bit red, green, blue; at least `(height - 1) * rowBytes + width * 3` bytes.
  ///   - width: Width in pixels, 1 to 65500.
  ///   - height: Height in pixels, 1 to 65500.
  ///   - rowBytes: Bytes from one row to the next.
  ///   - quality: 1 (smallest) to 100 (best); other values are clamped. From 90 on colour is stored at
  ///     full resolution (4:4:4), below at half (4:2:0).
  /// - Throws: `MediaError` with `.invalidGeometry`, `.encoding` or `.outOfMemory`.
  public static func encode(
    rgb: UnsafeRawBufferPointer, width: Int, height: Int, rowBytes: Int, quality: Int = 85
  ) throws(MediaError) -> [UInt8] {
    FFmpeg.silence()
    let sides = 1...65_500
    guard let base = rgb.baseAddress, sides.contains(width), sides.contains(height),
      rowBytes >= width * 3, rowBytes <= Int(Int32.max),
      (height - 1).multipliedReportingOverflow(by: rowBytes).overflow == false,
      rgb.count >= (height - 1) * rowBytes + width * 3
    else {
      throw MediaError(.invalidGeometry, what, "no picture of \(width)x\(height) in \(rgb.count) bytes")
    }
    var quality = quality
    quality = min(max(quality, 1), 100)
    let format = quality >= 90 ? AV_PIX_FMT_YUVJ444P : AV_PIX_FMT_YUVJ420P
    var picture = av_frame_alloc()
    defer { av_frame_free(&picture) }
    guard let picture else { throw outOfMemory }
    picture.pointee.width = Int32(width)
    picture.pointee.height = Int32(height)
    picture.pointee.format = format.rawValue
    picture.pointee.color_range = AVCOL_RANGE_JPEG
    guard av_frame_get_buffer(picture, 0) >= 0 else { throw outOfMemory }
    try convert(base.assumingMemoryBound(to: UInt8.self), rowBytes: rowBytes, to: picture)
    // MJPEG quantisers run from 2 (best) to 31.
    return try compress(picture, quantiser: 31 - (quality - 1) * 29 / 99)
  }

  private static var outOfMemory: MediaError {
    MediaError(.outOfMemory, what, "out of memory while encoding")
  }

  private static func convert(
    _ rgb: UnsafePointer<UInt8>, rowBytes: Int, to picture: UnsafeMutablePointer<AVFrame>
  ) throws(MediaError) {
    let (width, height) = (picture.pointee.width, picture.pointee.height)
    let context = sws_getContext(
      width, height, AV_PIX_FMT_RGB24, width, height, AVPixelFormat(picture.pointee.format),
      SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, nil, nil, nil)
    guard let context else { throw MediaError(.encoding, what, "swscale refuses \(width)x\(height)") }
    defer { sws_freeContext(context) }
    var planes: [UnsafePointer<UInt8>?] = [rgb, nil, nil, nil]
    var strides: [Int32] = [Int32(rowBytes), 0, 0, 0]
    let data = picture.pointee.data
    let to = [data.0, data.1, data.2, data.3]
    let linesize = picture.pointee.linesize
    let toStrides = [linesize.0, linesize.1, linesize.2, linesize.3]
    guard sws_scale(context, &planes, &strides, 0, height, to, toStrides) == height else {
      throw MediaError(.encoding, what, "swscale failed on \(width)x\(height)")
    }
  }

  private static func compress(
    _ picture: UnsafeMutablePointer<AVFrame>, quantiser: Int
  ) throws(MediaError) -> [UInt8] {
    guard let codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG) else {
      throw MediaError(.encoding, what, "this FFmpeg has no JPEG encoder; install one that has")
    }
    var context = avcodec_alloc_context3(codec)
    defer { avcodec_free_context(&context) }
    var packet = av_packet_alloc()
    defer { av_packet_free(&packet) }
    guard let context, let packet else { throw outOfMemory }
    context.pointee.width = picture.pointee.width
    context.pointee.height = picture.pointee.height
    context.pointee.pix_fmt = AVPixelFormat(picture.pointee.format)
    context.pointee.color_range = AVCOL_RANGE_JPEG
    context.pointee.time_base = AVRational(num: 1, den: 25)
    context.pointee.thread_count = 1
    context.pointee.flags |= AV_CODEC_FLAG_QSCALE
    context.pointee.global_quality = Int32(quantiser) * FF_QP2LAMBDA
    picture.pointee.quality = context.pointee.global_quality
    var status = avcodec_open2(context, codec, nil)
    if status >= 0 { status = avcodec_send_frame(context, picture) }
    if status >= 0 { status = avcodec_receive_packet(context, packet) }
    guard status >= 0 else { throw MediaError(.encoding, what, FFmpeg.message(status)) }
    return [UInt8](UnsafeBufferPointer(start: packet.pointee.data, count: Int(packet.pointee.size)))
  }
}
