import Foundation
import Testing

@testable import EyrieMedia

@Suite struct MediaInputTests {
  @Test(arguments: [
    ("rtsp://user:pass@cam/stream", "rtsp://***@cam/stream"),
    ("rtsp://us@er:p@ss:/?#w@cam:554/s", "rtsp://***@cam:554/s"),
    ("rtsp://admin:p/a@ss@10.0.0.1/live", "rtsp://***@10.0.0.1/live"),
    ("RTSP://admin:secret@cam/s", "RTSP://***@cam/s"),
    ("http://cam/v.m3u8?token=abc&x=1&Password=q", "http://cam/v.m3u8?token=***&x=1&Password=***"),
    (
      "http://cam/v.mp4?codec=h264&X-Amz-Signature=f00#t", "http://cam/v.mp4?codec=h264&X-Amz-Signature=***#t"
    ),
    (
      "rtsp://10.0.0.1/user=admin_password=tlJ_x_channel=1_stream=0.sdp",
      "rtsp://10.0.0.1/user=***_password=***_channel=1_stream=0.sdp"
    ),
    ("rtsp:user:pass@cam", "rtsp:***@cam"),
    ("admin:secret@cam/live", "***@cam/live"),
    ("udp://@239.0.0.1:1234", "udp://***@239.0.0.1:1234"),
    ("clip with space (1).mp4", "clip with space (1).mp4"),
    ("a#b?c=1&d@e.mp4", "a#b?c=1&d@e.mp4"),
    ("two\nlines\u{202e}.mp4", "two\\u{a}lines\\u{202e}.mp4"),
  ])
  func description(argument: String, redacted: String) {
    #expect(MediaInput(argument).description == redacted)
  }

  @Test func errorsDoNotTellSecrets() throws {
    for url in [
      "foo://user:hunter2@host/x", "rtsp://user:hunter2@[bad/x", "rtsp://user:hunter2@127.0.0.1:9/x",
    ] {
      let error = try #require(mediaError { _ = try VideoReader(MediaInput(url)) })
      #expect(!error.description.contains("hunter2"))
      #expect(!String(reflecting: error).contains("hunter2"))
    }
  }

  @Test(arguments: [
    ("rtsp://user:pass@cam:554/live/1", "cam/live/1"), ("rtsp://gate:8554/live", "gate:8554/live"),
    ("http://[::1]:8080/a.m3u8", "[::1]:8080/a.m3u8"), ("udp://@:5000", ":5000"),
    ("rtsp://10.0.0.1/user=admin_password=tlJ_channel=1.sdp", "10.0.0.1/user=***_password=***_channel=1.sdp"),
  ])
  func shortNamesDoNotTellSecrets(argument: String, name: String) {
    #expect(MediaInput(argument).shortName == name)
  }

  @Test func locations() throws {
    let scratch = try Scratch()
    let odd = scratch.path("100%d rtsp: #1?.mp4")
    try Data("x".utf8).write(to: URL(fileURLWithPath: odd))
    #expect(MediaInput(odd).locate() == .file(odd))
    #expect(MediaInput("file://\(odd)").locate() == .file(odd))
    #expect(MediaInput("-dash.mp4").locate() == .file("-dash.mp4"))
    #expect(MediaInput("rtsp://cam/s").locate() == .url("rtsp://cam/s"))
    #expect(MediaInput("concat:a.ts|b.ts").locate() == .file("concat:a.ts|b.ts"))
    #expect(MediaInput("gopher://x").locate() == .unknownScheme("gopher"))
    #expect(MediaInput("dir/img_%03d.png").locate() == .imageSequence("dir/img_%03d.png"))
    #expect(MediaInput("50%off.mp4").locate() == .file("50%off.mp4"))
    #expect(MediaInput("").locate() == .file(""))
  }

  @Test func imageSequencesBeginAnywhere() throws {
    let scratch = try Scratch()
    let folder = scratch.url.appendingPathComponent("100%d")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for number in ["0041", "0042", "0043", "7", "0005x"] {
      try Tool.ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=size=32x32:rate=1:duration=1", "-frames:v", "1", "-update", "1",
        folder.appendingPathComponent("a_\(number).png").path)
    }
    let pattern = folder.appendingPathComponent("a_%04d.png").path
    let frames = try VideoReader(MediaInput(pattern)).allFrames()
    #expect(frames.map(\.ptsNanoseconds) == [0, 40_000_000, 80_000_000])
    let missing = folder.appendingPathComponent("b_%04d.png").path
    #expect(mediaError { _ = try VideoReader(MediaInput(missing)) }?.reason == .missing)
  }

  /// The names that make FFmpeg think of patterns, options and protocols.
  @Test(arguments: [
    "a%03d.png", "b*.png", "c?.png", "d{1,2}.png", "-e.png", "http:f.png", "file:g.png", "h,i|j.png",
    "ü カ.png",
    "noextension",
  ])
  func namesAreOnlyNames(name: String) throws {
    let scratch = try Scratch()
    let plain = scratch.path("plain.png")
    try Tool.ffmpeg(
      "-f", "lavfi", "-i", "testsrc2=size=32x16:rate=1:duration=1", "-frames:v", "1", "-update", "1", plain)
    let path = scratch.path(name)
    try FileManager.default.moveItem(atPath: plain, toPath: path)
    let frames = try VideoReader(MediaInput(path)).allFrames()
    #expect(frames.count == 1 && frames.first?.width == 32)
  }
}
