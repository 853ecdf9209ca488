import CFFmpeg

/// Writes frames upright, with square pixels, as packed 8-bit RGB or BGR into a rectangle of a canvas.
///
/// One swscale pass (bilinear, area-weighted when it shrinks) straight into the caller's memory; the same
/// pixels as FFmpeg's `scale=W:H:flags=bilinear,format=rgb24`. Only turned or mirrored pictures, and
/// rectangles whose rows swscale would overrun, take a second copy. It keeps its set-up while frames and
/// target stay the same and then allocates nothing. Not thread-safe: one owner at a time; several scalers
/// may work side by side. Transparency is ignored. Fields of interlaced frames stay woven.
public final class FrameScaler {
  private var context: ScaleContext?
  private let scratch = ScratchBuffer()

  /// swscale promises no more than that rows are written in blocks: depending on its version and the CPU
  /// it may write so many bytes past the end of a row that is no multiple of `blockPixels`.
  private static let overrunBytes = 64
  private static let blockPixels = 32

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
    if orientation == .upright, toleratesOverrun(target) {
      try run(context, frame, to: content, rowBytes: rowBytes)
    } else {
      let scratchRowBytes = (Int(context.key.targetWidth) * 3 + Self.overrunBytes + 63) / 64 * 64
      guard let stored = scratch.reserve(scratchRowBytes * Int(context.key.targetHeight)) else {
        throw MediaError(.outOfMemory, "frame \(frame.index)", "out of memory while scaling")
      }
      try run(context, frame, to: stored, rowBytes: scratchRowBytes)
      PixelTurn.copy(
        from: stored, sourceRowBytes: scratchRowBytes, to: content, targetRowBytes: rowBytes,
        width: target.width, height: target.height, orientation: orientation)
    }
    pad(canvas, target)
  }

  /// Whether what swscale writes past a row's end lands in padding of the same row, which is written
  /// afterwards. Below the picture is no help: it may be the first pixels of a row already written.
  private func toleratesOverrun(_ target: ScaleTarget) -> Bool {
    target.width % Self.blockPixels == 0
      || (target.canvasWidth - target.x - target.width) * 3 >= Self.overrunBytes
  }

  private func context(for frame: VideoFrame, target: ScaleTarget) throws(MediaError) -> ScaleContext {
    let picture = frame.picture.pointee
    let swaps = frame.geometry.orientation.swapsSides
    let key = ScaleContext.Key(
      width: picture.width, height: picture.height, format: picture.format,
      colorSpace: picture.colorspace.rawValue, colorRange: picture.color_range.rawValue,
      targetWidth: Int32(swaps ? target.height : target.width),
      targetHeight: Int32(swaps ? target.width : target.height),
      targetFormat: (target.pixelOrder == .rgb ? AV_PIX_FMT_RGB24 : AV_PIX_FMT_BGR24).rawValue)
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
    _ context: ScaleContext, _ frame: VideoFrame, to target: UnsafeMutablePointer<UInt8>, rowBytes: Int
  ) throws(MediaError) {
    guard context.scale(frame.picture, to: target, rowBytes: rowBytes) else {
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
