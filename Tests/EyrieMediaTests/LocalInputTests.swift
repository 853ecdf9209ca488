import CFFmpeg
import Foundation
import Testing

@testable import EyrieMedia

/// Cameras of this machine and generated pictures.
@Suite struct LocalInputTests {
  @Test("a test pattern has the size and rate it is asked for, and moves in each frame")
  func pattern() throws {
    let reader = try VideoReader(MediaInput("testsrc:320x180@50"))
    #expect(reader.description.video.width == 320 && reader.description.video.height == 180)
    #expect(reader.description.video.frameRate == 50)
    var previous: [UInt8] = []
    let scaler = FrameScaler()
    for index in 0..<200 {
      let frame = try #require(try reader.nextFrame())
      #expect(frame.index == index && frame.ptsNanoseconds == Int64(index) * 20_000_000 && !frame.isCorrupt)
      let pixels = try scaler.rgb(frame, width: 64, height: 36)
      #expect(pixels != previous)
      previous = pixels
      guard index == 0 else { continue }
      // White, yellow, cyan, green, magenta, red, blue, black, at 75 %.
      let bars: [[Int]] = [
        [191, 191, 191], [191, 191, 0], [0, 191, 191], [0, 191, 0], [191, 0, 191], [191, 0, 0], [0, 0, 191],
        [0, 0, 0],
      ]
      for (bar, colour) in bars.enumerated() {
        let start = (4 * 64 + bar * 8 + 4) * 3
        for channel in 0..<3 {
          #expect(abs(Int(pixels[start + channel]) - colour[channel]) <= 4, "bar \(bar)")
        }
      }
    }
    try reader.rewind()
    #expect(try reader.nextFrame()?.index == 200)
    #expect(reader.warnings.isEmpty)
  }

  @Test("names of patterns")
  func patternNames() throws {
    #expect(MediaInput("testsrc").locate() == .testPattern("testsrc"))
    #expect(MediaInput("testsrc2.mp4").locate() == .file("testsrc2.mp4"))
    #expect(!MediaInput("testsrc").isLive && !MediaInput("testsrc").isRemote)
    #expect(MediaInput("testsrc:64x48").shortName == "testsrc")
    let plain = try #require(TestPattern("testsrc"))
    #expect(plain.width == 1280 && plain.height == 720 && plain.rate == (25, 1))
    #expect(TestPattern("testsrc@29.97")?.rate ?? (0, 0) == (29970, 1000))
    #expect(TestPattern("testsrc:17x33@30000/1001")?.rate ?? (0, 0) == (30000, 1001))
    #expect(TestPattern("testsrc@0.5")?.rate ?? (0, 0) == (500, 1000))
    for name in [
      "testsrc:", "testsrc@", "testsrc:0x0", "testsrc:9999x9999", "testsrc:64", "testsrc:64x48x3",
      "testsrc@0",
      "testsrc@-1", "testsrc@nan", "testsrc@inf", "testsrc@1/0", "testsrc@9223372036854775807/1",
      "testsrc:99999999999999999999x64", "testsrc:64x48@25@25",
    ] {
      let error = mediaError { _ = try VideoReader(MediaInput(name)) }
      #expect(error?.reason == .unsupportedURL && error?.recovery == .never, "\(name): \(error as Any)")
    }
    let odd = try VideoReader(MediaInput("testsrc:17x33@30000/1001"))
    #expect(try odd.nextFrame()?.width == 17)
  }

  @Test("endless pictures are interrupted, and left out like others")
  func patternOptions() throws {
    var options = VideoReader.Options()
    options.maxFPS = 5
    let interrupt = MediaInterrupt()
    let reader = try VideoReader(MediaInput("testsrc:64x48"), options: options, interrupt: interrupt)
    #expect(try (0..<4).compactMap { _ in try reader.nextFrame()?.index } == [0, 3, 8, 13])
    interrupt.fire()
    #expect(mediaError { _ = try reader.nextFrame() }?.reason == .interrupted)
  }

  @Test("cameras that are none say so in one line")
  func cameras() throws {
    let scratch = try Scratch()
    let file = scratch.path("file")
    try Data([1]).write(to: URL(fileURLWithPath: file))
    for (name, reason) in [
      ("/dev/video987", MediaError.Reason.missing), ("v4l2:/dev/video987?size=640x480", .missing),
      ("v4l2:/dev/null", .noVideo), ("v4l2:\(file)", .noVideo), ("v4l2:", .unsupportedURL),
      ("v4l2:/dev/video0?size", .unsupportedURL), ("v4l2:/dev/video0?colour=1", .unsupportedURL),
      ("v4l2:/dev/video0?rate=1&rate=2", .unsupportedURL), ("v4l2:/dev/video0?size=a;b", .unsupportedURL),
    ] {
      let error = try #require(mediaError { _ = try VideoReader(MediaInput(name)) })
      #expect(error.reason == reason, "\(error)")
      #expect(error.description.hasPrefix(name + ": ") && !error.description.contains("\n"))
    }
    let camera = MediaInput("v4l2:/dev/video3?size=1280x720&rate=30&format=mjpeg")
    #expect(camera.isLive && !camera.isRemote && camera.shortName == "video3")
    #expect(
      VideoDevice(camera.argument)?.options
        == ["video_size": "1280x720", "framerate": "30", "input_format": "mjpeg"])
    #expect(MediaInput("/dev/video0").locate() == .device("/dev/video0"))
    for (code, reason) in [(EBUSY, MediaError.Reason.busy), (EACCES, .permissionDenied), (ENODEV, .missing)] {
      #expect(VideoDevice.error(code, input: "x").reason == reason)
    }
  }

  @Test(
    "FFmpeg's reader of cameras is found",
    .enabled(
      if: FileManager.default.fileExists(
        atPath: "/usr/lib/x86_64-linux-gnu/libavdevice.so.59"), "needs libavdevice where Debian 12 has it"))
  func deviceLibrary() throws {
    #expect(String(cString: try VideoDevice.format(input: "x").pointee.name) == "video4linux2,v4l2")
  }
}
