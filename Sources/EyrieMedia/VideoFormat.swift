import CFFmpeg

/// What kind of picture a frame is. It stays the same from frame to frame, until the stream changes.
public struct VideoFormat: Sendable, Hashable, Codable {
  /// FFmpeg's name of the codec, such as `h264`.
  public var codec: String
  /// FFmpeg's name of the pixel format, such as `yuv420p`.
  public var pixelFormat: String
  /// Whether luma uses all of 0…255, not 16…235 (or as much of more bits).
  public var isFullRange: Bool
  /// Size in pixels as stored.
  public var codedWidth: Int
  /// Size in pixels as stored.
  public var codedHeight: Int
  /// Size in pixels as displayed: square pixels, upright.
  public var width: Int
  /// Size in pixels as displayed.
  public var height: Int

  /// One line for people, such as `h264 yuv420p 1920x1080`.
  public var summary: String { "\(codec) \(pixelFormat) \(width)x\(height)" }
}

extension VideoFormat {
  /// - Parameter codec: FFmpeg's name of the codec that the picture came from.
  init(of picture: UnsafeMutablePointer<AVFrame>, geometry: PictureGeometry, codec: String) {
    let name = av_get_pix_fmt_name(AVPixelFormat(picture.pointee.format)).map { String(cString: $0) }
    self.init(
      codec: codec, pixelFormat: name ?? "unknown",
      // `yuvj420p` and its like are full range by name.
      isFullRange: picture.pointee.color_range == AVCOL_RANGE_JPEG || name?.hasPrefix("yuvj") == true,
      codedWidth: geometry.codedWidth, codedHeight: geometry.codedHeight, width: geometry.width,
      height: geometry.height)
  }
}
