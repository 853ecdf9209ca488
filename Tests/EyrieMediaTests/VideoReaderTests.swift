import Foundation
import Testing

@testable import EyrieMedia

@Suite struct VideoReaderTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func make(_ name: String, _ arguments: String..., source: String = "") throws -> String {
    let path = scratch.path(name)
    let source = source.isEmpty ? "testsrc2=size=160x90:rate=25:duration=2" : source
    try Tool.run(
      "ffmpeg", ["-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", source] + arguments + [path])
    return path
  }

  private func milliseconds(_ frames: [VideoFrame]) -> [Int64] {
    frames.map { ($0.ptsNanoseconds + 500_000) / 1_000_000 }
  }

  @Test(arguments: ["mp4", "mkv", "ts", "avi", "flv", "mov", "h264", "webm", "ogv", "mpg", "wmv"])
  func everyFrameInOrder(format: String) throws {
    let path =
      format == "h264" || format == "ts"
      ? try make("a.\(format)", "-c:v", "libx264", "-bf", "8", "-x264-params", "b-pyramid=strict:b-adapt=0")
      : try make("a.\(format)")
    let reader = try VideoReader(MediaInput(path))
    let frames = try reader.allFrames()
    #expect(frames.count == (try Tool.countFrames(path)))
    #expect(frames.count == 50)
    #expect(frames.map(\.index) == Array(0..<50))
    // 40 ms apart, give or take the rounding of the container.
    for (frame, next) in zip(frames, frames.dropFirst()) {
      #expect((35_000_000...45_000_000).contains(next.ptsNanoseconds - frame.ptsNanoseconds))
      #expect(next.arrival >= frame.arrival)
      #expect(next.capturedAt >= frame.capturedAt)
    }
    #expect(frames[0].isKeyframe)
    #expect(frames.filter(\.isCorrupt).isEmpty)
    #expect(try reader.nextFrame() == nil)
    #expect(reader.description.video.hasTimestamps == (format != "h264"))
  }

  @Test(arguments: [1, 2, 5])
  func decoderThreadsChangeNothing(threads: Int) throws {
    let path = try make("a.mp4", "-c:v", "libx264", "-bf", "3", "-g", "12")
    let reader = try VideoReader(MediaInput(path), options: .init(decoderThreads: threads))
    let frames = try reader.allFrames()
    #expect(milliseconds(frames) == (0..<50).map { $0 * 40 })
    let scaler = FrameScaler()
    let wanted = try Tool.rgb(path, filter: "scale=80:45:flags=bilinear")
    var found: [UInt8] = []
    for frame in frames { found += try scaler.rgb(frame, width: 80, height: 45) }
    #expect(found == wanted)
  }

  @Test func variableFrameRateAndLateStart() throws {
    let path = try make(
      "vfr.mkv", "-vf", "select='not(mod(n,7))+eq(n,3)',setpts=PTS+5/TB", "-vsync", "passthrough", "-c:v",
      "libx264")
    let frames = try VideoReader(MediaInput(path)).allFrames()
    #expect(milliseconds(frames) == [0, 120, 280, 560, 840, 1120, 1400, 1680, 1960].map { $0 + 5000 })
  }

  @Test func loopsGoOnInTime() throws {
    for format in ["mp4", "ts", "h264", "gif"] {
      let path = try make("loop.\(format)", "-bf", "0", source: "testsrc2=size=96x64:rate=10:duration=0.5")
      let reader = try VideoReader(MediaInput(path))
      var frames = try reader.allFrames()
      let start = milliseconds(frames)[0]
      for _ in 0..<2 {
        try reader.rewind()
        frames += try reader.allFrames()
      }
      #expect(milliseconds(frames) == (0..<15).map { start + $0 * 100 }, "\(format)")
      #expect(frames.map(\.index) == Array(0..<15))
      // Also from the middle.
      try reader.rewind()
      _ = try reader.nextFrame()
      try reader.rewind()
      let frame = try #require(try reader.nextFrame())
      #expect(frame.index == 16 && milliseconds([frame]) == [start + 1600])
    }
  }

  @Test func theVideoIsChosen() throws {
    let cover = try make("cover.png", "-frames:v", "1", "-update", "1")
    let video = try make("video.mp4", "-c:v", "libx264")
    let audio = scratch.path("audio.m4a")
    try Tool.ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", audio)
    let second = scratch.path("second.mkv")
    try Tool.ffmpeg(
      "-i", audio, "-i", video, "-f", "lavfi", "-i", "testsrc2=size=96x64:rate=5:duration=2", "-map", "0",
      "-map",
      "1:v", "-map", "2:v", "-c:v", "libx264", "-disposition:v:0", "0", "-disposition:v:1", "default", second)
    let description = try VideoReader(MediaInput(second)).description
    #expect(description.video.streamIndex == 2 && description.video.width == 96)

    let covered = scratch.path("covered.mp4")
    try Tool.ffmpeg(
      "-i", cover, "-i", video, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic",
      covered)
    #expect(try VideoReader(MediaInput(covered)).allFrames().count == 50)

    let song = scratch.path("song.m4a")
    try Tool.ffmpeg(
      "-i", audio, "-i", cover, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic",
      song)
    for path in [song, audio] {
      let error = mediaError { _ = try VideoReader(MediaInput(path)) }
      #expect(error?.reason == .noVideo)
    }
  }

  @Test(arguments: ["ts", "flv", "mkv"])
  func videoThatStartsLongAfterTheSound(format: String) throws {
    let path = scratch.path("late.\(format)")
    try Tool.ffmpeg(
      "-f", "lavfi", "-i", "sine=duration=25", "-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=1",
      "-filter_complex", "[1:v]setpts=PTS+20/TB[v]", "-map", "0:a", "-map", "[v]", "-c:v", "libx264", "-c:a",
      "aac",
      path)
    let reader = try VideoReader(MediaInput(path))
    #expect(reader.description.video.width == 96)
    #expect((reader.description.video.frameRate ?? 0) < 1000)
    #expect(try reader.allFrames().count == 25)
  }

  @Test func sizesMayChange() throws {
    let small = try make("small.ts", "-c:v", "libx264", "-bf", "0")
    let large = try make(
      "large.ts", "-c:v", "libx264", "-bf", "0", source: "testsrc2=size=320x240:rate=25:duration=1,setsar=2")
    let both = scratch.path("both.ts")
    var bytes = try Data(contentsOf: URL(fileURLWithPath: small))
    bytes.append(try Data(contentsOf: URL(fileURLWithPath: large)))
    try bytes.write(to: URL(fileURLWithPath: both))
    let content = try #require(try MediaProbe.run(MediaInput(both), decode: true).content)
    #expect(
      content.sizes == [
        .init(width: 160, height: 90, frames: 50), .init(width: 640, height: 240, frames: 25),
      ])
    #expect(content.frames == 75)
    #expect(content.warnings.contains { $0.kind == .timestampDiscontinuity })
    let scaler = FrameScaler()
    var last: Int64 = .min
    for frame in try VideoReader(MediaInput(both)).allFrames() {
      #expect(frame.ptsNanoseconds > last)
      last = frame.ptsNanoseconds
      _ = try scaler.rgb(frame, width: 64, height: 36)
    }
  }

  @Test func probeWritesTheWholeDescription() throws {
    let path = try make("still.png", "-frames:v", "1", "-update", "1")
    let description = try MediaProbe.run(MediaInput(path), decode: false)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let json = String(decoding: try encoder.encode(description), as: UTF8.self)
    let video =
      #"{"codec":"png","coded_height":90,"coded_width":160,"duration_s":null,"frame_rate":25,"#
      + #""has_timestamps":false,"height":90,"mirrored":false,"pixel_format":"rgb24","rotation":0,"#
      + #""sample_aspect_ratio":"1:1","stream_index":0,"width":160}"#
    #expect(json == #"{"format":"png_pipe","input":"\#(path)","video":\#(video)}"#)
    #expect(try JSONDecoder().decode(MediaDescription.self, from: Data(json.utf8)) == description)

    let decoded = try MediaProbe.run(MediaInput(path), decode: true)
    let copy = try JSONDecoder().decode(MediaDescription.self, from: try encoder.encode(decoded))
    #expect(copy == decoded && copy.content?.frames == 1 && copy.content?.lastSeconds == 0)
  }

  /// FFV1 keeps every sample; the patches tell a wrong matrix or range apart.
  @Test(arguments: [
    ("bt709", "tv"), ("bt709", "pc"), ("smpte170m", "tv"), ("smpte170m", "pc"), ("bt2020nc", "tv"),
  ])
  func coloursAsTheStreamSays(matrix: String, range: String) throws {
    let path = try make(
      "colour.mkv", "-vf",
      "scale=out_color_matrix=\(matrix == "smpte170m" ? "bt601" : matrix == "bt2020nc" ? "bt2020" : matrix):out_range=\(range),format=yuv444p",
      "-c:v", "ffv1", "-colorspace", matrix, "-color_range", range,
      source: "color=0xEB4034:size=64x64:rate=5:duration=0.2,format=rgb24")
    let reader = try VideoReader(MediaInput(path))
    let frame = try #require(try reader.nextFrame())
    let pixels = try FrameScaler().rgb(frame)
    for (found, wanted) in zip(pixels.prefix(3), [0xEB, 0x40, 0x34]) {
      #expect(abs(Int(found) - wanted) <= 3, "\(pixels.prefix(3))")
    }
  }

  @Test(.enabled(if: Shared.isPresent, "the shared corpus is not beside the package"))
  func colourPatches() throws {
    struct Patches: Decodable {
      struct Patch: Decodable {
        let center: [Int]
        let rgb: [Int]
      }
      let patches: [Patch]
    }
    let text = try Data(contentsOf: Shared.corpus.appendingPathComponent("expected/patches.json"))
    let patches = try JSONDecoder().decode(Patches.self, from: text).patches
    for file in ["color_bt601_full.mp4", "color_bt709_limited.mp4"] {
      let reader = try VideoReader(MediaInput(Shared.corpus.appendingPathComponent("files/\(file)").path))
      let frame = try #require(try reader.nextFrame())
      let pixels = try FrameScaler().rgb(frame)
      for patch in patches {
        let start = (patch.center[1] * frame.width + patch.center[0]) * 3
        for channel in 0..<3 { #expect(abs(Int(pixels[start + channel]) - patch.rgb[channel]) <= 6) }
      }
    }
  }
}
