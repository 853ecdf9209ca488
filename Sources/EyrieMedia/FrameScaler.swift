import CFFmpeg

/// Writes frames upright, with square pixels, as packed 8-bit RGB or BGR into a rectangle of a canvas.
///
/// Bilinear, area-weighted when it shrinks; the same pixels as FFmpeg's
/// `scale=W:H:flags=bilinear,format=rgb24`. Video whose pixels share colours is shown at its own size and larger
/// with the colours spread smoothly, as FFmpeg's `accurate_rnd+full_chroma_int` does (to the bit where swscale
/// does all; where `YUVToRGB` does its part they are spread between rows too, which swscale leaves out). There are four ways to them:
/// - Ordinary video that is made smaller: swscale scales the planes, and `YUVToRGB` writes the colours into
///   the caller's memory, in 0.4 to 0.6 of the time that swscale alone takes (scalar code).
/// - Video at its own size and larger, unless it is small: likewise, by way of 4:4:4 planes.
/// - Anything else: swscale writes into the caller's memory.
/// - Turned or mirrored pictures, and rectangles whose rows swscale would overrun: swscale writes into scratch
///   memory, from which the picture is copied.
///
/// It keeps its set-up while frames and target stay the same and then allocates nothing. Not thread-safe: one
/// owner at a time; several scalers may work side by side. Transparency is ignored. Fields of interlaced
/// frames stay woven.
public final class FrameScaler {
  private var context: ScaleContext?
  private let scratch = ScratchBuffer()
  /// The picture before it is turned, where `scratch` holds its planes.
  private let stored = ScratchBuffer()

  /// swscale promises no more than that rows are written in blocks: depending on its version and the CPU
  /// it may write so many bytes past the end of a row that is no multiple of `blockPixels`.
  private static let overrunBytes = 64
  private static let blockPixels = 32

  /// Whether to take the first two ways where they can be taken. A debug build leaves all to swscale: without
  /// optimisation `YUVToRGB` takes half a second for 640×360 pixels.
  var convertsColours: Bool = {
    #if DEBUG
      false
    #else
      true
    #endif
  }()

  /// A scaler that sets itself up with the first frame.
  public init() {
    FFmpeg.silence()
  }

  /// Fills the whole canvas: the picture in its rectangle, the padding value around it.
  ///
  /// - Parameters:
  ///   - frame: The picture; its displayed size need not match the rectangle.
  ///   - destination: At least `target.byteCount` bytes; nothing behind them is touched. Any alignment.
  ///   - target: The canvas and the rectangle, in displayed orientation.
  /// - Throws: `MediaError` with `.invalidGeometry`, `.unsupportedPixelFormat` or `.outOfMemory`.
  public func scale(
    _ frame: VideoFrame, into destination: UnsafeMutableRawBufferPointer, target: ScaleTarget
  ) throws(MediaError) {
    guard target.isValid, let base = destination.baseAddress, destination.count >= target.byteCount else {
      throw MediaError(
        .invalidGeometry, "frame \(frame.index)",
        "cannot scale to \(target.width)x\(target.height) at \(target.x),\(target.y) in a canvas of "
          + "\(target.canvasWidth)x\(target.canvasHeight) with \(destination.count) bytes")
    }
    let canvas = base.assumingMemoryBound(to: UInt8.self)
    let orientation = frame.geometry.orientation
    let context = try context(for: frame, target: target)
    let rowBytes = target.canvasWidth * 3
    let content = canvas + (target.y * rowBytes + target.x * 3)
    if orientation == .upright, context.toRGB != nil || toleratesOverrun(target) {
      try write(context, frame, to: content, rowBytes: rowBytes)
    } else {
      let storedRowBytes = Self.scratchRowBytes(Int(context.key.targetWidth) * 3)
      let stored = try reserve(stored, storedRowBytes * Int(context.key.targetHeight), frame)
      try write(context, frame, to: stored, rowBytes: storedRowBytes)
      PixelTurn.copy(
        from: stored, sourceRowBytes: storedRowBytes, to: content, targetRowBytes: rowBytes,
        width: target.width, height: target.height, orientation: orientation)
    }
    pad(canvas, target)
  }

