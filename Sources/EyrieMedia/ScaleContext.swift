import CFFmpeg

/// One set-up of swscale: from one kind of picture to one size of packed RGB or BGR, or to planar YUV.
final class ScaleContext {
  /// Everything that the set-up depends on.
  struct Key: Hashable {
    var width: Int32
    var height: Int32
    var format: Int32
    var colorSpace: UInt32
    var colorRange: UInt32
    var targetWidth: Int32
    var targetHeight: Int32
    var targetFormat: Int32
  }

  private typealias Pointer = UnsafeMutablePointer<UInt8>?
  private typealias Planes = (Pointer, Pointer, Pointer, Pointer)

  let key: Key
  private let context: OpaquePointer

  /// `nil` if swscale cannot convert this.
  init?(_ key: Key) {
    guard sws_isSupportedInput(AVPixelFormat(key.format)) > 0,
      sws_isSupportedOutput(AVPixelFormat(key.targetFormat)) > 0, let context = sws_alloc_context()
    else { return nil }
    let handle = UnsafeMutableRawPointer(context)
    var options: [(String, Int64)] = [
      ("srcw", Int64(key.width)), ("srch", Int64(key.height)), ("src_format", Int64(key.format)),
      ("dstw", Int64(key.targetWidth)), ("dsth", Int64(key.targetHeight)),
      ("dst_format", Int64(key.targetFormat)), ("sws_flags", Int64(SWS_BILINEAR)),
    ]
    // MPEG-2 and everything since places 4:2:0 chroma between two lines. FFmpeg's scale filter says so
    // for this format alone; so do we, for equal pixels.
    if key.format == AV_PIX_FMT_YUV420P.rawValue { options.append(("src_v_chr_pos", 128)) }
    for (name, value) in options { av_opt_set_int(handle, name, value, 0) }
    guard sws_init_context(context, nil, nil) >= 0 else {
      sws_freeContext(context)
      return nil
    }
    Self.setColours(context, key)
    self.key = key
    self.context = context
  }

  deinit { sws_freeContext(context) }

  /// Matrix and range as the stream says. An unspecified matrix is BT.601, an unspecified range what the
  /// pixel format implies: the choices of FFmpeg and OpenCV, on whose output detectors were trained.
  private static func setColours(_ context: OpaquePointer, _ key: Key) {
    var (inverse, table): (UnsafeMutablePointer<Int32>?, UnsafeMutablePointer<Int32>?)
    var (sourceRange, targetRange, brightness, contrast, saturation): (Int32, Int32, Int32, Int32, Int32) =
      (0, 0, 0, 0, 0)
    // Fails for pictures that are not YUV: nothing to set then.
    guard
      sws_getColorspaceDetails(
        context, &inverse, &sourceRange, &table, &targetRange, &brightness, &contrast, &saturation) >= 0
    else { return }
    if key.colorRange != AVCOL_RANGE_UNSPECIFIED.rawValue {
      sourceRange = key.colorRange == AVCOL_RANGE_JPEG.rawValue ? 1 : 0
    }
    sws_setColorspaceDetails(
      context, sws_getCoefficients(matrix(key)), sourceRange, table, targetRange, brightness,
      contrast, saturation)
  }

  /// The matrix by swscale's number. swscale scales RGB by way of YUV: there both ways must use the same
  /// matrix, whatever the stream claims.
  private static func matrix(_ key: Key) -> Int32 {
    let isRGB =
      (av_pix_fmt_desc_get(AVPixelFormat(key.format))?.pointee.flags ?? 0) & UInt64(AV_PIX_FMT_FLAG_RGB) != 0
    let isKnown = (1...10).contains(key.colorSpace) && key.colorSpace != AVCOL_SPC_YCGCO.rawValue
    return isKnown && !isRGB ? Int32(key.colorSpace) : SWS_CS_DEFAULT
  }

  /// Converts a whole picture. `false` if swscale reports an error.
  func scale(
    _ source: UnsafeMutablePointer<AVFrame>, to target: UnsafeMutablePointer<UInt8>, rowBytes: Int
  ) -> Bool {
    // Tuples, not arrays: no allocation.
    let planes = source.pointee.data
    let strides = source.pointee.linesize
    let to: Planes = (target, nil, nil, nil)
    let toStrides: (Int32, Int32, Int32, Int32) = (Int32(clamping: rowBytes), 0, 0, 0)
    let rows = withUnsafeBytes(of: planes) { planes in
      withUnsafeBytes(of: strides) { strides in
        withUnsafeBytes(of: to) { to in
          withUnsafeBytes(of: toStrides) { toStrides in
            sws_scale(
              context, planes.assumingMemoryBound(to: UnsafePointer<UInt8>?.self).baseAddress,
              strides.assumingMemoryBound(to: Int32.self).baseAddress, 0, source.pointee.height,
              to.assumingMemoryBound(to: UnsafeMutablePointer<UInt8>?.self).baseAddress,
              toStrides.assumingMemoryBound(to: Int32.self).baseAddress)
          }
        }
      }
    }
    return rows == key.targetHeight
  }
}
