import Foundation
import Testing

@testable import EyrieMedia

/// Compares with FFmpeg's own scale filter, on pictures made by FFmpeg.
@Suite struct FrameScalerTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// A two-frame clip that keeps every pixel (FFV1), in a pixel format of choice.
  private func clip(_ size: String, _ pixelFormat: String, _ codec: String = "ffv1") throws -> String {
    let path = scratch.path("clip-\(size)-\(pixelFormat).\(codec == "ffv1" ? "mkv" : "mov")")
    try Tool.ffmpeg(
      "-f", "lavfi", "-i", "testsrc2=size=\(size):rate=5:duration=0.4", "-c:v", codec, "-pix_fmt",
      pixelFormat, path)
    return path
  }

  private func firstFrame(_ path: String) throws -> VideoFrame {
    let reader = try VideoReader(MediaInput(path))
    return try #require(try reader.nextFrame())
  }

  @Test(arguments: [
    ("768x432", 640, 360), ("768x432", 768, 432), ("321x241", 640, 480), ("321x241", 321, 241),
    ("321x241", 213, 160), ("270x480", 360, 640), ("1920x16", 640, 5), ("16x16", 640, 640),
    ("176x144", 33, 27), ("176x144", 66, 54), ("1280x720", 100, 56),
    ("2x2", 5, 3),
  ])
  func pixelsEqualFFmpegs(size: String, width: Int, height: Int) throws {
    let path = try clip(size, "yuv420p")
    let frame = try firstFrame(path)
    for (order, format) in [(ScaleTarget.PixelOrder.rgb, "rgb24"), (.bgr, "bgr24")] {
      let wanted = try Wanted(path, frame, width, height, format)
      // Left and right, above and below; misaligned; filling the canvas.
      for (left, right, top, bottom, shift) in [
        (0, 0, 0, 0, 0), (0, 0, 0, 0, 1), (0, 0, 7, 6, 0), (1, 0, 0, 3, 16), (5, 40, 0, 0, 3),
        (0, 21, 1, 0, 8),
      ] {
        let target = ScaleTarget(
          canvasWidth: width + left + right, canvasHeight: height + top + bottom, x: left, y: top,
          width: width,
          height: height, pixelOrder: order, padding: 114)
        try check(frame, target, shift: shift, wanted: wanted)
      }
    }
  }

  /// The picture by FFmpeg: as swscale makes it in one go, and where colours are spread also by way of planes.
  private struct Wanted {
    var direct: [UInt8]
    var byPlanes: [UInt8]?

    init(
      _ path: String, _ frame: VideoFrame, _ width: Int, _ height: Int, _ format: String = "rgb24"
    ) throws {
      let size = "scale=\(width):\(height)"
      let count = width * height * 3
      guard FrameScaler.isSmooth(frame, ScaleTarget(width: width, height: height)) else {
        let all = try Tool.rgb(path, filter: "\(size):flags=bilinear", format: format)
        direct = Array(all.prefix(count))
        return
      }
      let flags = "flags=bilinear+accurate_rnd"
      direct = Array(
        try Tool.rgb(path, filter: "\(size):\(flags)+full_chroma_int", format: format).prefix(count))
      guard FrameScaler.writesFullChroma(frame, ScaleTarget(width: width, height: height)) else { return }
      let planes = frame.format.isFullRange ? "yuvj444p" : "yuv444p"
      byPlanes = Array(
        try Tool.rgb(
          path, filter: "\(size):\(flags),format=\(planes),scale=\(flags)+full_chroma_int", format: format
        ).prefix(count))
    }
  }

  /// Scales into a canvas inside guard bytes and looks at every byte; each way that the frame can go.
  private func check(_ frame: VideoFrame, _ target: ScaleTarget, shift: Int, wanted: Wanted) throws {
    let scaler = FrameScaler()
    scaler.convertsColours = false
    try check(scaler, frame, target, shift: shift, wanted: wanted.direct, tolerance: 0)
    // Slow without optimisation: not into every corner of a canvas.
    guard FrameScaler.writesYUV(frame, target) || wanted.byPlanes != nil && shift % 8 < 2 else { return }
    scaler.convertsColours = true
    try check(
      scaler, frame, target, shift: shift, wanted: wanted.byPlanes ?? wanted.direct,
      tolerance: wanted.byPlanes == nil ? 0 : 6)
  }

  private func check(
    _ scaler: FrameScaler, _ frame: VideoFrame, _ target: ScaleTarget, shift: Int, wanted: [UInt8],
    tolerance: Int
  ) throws {
    let margin = 4096
    var memory = [UInt8](repeating: 0xA5, count: margin + shift + target.byteCount + margin)
    let canvas = (margin + shift)..<(margin + shift + target.byteCount)
    try memory.withUnsafeMutableBytes { bytes in
      try scaler.scale(
        frame, into: UnsafeMutableRawBufferPointer(rebasing: bytes[canvas]), target: target)
    }
    let guards = memory[..<canvas.lowerBound] + memory[canvas.upperBound...]
    #expect(guards.allSatisfy { $0 == 0xA5 }, "wrote outside the canvas: \(target)")
    var picture: [UInt8] = []
    var padding: [UInt8] = []
    for row in 0..<target.canvasHeight {
      let start = canvas.lowerBound + row * target.canvasWidth * 3
      let left = start + target.x * 3
      let right = left + target.width * 3
      guard row >= target.y, row < target.y + target.height else {
        padding += memory[start..<(start + target.canvasWidth * 3)]
        continue
      }
      padding += memory[start..<left] + memory[right..<(start + target.canvasWidth * 3)]
      picture += memory[left..<right]
    }
    #expect(padding.allSatisfy { $0 == target.padding }, "padding: \(target)")
    let isEqual =
      picture.count == wanted.count && zip(picture, wanted).allSatisfy { abs(Int($0) - Int($1)) <= tolerance }
    let largest = zip(picture, wanted).lazy.map { abs(Int($0) - Int($1)) }.max() ?? 0
    #expect(
      isEqual,
      "\(meanDifference(picture, wanted)), at most \(largest), from FFmpeg's pixels: \(target) shift \(shift)"
    )
  }

  @Test(arguments: [
    "yuv422p", "yuv444p", "yuvj420p", "yuv420p10le", "yuv422p10le", "yuv444p12le", "yuv411p", "yuv410p",
    "gray",
    "gray10le", "gray16le", "gbrp", "gbrp10le", "rgb48le", "bgra", "bgr0", "yuva420p", "ya8", "rgba64le",
  ])
  func otherPixelFormats(_ pixelFormat: String) throws {
    let path = try clip("175x143", pixelFormat)
    let frame = try firstFrame(path)
    for (width, height) in [(175, 143), (320, 261), (61, 47)] {
      try check(
        frame, ScaleTarget(width: width, height: height), shift: 0,
        wanted: try Wanted(path, frame, width, height))
    }
  }

  @Test(arguments: ["pal8", "rgb555be", "argb", "rgb24", "nv12", "nv21", "yuyv422", "uyvy422"])
  func packedPixelFormats(_ pixelFormat: String) throws {
    let path = scratch.path("packed.nut")
    try Tool.ffmpeg(
      "-f", "lavfi", "-i", "testsrc2=size=91x57:rate=5:duration=0.4", "-c:v", "rawvideo", "-pix_fmt",
      pixelFormat,
      path)
    let frame = try firstFrame(path)
    for (width, height) in [(91, 57), (200, 125)] {
      try check(
        frame, ScaleTarget(width: width, height: height), shift: 0,
        wanted: try Wanted(path, frame, width, height))
    }
  }

  /// Every width up to 100 with rows that end at the canvas's edge, and others a few pixels before it.
  @Test(arguments: [("96x64", "yuv420p"), ("97x3", "yuv420p"), ("64x48", "yuv444p"), ("33x2", "yuv420p10le")])
  func nothingOutsideTheCanvasIsTouched(size: String, pixelFormat: String) throws {
    let frame = try firstFrame(try clip(size, pixelFormat))
    let scaler = FrameScaler()
    let margin = 512
    for width in 1...100 {
      for (height, gap) in [(1, 0), (2, 0), (frame.height, 0), (7, 3)] {
        let target = ScaleTarget(
          canvasWidth: width + gap, canvasHeight: height, x: 0, y: 0, width: width, height: height, padding: 7
        )
        var memory = [UInt8](repeating: 0xA5, count: target.byteCount + 2 * margin)
        try memory.withUnsafeMutableBytes { bytes in
          let canvas = UnsafeMutableRawBufferPointer(rebasing: bytes[margin..<(margin + target.byteCount)])
          try scaler.scale(frame, into: canvas, target: target)
        }
        let guards = memory[..<margin] + memory[(margin + target.byteCount)...]
        #expect(guards.allSatisfy { $0 == 0xA5 }, "\(target)")
        // The direct path and the one through scratch memory give the same picture.
        let wanted = try scaler.rgb(frame, width: width, height: height)
        for row in 0..<height {
          let start = margin + row * (width + gap) * 3
          #expect(memory[start..<(start + width * 3)] == wanted[(row * width * 3)..<((row + 1) * width * 3)])
        }
      }
    }
  }
}
