import Foundation
import Testing

@testable import EyrieMedia

/// Transport streams whose video goes on under another packet identifier, or as another codec.
@Suite struct SpliceTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// A clip of two seconds that starts at a time of its own.
  private func part(
    _ name: String, codec: String = "libx264", size: String = "160x96", options: [String] = [],
    seconds: Int = 2
  ) throws -> Data {
    let path = scratch.path(name)
    try Tool.run(
      "ffmpeg",
      [
        "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i",
        "testsrc2=size=\(size):rate=25:duration=\(seconds)", "-c:v", codec, "-pix_fmt", "yuv420p", "-g", "25",
        "-bf", "0",
      ] + options + [path])
    return try Data(contentsOf: URL(fileURLWithPath: path))
  }

  private func write(_ parts: [Data], to name: String = "spliced.ts") throws -> String {
    let path = scratch.path(name)
    try parts.reduce(Data(), +).write(to: URL(fileURLWithPath: path))
    return path
  }

  private func expectGoesOn(_ frames: [VideoFrame]) {
    #expect(frames.map(\.index) == Array(0..<frames.count))
    for (frame, next) in zip(frames, frames.dropFirst()) {
      let step = next.ptsNanoseconds - frame.ptsNanoseconds
      #expect((35_000_000...200_000_000).contains(step), "\(step)")
    }
  }

  @Test(arguments: ["libx264", "libx265", "mpeg2video"])
  func anotherIdentifier(codec: String) throws {
    let path = try write([
      try part("a.ts"),
      try part("b.ts", codec: codec, size: "320x180", options: ["-mpegts_start_pid", "0x200"]),
      try part("c.ts", options: ["-mpegts_start_pid", "0x300"]),
    ])
    let reader = try VideoReader(MediaInput(path))
    #expect(reader.description.video.codec == "h264")
    let frames = try reader.allFrames()
    // The last pictures of a part are complete only where their stream goes on.
    #expect((145...150).contains(frames.count))
    expectGoesOn(frames)
    let name = codec.replacingOccurrences(of: "libx", with: "").replacingOccurrences(of: "265", with: "hevc")
    let runs = frames.map(\.format).reduce(into: [VideoFormat]()) { if $0.last != $1 { $0.append($1) } }
    #expect(runs.map(\.width) == [160, 320, 160])
    #expect(runs.map(\.codec) == ["h264", name == "264" ? "h264" : name, "h264"])
    #expect(reader.description.video.width == 160)
    #expect(reader.warnings.contains(MediaWarning(kind: .streamChanged, count: 2)))
    // Each part from its first picture.
    #expect(frames.filter(\.isKeyframe).count == 6)
  }

  @Test(arguments: [
    ("libx264", "libx265"), ("libx265", "libx264"), ("libx264", "mpeg2video"),
  ])
  func anotherCodecUnderTheSameIdentifier(first: String, second: String) throws {
    let path = try write([
      try part("a.ts", codec: first, seconds: 4),
      try part("b.ts", codec: second, size: "320x180", seconds: 4),
    ])
    let reader = try VideoReader(MediaInput(path))
    let frames = try reader.allFrames()
    #expect((197...200).contains(frames.count), "\(frames.count)")
    #expect(frames.filter { $0.width == 320 }.count >= 98)
    expectGoesOn(frames)
    #expect(Set(frames.map(\.format.codec)).count == 2)
    #expect(reader.warnings.contains(MediaWarning(kind: .streamChanged, count: 1)))
  }

  /// Two programmes side by side are not one after the other, however long the other one lasts.
  @Test func programmesAreNeverMixed() throws {
    for (first, second) in [(2, 6), (6, 2)] {
      let path = scratch.path("two.ts")
      try Tool.ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25:duration=\(first)", "-f", "lavfi", "-i",
        "testsrc2=size=96x64:rate=25:duration=\(second)", "-map", "0", "-map", "1", "-c:v", "libx264", "-bf",
        "0",
        path)
      let reader = try VideoReader(MediaInput(path))
      let frames = try reader.allFrames()
      #expect(Set(frames.map(\.width)).count == 1)
      #expect(!reader.warnings.contains { $0.kind == .streamChanged })
    }
  }

  /// What follows within one stream is seen in the frames, and in the description.
  @Test func pixelFormatsMayChange() throws {
    let path = try write([
      try part("a.ts"), try part("b.ts", options: ["-pix_fmt", "yuv444p"]),
      try part("c.ts", options: ["-pix_fmt", "yuv420p10le"]),
      try part("d.ts", options: ["-pix_fmt", "yuvj420p", "-color_range", "pc"]),
    ])
    let reader = try VideoReader(MediaInput(path))
    let scaler = FrameScaler()
    var formats: [VideoFormat] = []
    while let frame = try reader.nextFrame() {
      if formats.last != frame.format {
        formats.append(frame.format)
        #expect(reader.description.video.pixelFormat == frame.format.pixelFormat)
      }
      _ = try scaler.rgb(frame, width: 64, height: 36)
    }
    #expect(formats.map(\.pixelFormat) == ["yuv420p", "yuv444p", "yuv420p10le", "yuvj420p"])
    #expect(formats.map(\.isFullRange) == [false, false, false, true])
  }

  /// As a live stream has it: the new stream does not exist yet when the old one is opened.
  @Test(.timeLimit(.minutes(5)), arguments: ["libx264", "libx265"])
  func aStreamThatBeginsLater(codec: String) throws {
    let first = try part("a.ts", seconds: 12)
    let second = try part("b.ts", codec: codec, size: "320x180", options: ["-mpegts_start_pid", "0x200"])
    let path = scratch.path("pipe.ts")
    try #require(mkfifo(path, 0o600) == 0)
    let isReading = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      guard let pipe = FileHandle(forWritingAtPath: path) else { return }
      try? pipe.write(contentsOf: first)
      isReading.wait()
      try? pipe.write(contentsOf: second)
      try? pipe.close()
    }
    let reader = try VideoReader(MediaInput(path))
    isReading.signal()
    #expect(reader.description.video.width == 160)
    let frames = try reader.allFrames()
    #expect((346...350).contains(frames.count), "\(frames.count)")
    #expect(frames.filter { $0.width == 320 }.count >= 48)
    #expect(frames.last?.format.codec == (codec == "libx265" ? "hevc" : "h264"))
    expectGoesOn(frames)
    #expect(reader.description.video.width == 320)
  }
}