  /// Writes packed pixels, as stored.
  private func write(
    _ context: ScaleContext, _ frame: VideoFrame, to pixels: UnsafeMutablePointer<UInt8>, rowBytes: Int
  ) throws(MediaError) {
    guard let toRGB = context.toRGB else {
      return try run(context, frame, to: ScaleContext.Planes(packed: pixels, rowBytes: rowBytes))
    }
    toRGB.convert(
      try scaledPlanes(context, frame), width: Int(context.key.targetWidth),
      height: Int(context.key.targetHeight), to: pixels, rowBytes: rowBytes)
  }

  /// Whether what swscale writes past a row's end lands in padding of the same row, which is written
  /// afterwards. Below the picture is no help: it may be the first pixels of a row already written.
  private func toleratesOverrun(_ target: ScaleTarget) -> Bool {
    target.width % Self.blockPixels == 0
      || (target.canvasWidth - target.x - target.width) * 3 >= Self.overrunBytes
  }

  /// The frame as planes in scratch memory.
  private func scaledPlanes(
    _ context: ScaleContext, _ frame: VideoFrame
  ) throws(MediaError) -> YUVToRGB.Planes {
    let (width, height) = (Int(context.key.targetWidth), Int(context.key.targetHeight))
    let chromaWidth = context.key.targetFormat == AV_PIX_FMT_YUV444P.rawValue ? width : width / 2
    let (luma, chroma) = (Self.scratchRowBytes(width), Self.scratchRowBytes(chromaWidth))
    let y = try reserve(scratch, (luma + 2 * chroma) * height, frame)
    let u = y + luma * height
    let v = u + chroma * height
    try run(
      context, frame,
      to: ScaleContext.Planes(y: y, u: u, v: v, lumaRowBytes: luma, chromaRowBytes: chroma))
    return YUVToRGB.Planes(y: y, u: u, v: v, lumaRowBytes: luma, chromaRowBytes: chroma)
  }

  /// Room for a row and what is written or read past its end, in a multiple of what swscale aligns to.
  private static func scratchRowBytes(_ rowBytes: Int) -> Int { (rowBytes + overrunBytes + 63) / 64 * 64 }

  private func reserve(
    _ buffer: ScratchBuffer, _ count: Int, _ frame: VideoFrame
  ) throws(MediaError) -> UnsafeMutablePointer<UInt8> {
    guard let bytes = buffer.reserve(count) else {
      throw MediaError(.outOfMemory, "frame \(frame.index)", "out of memory while scaling")
    }
    return bytes
  }

  /// The kinds of picture that most decoders give.
  private static let ordinaryFormats = Set(
    [AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_NV12]
      .map(\.rawValue))

  /// Whether swscale's way to RGB is by 4:2:2 planes of 8 bits, rounded to nearest, and `YUVToRGB`'s formula.
  ///
  /// It is not for BGR, odd widths and 4:4:4, which have other formulas. Nor where both vertical filters have
  /// one or two taps, whose sum swscale rounds down: enlarged pictures, and those of nearly the same height. A
  /// reduction by r has a third tap that counts (swscale drops those below 0.2 %) if one of the target's rows
  /// lies within (r − 1) ÷ 2 of the middle of a source row. They drift by r − 1 from row to row, so one does
  /// for r ≥ 17/16 and 32 rows. At reductions by hundreds swscale works in two steps.
  static func writesYUV(_ frame: VideoFrame, _ target: ScaleTarget) -> Bool {
    let (width, height) = (frame.geometry.codedWidth, frame.geometry.codedHeight)
    return target.pixelOrder == .rgb && frame.geometry.orientation == .upright
      && ordinaryFormats.contains(frame.picture.pointee.format) && target.width % 2 == 0
      && target.height >= 32 && target.height * 17 <= height * 16
      && target.height * 16 >= height && target.width * 16 >= width
  }

