import CFFmpeg
import Foundation
import Testing

@testable import EyrieMedia

/// A picture as packed RGB, and Pillow's `resize` of it straight from the definition: double precision, one sum over
/// the filter's support for each number, no tables.
struct CropReference {
  var width: Int
  var height: Int
  var pixels: [UInt8]

  /// - Parameters:
  ///   - box: Left, top, right, bottom in pixels; the whole pixels around it are cut out first.
  ///   - size: What the box is resized to.
  ///   - part: Which columns and rows of that are wanted.
  func resized(
    box: (Double, Double, Double, Double), size: (Int, Int), part: (columns: Range<Int>, rows: Range<Int>),
    filter: CropTarget.Filter
  ) -> [UInt8] {
    let columns = part.columns.map { weights($0, box.0, box.2, size.0, filter) }
    let rows = part.rows.map { weights($0, box.1, box.3, size.1, filter) }
    return rows.flatMap { row in
      columns.flatMap { column in
        (0..<3).map { component -> UInt8 in
          var sum = 0.0
          for (y, weightY) in row {
            var line = 0.0
            for (x, weightX) in column { line += Double(pixels[(y * width + x) * 3 + component]) * weightX }
            sum += line * weightY
          }
          return UInt8(min(max(sum.rounded(), 0), 255))
        }
      }
    }
  }

  private func weights(
    _ index: Int, _ low: Double, _ high: Double, _ size: Int, _ filter: CropTarget.Filter
  ) -> [(Int, Double)] {
    let scale = (high - low) / Double(size)
    let reach = max(scale, 1)
    let center = low + (Double(index) + 0.5) * scale
    let weights = (Int(low.rounded(.down))..<Int(high.rounded(.up))).compactMap { pixel -> (Int, Double)? in
      let weight = Self.kernel(abs(Double(pixel) + 0.5 - center) / reach, filter)
      return weight == 0 ? nil : (pixel, weight)
    }
    let total = weights.reduce(0) { $0 + $1.1 }
    return weights.map { ($0.0, $0.1 / total) }
  }

  private static func kernel(_ x: Double, _ filter: CropTarget.Filter) -> Double {
    switch filter {
    case .bilinear: return x < 1 ? 1 - x : 0
    case .bicubic:
      let a = -0.5
      if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
      if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
      return 0
    }
  }
}

/// Pictures to cut from, and FFmpeg's RGB of them.
enum CropClip {
  /// A clip of two frames that keeps every pixel, in a pixel format of choice: a moving pattern, softened as cameras
  /// soften what they see, so that few colours between pixels lie outside of what RGB can hold.
  static func make(_ scratch: Scratch, _ size: String, _ format: String) throws
    -> String
  {
    // testsrc2 makes even sizes only.
    let sides = size.split(separator: "x").compactMap { Int($0) }
    try #require(sides.count == 2)
    let (width, height) = (sides[0], sides[1])
    let path = scratch.path("clip-\(size)-\(format).nut")
    try Tool.ffmpeg(
      "-f", "lavfi", "-i", "testsrc2=size=\(width + 2)x\(height + 2):rate=5:duration=0.4", "-vf",
      "format=rgb24,crop=\(width):\(height):0:0,gblur=sigma=1,format=\(format)", "-c:v", "rawvideo",
      "-pix_fmt", format, path)
    return path
  }

  static func firstFrame(_ path: String) throws -> VideoFrame {
    let reader = try VideoReader(MediaInput(path))
    return try #require(try reader.nextFrame())
  }

  /// As FFmpeg's accurate conversion shows the stored picture; colours that pixels share are spread both ways.
  static func rgb(_ path: String, _ frame: VideoFrame) throws -> CropReference {
    let format = try #require(av_pix_fmt_desc_get(AVPixelFormat(frame.picture.pointee.format))?.pointee)
    let size = "scale=\(frame.codedWidth):\(frame.codedHeight):flags=bilinear+accurate_rnd"
    let isShared =
      format.log2_chroma_w + format.log2_chroma_h > 0 && format.flags & UInt64(AV_PIX_FMT_FLAG_RGB) == 0
    let planes = frame.format.isFullRange ? "yuvj444p" : "yuv444p"
    let filter =
      isShared
      ? "\(size),format=\(planes),scale=flags=bilinear+accurate_rnd+full_chroma_int"
      : "\(size)+full_chroma_int"
    let pixels = try Tool.rgb(path, options: ["-noautorotate"], filter: filter)
    return CropReference(
      width: frame.codedWidth, height: frame.codedHeight,
      pixels: Array(pixels.prefix(frame.codedWidth * frame.codedHeight * 3)))
  }

  /// The same picture in another pixel format.
  static func converted(_ frame: VideoFrame, to format: String) throws -> VideoFrame {
    let picture = try #require(av_frame_alloc())
    picture.pointee.width = frame.picture.pointee.width
    picture.pointee.height = frame.picture.pointee.height
    // A change of name alone where there is nothing to convert.
    let isRenamed = format.hasPrefix("yuvj")
    let target = av_get_pix_fmt(isRenamed ? "yuv" + format.dropFirst(4) : format)
    picture.pointee.format = target.rawValue
    try #require(av_frame_get_buffer(picture, 0) == 0)
    let context = try #require(
      sws_getContext(
        picture.pointee.width, picture.pointee.height, AVPixelFormat(frame.picture.pointee.format),
        picture.pointee.width, picture.pointee.height, target, SWS_BILINEAR | SWS_ACCURATE_RND, nil, nil, nil)
    )
    defer { sws_freeContext(context) }
    try #require(sws_scale_frame(context, picture, frame.picture) >= 0)
    if isRenamed { picture.pointee.format = av_get_pix_fmt(format).rawValue }
    return try wrapped(picture, frame, frame.geometry)
  }

  private static func wrapped(
    _ picture: UnsafeMutablePointer<AVFrame>, _ frame: VideoFrame, _ geometry: PictureGeometry
  ) throws -> VideoFrame {
    VideoFrame(
      taking: picture, of: PicturePool(), index: frame.index,
      stamp: Timeline.Stamp(nanoseconds: 0, streamNanoseconds: 0, warning: nil),
      arrival: PacketLedger.Arrival(instant: .now, date: Date(), source: nil), geometry: geometry,
      codec: frame.format.codec, isCorrupt: false)
  }

  /// The same picture with another geometry.
  static func turned(
    _ frame: VideoFrame, _ orientation: Orientation, aspect: (Int32, Int32) = (1, 1)
  ) throws -> VideoFrame {
    try wrapped(
      try #require(av_frame_clone(frame.picture)), frame,
      PictureGeometry(
        codedWidth: frame.codedWidth, codedHeight: frame.codedHeight,
        aspect: AVRational(num: aspect.0, den: aspect.1), orientation: orientation))
  }
}

extension CropSampler {
  /// A crop as an array.
  func rgb(_ frame: VideoFrame, _ region: CropRegion, _ target: CropTarget) throws -> [UInt8] {
    var pixels = [UInt8](repeating: 0, count: target.byteCount)
    try pixels.withUnsafeMutableBytes { try sample(frame, region: region, into: $0, target: target) }
    return pixels
  }
}

extension CropRegion {
  static func whole(_ frame: VideoFrame) -> CropRegion {
    CropRegion(x: 0, y: 0, width: Double(frame.width), height: Double(frame.height))
  }
}
