import CFFmpeg

/// How crops are taken from frames of one kind: from the decoder's own planes where `CropLayout` knows them, else
/// from a copy of the whole frame that swscale makes once.
final class CropSource {
  /// What the planes hold that crops are taken from.
  let layout: CropLayout
  /// From what the planes hold to RGB.
  let writer: PixelWriter
  /// Makes the copy; `nil` where none is needed.
  private let context: ScaleContext?
  private let copy = ScratchBuffer()
  /// The frame that `copy` is of. Weak, since holding a frame holds the decoder's memory.
  private weak var copied: VideoFrame?

  /// Where the components lie.
  struct Planes {
    typealias Pointer = UnsafeMutablePointer<UInt8>?
    var pointers: (Pointer, Pointer, Pointer, Pointer)
    var rowBytes: (Int32, Int32, Int32, Int32)

    subscript(index: Int) -> (base: UnsafeRawPointer, rowBytes: Int)? {
      let (pointer, bytes) =
        switch index {
        case 0: (pointers.0, rowBytes.0)
        case 1: (pointers.1, rowBytes.1)
        case 2: (pointers.2, rowBytes.2)
        default: (pointers.3, rowBytes.3)
        }
      guard let pointer else { return nil }
      return (UnsafeRawPointer(pointer), Int(bytes))
    }
  }

  /// `nil` if swscale does not know the kind of picture.
  ///
  /// - Parameter key: The picture; what is said of a target does not count.
  init?(_ key: ScaleContext.Key) {
    var key = key
    (key.targetWidth, key.targetHeight, key.isSmooth, key.isBGR) = (key.width, key.height, true, false)
    let native = CropLayout(AVPixelFormat(key.format))
    if let native, native.isRGB {
      guard let writer = PixelWriter(nil) else { return nil }
      (layout, self.writer, context) = (native, writer, nil)
      return
    }
    // This also tells which matrix and range are in force.
    key.targetFormat = AV_PIX_FMT_YUV444P.rawValue
    if native != nil || Self.hasColours(key.format), let planar = ScaleContext(key),
      let toRGB = planar.toRGB, let writer = PixelWriter(toRGB)
    {
      self.writer = writer
      layout = native ?? .planar444
      context = native == nil ? planar : nil
      return
    }
    key.targetFormat = AV_PIX_FMT_RGB24.rawValue
    guard let packed = ScaleContext(key), let writer = PixelWriter(nil) else { return nil }
    (layout, self.writer, context) = (.packedRGB, writer, packed)
  }

  /// Whether a picture has Y, U and V.
  private static func hasColours(_ format: Int32) -> Bool {
    guard let description = av_pix_fmt_desc_get(AVPixelFormat(format))?.pointee else { return false }
    return description.nb_components >= 3
      && description.flags & UInt64(AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL) == 0
  }

  /// The planes of a frame of this kind.
  func planes(of frame: VideoFrame) throws(MediaError) -> Planes {
    guard let context else {
      let picture = frame.picture.pointee
      return Planes(
        pointers: (picture.data.0, picture.data.1, picture.data.2, picture.data.3),
        rowBytes: (picture.linesize.0, picture.linesize.1, picture.linesize.2, picture.linesize.3))
    }
    let (width, height) = (Int(context.key.width), Int(context.key.height))
    let isPacked = layout.isRGB
    // swscale may write so much past the end of a row.
    let rowBytes = (width * (isPacked ? 3 : 1) + 127) / 64 * 64
    guard let bytes = copy.reserve(rowBytes * height * (isPacked ? 1 : 3)) else {
      throw MediaError(.outOfMemory, "frame \(frame.index)", "out of memory while cropping")
    }
    let (u, v) = isPacked ? (nil, nil) : (bytes + rowBytes * height, bytes + 2 * rowBytes * height)
    let planes = Planes(
      pointers: (bytes, u, v, nil),
      rowBytes: (Int32(clamping: rowBytes), Int32(clamping: rowBytes), Int32(clamping: rowBytes), 0))
    if copied === frame { return planes }
    copied = nil
    let target =
      if let u, let v {
        ScaleContext.Planes(y: bytes, u: u, v: v, lumaRowBytes: rowBytes, chromaRowBytes: rowBytes)
      } else {
        ScaleContext.Planes(packed: bytes, rowBytes: rowBytes)
      }
    guard context.scale(frame.picture, to: target) else {
      throw MediaError(.unsupportedPixelFormat, "frame \(frame.index)", "swscale failed on this picture")
    }
    copied = frame
    return planes
  }
}
