import CFFmpeg

/// One set-up of swscale: from one kind of picture to one size of packed RGB or BGR, or of planar YUV
/// 4:2:2 or 4:4:4.
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
    /// Whether colours are spread over the pixels that share them, at the target's full width.
    var isSmooth: Bool
    /// Whether blue comes first in the end.
    var isBGR: Bool
  }

  /// Where swscale writes to: one plane, or three. Tuples, not arrays: no allocation.
  struct Planes {
    typealias Pointer = UnsafeMutablePointer<UInt8>?
    var pointers: (Pointer, Pointer, Pointer, Pointer)
    var rowBytes: (Int32, Int32, Int32, Int32)

    init(packed: UnsafeMutablePointer<UInt8>, rowBytes: Int) {
      pointers = (packed, nil, nil, nil)
      self.rowBytes = (Int32(clamping: rowBytes), 0, 0, 0)
    }

    init(
      y: UnsafeMutablePointer<UInt8>, u: UnsafeMutablePointer<UInt8>, v: UnsafeMutablePointer<UInt8>,
      lumaRowBytes: Int, chromaRowBytes: Int
    ) {
      pointers = (y, u, v, nil)
      let chroma = Int32(clamping: chromaRowBytes)
      rowBytes = (Int32(clamping: lumaRowBytes), chroma, chroma, 0)
    }
  }

  let key: Key
  /// From the YUV that this writes to the RGB that swscale would write; `nil` if this writes RGB or BGR.
  let toRGB: YUVToRGB?
  private let context: OpaquePointer

  /// `nil` if swscale cannot convert this.
  init?(_ key: Key) {
    guard sws_isSupportedInput(AVPixelFormat(key.format)) > 0,
      sws_isSupportedOutput(AVPixelFormat(key.targetFormat)) > 0, let context = sws_alloc_context()
    else { return nil }
    let handle = UnsafeMutableRawPointer(context)
    let writes444 = key.targetFormat == AV_PIX_FMT_YUV444P.rawValue
    let writesYUV = writes444 || key.targetFormat == AV_PIX_FMT_YUV422P.rawValue
    // The vertical scalers for planes that swscale takes by default are approximations; the one for RGB is not.
    // At the picture's own size swscale would by default repeat each colour sample over four pixels.
    var flags = SWS_BILINEAR
    if writesYUV || key.isSmooth { flags |= SWS_ACCURATE_RND }
    if key.isSmooth, !writesYUV { flags |= SWS_FULL_CHR_H_INT }
    var options: [(String, Int64)] = [
      ("srcw", Int64(key.width)), ("srch", Int64(key.height)), ("src_format", Int64(key.format)),
      ("dstw", Int64(key.targetWidth)), ("dsth", Int64(key.targetHeight)),
      ("dst_format", Int64(key.targetFormat)), ("sws_flags", Int64(flags)),
    ]
    // MPEG-2 and everything since places 4:2:0 chroma between two lines. FFmpeg's scale filter says so
    // for this format alone; so do we, for equal pixels.
    if key.format == AV_PIX_FMT_YUV420P.rawValue { options.append(("src_v_chr_pos", 128)) }
    for (name, value) in options { av_opt_set_int(handle, name, value, 0) }
    guard sws_init_context(context, nil, nil) >= 0 else {
      sws_freeContext(context)
      return nil
    }
    let colours = Self.setColours(context, key, keepsYUV: writesYUV)
    guard colours != nil || !writesYUV else {
      sws_freeContext(context)
      return nil
    }
    toRGB =
      !writesYUV
      ? nil
      : colours.map {
        YUVToRGB(
          matrix: $0.matrix, isFullRange: $0.isFullRange, hasFullChroma: writes444, isBGR: key.isBGR)
      }
    self.key = key
    self.context = context
  }

  deinit { sws_freeContext(context) }

  /// Matrix and range as the stream says. An unspecified matrix is BT.601, an unspecified range what the
  /// pixel format implies: the choices of FFmpeg and OpenCV, on whose output detectors were trained.
  ///
  /// - Parameter keepsYUV: give the target the same matrix and range, so that nothing is converted.
  /// - Returns: what is in force; `nil` for pictures that are not YUV.
  private static func setColours(
    _ context: OpaquePointer, _ key: Key, keepsYUV: Bool
  ) -> (matrix: (Int, Int, Int, Int), isFullRange: Bool)? {
    var (inverse, table): (UnsafeMutablePointer<Int32>?, UnsafeMutablePointer<Int32>?)
    var (sourceRange, targetRange, brightness, contrast, saturation): (Int32, Int32, Int32, Int32, Int32) =
      (0, 0, 0, 0, 0)
    guard
      sws_getColorspaceDetails(
        context, &inverse, &sourceRange, &table, &targetRange, &brightness, &contrast, &saturation) >= 0,
      let matrix = sws_getCoefficients(matrix(key))
    else { return nil }
    if key.colorRange != AVCOL_RANGE_UNSPECIFIED.rawValue {
      sourceRange = key.colorRange == AVCOL_RANGE_JPEG.rawValue ? 1 : 0
    }
    sws_setColorspaceDetails(
      context, matrix, sourceRange, keepsYUV ? matrix : UnsafePointer(table),
      keepsYUV ? sourceRange : targetRange, brightness, contrast, saturation)
    return ((Int(matrix[0]), Int(matrix[1]), Int(matrix[2]), Int(matrix[3])), sourceRange != 0)
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
  func scale(_ source: UnsafeMutablePointer<AVFrame>, to target: Planes) -> Bool {
    let planes = source.pointee.data
    let strides = source.pointee.linesize
    let rows = withUnsafeBytes(of: planes) { planes in
      withUnsafeBytes(of: strides) { strides in
        withUnsafeBytes(of: target.pointers) { to in
          withUnsafeBytes(of: target.rowBytes) { toStrides in
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
