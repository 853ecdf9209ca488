import Foundation
import Testing

@testable import EyrieMedia

/// Kinds of files that people have, made here: pictures right in colour, size, number and time.
@Suite struct KindTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// Twelve patches of 64 pixels, far from black, white and grey.
  private static let patches: [[Int]] = [
    [235, 64, 52], [52, 168, 83], [66, 103, 210], [250, 188, 5], [20, 20, 20], [235, 235, 235],
    [128, 128, 128], [180, 40, 160], [40, 180, 170], [100, 60, 20], [200, 220, 160], [60, 60, 120],
  ]

  /// The patches as a picture file, which FFmpeg turns into anything.
  private func picture() throws -> String {
    var bytes = Array("P6 256 192 255\n".utf8)
    for row in 0..<192 {
      for column in 0..<256 { bytes += Self.patches[row / 64 * 4 + column / 64].map { UInt8($0) } }
    }
    let path = scratch.path("patches.ppm")
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
  }

  private func expectPatches(_ path: String, tolerance: Int = 6, isGray: Bool = false) throws {
    let reader = try VideoReader(MediaInput(path))
    let frame = try #require(try reader.nextFrame())
    #expect(frame.width == 256 && frame.height == 192)
    // At its own size, made smaller, and larger.
    for (width, height) in [(256, 192), (128, 96), (320, 240)] {
      let pixels = try FrameScaler().rgb(frame, width: width, height: height)
      for (index, patch) in Self.patches.enumerated() {
        let (x, y) = ((index % 4 * 2 + 1) * width / 8, (index / 4 * 2 + 1) * height / 6)
        let found = pixels[((y * width + x) * 3)...].prefix(3).map { Int($0) }
        // BT.601, which gray is by convention.
        let luma = Int(
          (0.299 * Double(patch[0]) + 0.587 * Double(patch[1]) + 0.114 * Double(patch[2])).rounded())
        let wanted = isGray ? [luma, luma, luma] : patch
        let isRight = zip(found, wanted).allSatisfy { abs($0 - $1) <= tolerance }
        #expect(isRight, "\(found) instead of \(wanted) at \(width)x\(height)")
        if isGray { #expect(Set(found).count == 1) }
      }
    }
  }

  private func make(_ name: String, _ arguments: [String]) throws -> String {
    let path = scratch.path(name)
    let source = ["-loop", "1", "-framerate", "10", "-i", try picture(), "-frames:v", "3"]
    try Tool.run("ffmpeg", ["-v", "error", "-nostdin", "-y"] + source + arguments + [path])
    return path
  }

  @Test(arguments: [
    "yuv420p", "yuv422p", "yuv444p", "yuv411p", "yuv410p", "yuv440p", "yuvj420p", "yuvj422p", "yuvj444p",
    "yuv420p10le", "yuv422p10le", "yuv444p12le", "yuv444p16le", "gbrp", "gbrp12le", "bgr0", "bgra", "rgb48le",
    "rgba64le", "yuva420p", "yuva444p10le", "gray", "gray10le", "gray12le", "gray16le", "ya8",
  ])
  func pixelFormats(_ format: String) throws {
    let path = try make("a.mkv", ["-c:v", "ffv1", "-level", "3", "-pix_fmt", format])
    try expectPatches(path, isGray: format.hasPrefix("gray") || format == "ya8")
  }

  static let codecs: [[String]] = [
    ["a.mp4", "libx264", "yuv444p", "-qp", "0"], ["a.mkv", "libx264rgb", "rgb24", "-qp", "0"],
    ["a.mp4", "libx264", "yuvj422p", "-qp", "0"], ["a.mkv", "libx264", "yuv422p10le", "-qp", "0"],
    ["a.mp4", "libx265", "yuv444p12le", "-x265-params", "lossless=1:log-level=0"],
    ["a.mkv", "libx265", "gbrp", "-x265-params", "lossless=1:log-level=0"],
    ["a.webm", "libvpx-vp9", "yuv440p", "-lossless", "1"],
    ["a.webm", "libvpx-vp9", "gbrp", "-lossless", "1"],
    ["a.webm", "libvpx-vp9", "yuva420p", "-lossless", "1"], ["a.mov", "prores_ks", "yuva444p10le"],
    ["a.mov", "png", "rgba"], ["a.mkv", "png", "rgb48be"], ["a.mov", "qtrle", "argb"],
    ["a.avi", "mjpeg", "yuvj444p", "-q:v", "1"], ["a.avi", "huffyuv", "bgra"], ["a.avi", "utvideo", "gbrp"],
    ["a.avi", "rawvideo", "bgr24"], ["a.nut", "rawvideo", "abgr"], ["a.nut", "rawvideo", "nv21"],
    ["a.mov", "v210", "yuv422p10le"], ["a.mov", "r210", "gbrp10le"],
    ["a.apng", "apng", "rgba"], ["a.webp", "libwebp", "bgra", "-lossless", "1", "-frames:v", "1"],
    ["a.tiff", "tiff", "rgb48le", "-frames:v", "1", "-update", "1"],
  ]

  @Test(arguments: codecs) func picturesOfCodecs(_ item: [String]) throws {
    try expectPatches(
      try make(item[0], ["-c:v", item[1], "-pix_fmt", item[2]] + Array(item.dropFirst(3))))
  }

  struct Tag: Sendable {
    var matrix: String
    var option: String
  }

  static let tags = [
    ("bt709", "bt709"), ("smpte170m", "bt601"), ("bt470bg", "bt601"), ("smpte240m", "smpte240m"),
    ("fcc", "fcc"), ("bt2020nc", "bt2020"),
  ].map { Tag(matrix: $0.0, option: $0.1) }

  /// In the coded stream, and in the container alone.
  @Test(arguments: tags, ["tv", "pc"]) func colourTags(tag: Tag, range: String) throws {
    let filter =
      "scale=out_color_matrix=\(tag.option):out_range=\(range):flags=accurate_rnd+full_chroma_int+full_chroma_inp,"
      + "format=yuv444p"
    let untagged = try make("untagged.mkv", ["-vf", filter, "-c:v", "libx264", "-qp", "0"])
    for (name, options) in [("a.mkv", []), ("a.mp4", ["-movflags", "+write_colr"])] as [(String, [String])] {
      let path = scratch.path(name)
      try Tool.run(
        "ffmpeg",
        [
          "-v", "error", "-nostdin", "-y", "-i", untagged, "-c", "copy", "-colorspace", tag.matrix,
          "-color_range", range, "-color_primaries", "bt709", "-color_trc", "bt709",
        ] + options + [path])
      try expectPatches(path)
    }
    let coded = try make(
      "coded.webm",
      ["-vf", filter, "-c:v", "libx265", "-x265-params", "lossless=1:log-level=0", "-f", "matroska"]
        + ["-colorspace", tag.matrix, "-color_range", range])
    try expectPatches(coded)
  }

  @Test(arguments: [
    ("mkv", "libx264"), ("mp4", "libx264"), ("mov", "libx264"), ("avi", "mpeg4"), ("webm", "libvpx"),
    ("ts", "libx264"), ("flv", "libx264"), ("mpg", "mpeg2video"), ("ogv", "libtheora"), ("asf", "msmpeg4"),
  ])
  func sampleAspectRatios(format: String, codec: String) throws {
    let path = scratch.path("sar.\(format)")
    try Tool.ffmpeg(
      "-f", "lavfi", "-i", "testsrc2=size=352x288:rate=25:duration=0.4,setsar=16/11", "-c:v", codec, path)
    let frame = try #require(try VideoReader(MediaInput(path)).nextFrame())
    #expect(frame.width == 512 && frame.height == 288 && frame.sampleAspectRatio == "16:11")
  }

  /// The name says one thing and the content another.
  @Test(
    arguments: ["mp4", "mkv", "ts", "avi", "mpg", "hevc", "h264", "webm", "png"],
    ["jpg", "png", "yuv", "txt", "MP4", "mp3"])
  func wrongExtensions(content: String, name: String) throws {
    let right = scratch.path("right.\(content)")
    let count = content == "png" ? 1 : 12
    try Tool.ffmpeg(
      "-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=1", "-frames:v", "\(count)", right)
    let wrong = scratch.path("wrong.\(name)")
    try FileManager.default.moveItem(atPath: right, toPath: wrong)
    let frames = try VideoReader(MediaInput(wrong)).allFrames()
    #expect(frames.count == count)
    #expect(frames.first?.width == 96)
  }

  @Test(arguments: [("h264", "libx264"), ("hevc", "libx265"), ("mjpeg", "mjpeg")])
  func sizesChangeAnyWay(format: String, codec: String) throws {
    let sizes = [("320x180", "1"), ("640x360", "1"), ("178x144", "12/11"), ("320x180", "1"), ("98x66", "1")]
    var bytes = Data()
    for (size, aspect) in sizes {
      let part = scratch.path("part.\(format)")
      try Tool.ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=size=\(size):rate=25:duration=0.4,setsar=\(aspect)", "-c:v", codec,
        "-pix_fmt", codec == "mjpeg" ? "yuvj420p" : "yuv420p", part)
      bytes += try Data(contentsOf: URL(fileURLWithPath: part))
    }
    let path = scratch.path("all.\(format)")
    try bytes.write(to: URL(fileURLWithPath: path))
    let content = try #require(try MediaProbe.run(MediaInput(path), decode: true).content)
    // A motion JPEG says nothing of its pixels' shape.
    let narrow = codec == "mjpeg" ? content.sizes.dropFirst(2).first?.width ?? 0 : 194
    #expect(content.sizes.map(\.width) == [320, 640, narrow, 320, 98])
    #expect(content.sizes.map(\.frames) == [10, 10, 10, 10, 10])
  }

  /// Recordings that end anywhere are read to where they end, or refused in one line.
  @Test(arguments: ["mkv", "avi", "ts", "mov", "flv", "webm", "mpg", "mp4"])
  func cutOff(format: String) throws {
    let whole = scratch.path("whole.\(format)")
    let options = format == "mp4" ? ["-movflags", "frag_keyframe+empty_moov"] : []
    try Tool.run(
      "ffmpeg",
      [
        "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25:duration=4", "-g",
        "10",
      ] + options + [whole])
    let bytes = try Data(contentsOf: URL(fileURLWithPath: whole))
    for share in [0.3, 0.6, 0.9] {
      let path = scratch.path("cut.\(format)")
      try bytes.prefix(Int(Double(bytes.count) * share)).write(to: URL(fileURLWithPath: path))
      do {
        let frames = try VideoReader(MediaInput(path)).allFrames()
        #expect(format != "mov")
        let wanted = 100 * share
        #expect((wanted * 0.6...wanted + 12).contains(Double(frames.count)), "\(frames.count) at \(share)")
      } catch let error as MediaError {
        #expect(format == "mov" && error.reason == .cutOff, "\(error)")
      }
    }
  }

  @Test func namesAreNames() throws {
    let clip = scratch.path("clip.mp4")
    try Tool.ffmpeg("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=5:duration=0.6", clip)
    let names = [
      " lead.mp4", "trail.mp4 ", "new\nline.mp4", "a:b.mp4", "http:x.mp4", "img_%03d.mp4", "100%.mp4", "%d",
      "*.mp4",
      "[a].mp4", "{1,2}.mp4", "pipe:.mp4", "concat:a|b.mp4", "data:x.mp4", "c:\\x.mp4", "UP.MP4",
      "\u{202E}txt.mp4",
      "e\u{301}.mp4", "-i.mp4", String(repeating: "x", count: 250) + ".mp4", "subfile,,start,0,end,9,,:a.mp4",
    ]
    for name in names {
      let path = scratch.path(name)
      try FileManager.default.copyItem(atPath: clip, toPath: path)
      let reader = try VideoReader(MediaInput(path))
      #expect(try reader.allFrames().count == 3, "\(name)")
      let isOneLine = !reader.description.input.contains { $0.isNewline }
      #expect(isOneLine)
    }
    try FileManager.default.createSymbolicLink(atPath: scratch.path("link"), withDestinationPath: "clip.mp4")
    #expect(try VideoReader(MediaInput(scratch.path("link"))).allFrames().count == 3)
    try FileManager.default.createSymbolicLink(
      atPath: scratch.path("dangling"), withDestinationPath: "nowhere")
    #expect(mediaError { _ = try VideoReader(MediaInput(scratch.path("dangling"))) }?.reason == .missing)
  }

  /// One and the same picture, whatever way the camera was held.
  @Test(arguments: 1...8) func photographsAreUpright(orientation: UInt8) throws {
    let turns = [
      "null", "hflip", "hflip,vflip", "vflip", "transpose=cclock_flip", "transpose=cclock",
      "transpose=clock_flip", "transpose=clock",
    ]
    let path = scratch.path("photo.jpg")
    // Stored as the camera does: turned the other way.
    try Tool.ffmpeg(
      "-i", try picture(), "-vf", turns[Int(orientation) - 1], "-pix_fmt", "yuvj444p", "-q:v", "1", "-update",
      "1",
      path)
    let tiff: [UInt8] = [
      0x4D, 0x4D, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0,
    ]
    let exif = Array("Exif".utf8) + [0, 0] + tiff
    let jpeg = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    try Data(jpeg[..<2] + [0xFF, 0xE1, 0, UInt8(exif.count + 2)] + exif + jpeg[2...]).write(
      to: URL(fileURLWithPath: path))
    try expectPatches(path)
  }
}