  /// Whether pixels share colours, and the picture is made larger, or smaller by less than 1/17: then it would
  /// show that they do. Where it is made smaller each of the target's pixels covers several samples anyway, but
  /// swscale would halve the colours of the result; that shows where there are few pixels, and costs nothing there.
  static func isSmooth(_ frame: VideoFrame, _ target: ScaleTarget) -> Bool {
    guard let format = av_pix_fmt_desc_get(AVPixelFormat(frame.picture.pointee.format))?.pointee else {
      return false
    }
    let (width, height) = (frame.geometry.codedWidth, frame.geometry.codedHeight)
    let swaps = frame.geometry.orientation.swapsSides
    let (targetWidth, targetHeight) = swaps ? (target.height, target.width) : (target.width, target.height)
    let isEnlarged = targetHeight * 17 > height * 16 && targetWidth * 17 > width * 16
    return format.log2_chroma_w + format.log2_chroma_h > 0 && format.flags & UInt64(AV_PIX_FMT_FLAG_RGB) == 0
      && (isEnlarged || min(targetWidth, targetHeight) < 32)
  }

  /// Whether such a picture goes by way of 4:4:4 planes. Below 100 000 pixels swscale's own way, which takes
  /// seven times as long, takes less than a millisecond.
  static func writesFullChroma(_ frame: VideoFrame, _ target: ScaleTarget) -> Bool {
    isSmooth(frame, target) && target.width * target.height >= 100_000
  }

  private func context(for frame: VideoFrame, target: ScaleTarget) throws(MediaError) -> ScaleContext {
    let picture = frame.picture.pointee
    let swaps = frame.geometry.orientation.swapsSides
    let isSmooth = Self.isSmooth(frame, target)
    var written = target.pixelOrder == .rgb ? AV_PIX_FMT_RGB24 : AV_PIX_FMT_BGR24
    if convertsColours {
      if Self.writesFullChroma(frame, target) { written = AV_PIX_FMT_YUV444P }
      if !isSmooth, Self.writesYUV(frame, target) { written = AV_PIX_FMT_YUV422P }
    }
    let key = ScaleContext.Key(
      width: picture.width, height: picture.height, format: picture.format,
      colorSpace: picture.colorspace.rawValue, colorRange: picture.color_range.rawValue,
      targetWidth: Int32(swaps ? target.height : target.width),
      targetHeight: Int32(swaps ? target.width : target.height),
      targetFormat: written.rawValue, isSmooth: isSmooth, isBGR: target.pixelOrder == .bgr)
    if let context, context.key == key { return context }
    context = nil
    guard let fresh = ScaleContext(key) else {
      let format = av_get_pix_fmt_name(AVPixelFormat(key.format)).map { String(cString: $0) } ?? "unknown"
      throw MediaError(
        .unsupportedPixelFormat, "frame \(frame.index)",
        "swscale cannot turn \(key.width)x\(key.height) \(format) into \(key.targetWidth)x\(key.targetHeight) RGB"
      )
    }
    context = fresh
    return fresh
  }

  private func run(
    _ context: ScaleContext, _ frame: VideoFrame, to target: ScaleContext.Planes
  ) throws(MediaError) {
    guard context.scale(frame.picture, to: target) else {
      throw MediaError(.unsupportedPixelFormat, "frame \(frame.index)", "swscale failed on this picture")
    }
  }

  /// Writes the four bands. It costs a few percent of a scale, so nothing is remembered about the buffer.
  private func pad(_ canvas: UnsafeMutablePointer<UInt8>, _ target: ScaleTarget) {
    let rowBytes = target.canvasWidth * 3
    let below = target.y + target.height
    let right = target.x + target.width
    canvas.update(repeating: target.padding, count: target.y * rowBytes)
    (canvas + below * rowBytes)
      .update(repeating: target.padding, count: (target.canvasHeight - below) * rowBytes)
    guard target.x > 0 || right < target.canvasWidth else { return }
    for row in target.y..<below {
      let start = canvas + row * rowBytes
      start.update(repeating: target.padding, count: target.x * 3)
      (start + right * 3).update(repeating: target.padding, count: (target.canvasWidth - right) * 3)
    }
  }
}
