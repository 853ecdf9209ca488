import CFFmpeg

/// Tells for how long a picture has not changed, although frames keep coming: a camera that hangs, or a relay
/// that repeats its last picture.
///
/// It compares a sparse sample of brightness (64×36 runs of 16 pixels; 7 µs for 1920×1080 of 8 bits, below 40 µs
/// for any kind) with that of the last change, so that slow motion adds up. A picture has changed where one run's
/// mean moved by more than 10 levels of 255, or all together by more than 1. Measured: a photograph encoded again
/// and again (x264 at CRF 18 to 38 and at constant rate, x265, VP9, MPEG-2, MPEG-4; 320×180 to 1920×1080) moves by
/// at most 3.9 and 0.44 once the encoder has settled, a test pattern with hard edges at CRF 38 by up to 13 at a few
/// keyframes; a grey square of 24 pixels, or a running clock of 1/30 of the height, moves by 14 to 125.
///
/// A scene without motion whose sensor noise the camera's encoder removes looks the same as a frozen one: wait
/// longer than the scene may be still.
public struct FrozenPictureWatch: Sendable {
  private var current = LumaGrid()
  private var reference = LumaGrid()
  private var kind: Kind?
  private var lastChange: ContinuousClock.Instant?

  private struct Kind: Hashable {
    var width: Int32
    var height: Int32
    var format: Int32
  }

  private static let largestStillStep = 10.0
  private static let largestStillMean = 1.0

  /// A watch that has seen nothing.
  public init() {}

  /// Looks at the next frame. One watch per source; the frame is read, never kept.
  ///
  /// - Parameter instant: When the frame came, or is shown; not before that of the frame before.
  /// - Returns: How long the picture has been the same by now: zero for the first frame, for one that differs,
  ///   and for kinds of picture that cannot be looked at (hardware surfaces, floating point).
  public mutating func observe(_ frame: VideoFrame, at instant: ContinuousClock.Instant) -> Duration {
    let picture = frame.picture.pointee
    let kind = Kind(width: picture.width, height: picture.height, format: picture.format)
    guard sample(picture) else {
      self.kind = nil
      lastChange = instant
      return .zero
    }
    let (largest, mean) = current.distance(from: reference)
    let isStill = kind == self.kind && largest <= Self.largestStillStep && mean <= Self.largestStillMean
    guard isStill, let lastChange else {
      self.kind = kind
      swap(&reference, &current)
      lastChange = instant
      return .zero
    }
    return max(instant - lastChange, .zero)
  }

  /// Takes the sample of brightness, or of green where there is none.
  private mutating func sample(_ picture: AVFrame) -> Bool {
    guard let format = av_pix_fmt_desc_get(AVPixelFormat(picture.format))?.pointee,
      format.flags & UInt64(AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_FLOAT) == 0,
      picture.width > 0, picture.height > 0
    else { return false }
    let isRGB = format.flags & UInt64(AV_PIX_FMT_FLAG_RGB) != 0 && format.nb_components >= 3
    let component = isRGB ? format.comp.1 : format.comp.0
    let plane = withUnsafeBytes(of: picture.data) {
      $0.assumingMemoryBound(to: UnsafeMutablePointer<UInt8>?.self)[Int(component.plane)]
    }
    let rowBytes = withUnsafeBytes(of: picture.linesize) {
      Int($0.assumingMemoryBound(to: Int32.self)[Int(component.plane)])
    }
    guard let plane else { return false }
    var layout = LumaGrid.Layout(
      step: Int(component.step), offset: Int(component.offset), depth: Int(component.depth),
      shift: Int(component.shift), isBigEndian: format.flags & UInt64(AV_PIX_FMT_FLAG_BE) != 0)
    var width = Int(picture.width)
    if format.flags & UInt64(AV_PIX_FMT_FLAG_BITSTREAM) != 0 || layout.depth < 8 {
      // Pixels of a few bits: their bytes.
      let bytes = max(
        1, Int(av_get_bits_per_pixel(av_pix_fmt_desc_get(AVPixelFormat(picture.format)))) * width / 8)
      layout = LumaGrid.Layout(step: 1, offset: 0, depth: 8, shift: 0, isBigEndian: false)
      width = bytes
    }
    guard (8...16).contains(layout.depth), layout.depth + layout.shift <= 16 else { return false }
    let hasPalette = format.flags & UInt64(AV_PIX_FMT_FLAG_PAL) != 0
    if hasPalette, picture.data.1 == nil { return false }
    current.sample(
      plane, rowBytes: rowBytes, width: width, height: Int(picture.height), layout: layout,
      palette: hasPalette ? UnsafeRawPointer(picture.data.1) : nil)
    return true
  }
}
