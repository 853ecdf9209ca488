import Foundation
import Testing

@testable import EyrieMedia

@Suite struct FrozenPictureTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// How many seconds before its last frame a clip's picture changed for the last time, by its own clock.
  private func stillSeconds(_ path: String) throws -> Double {
    var watch = FrozenPictureWatch()
    let start = ContinuousClock.now
    var still = Duration.zero
    let reader = try VideoReader(MediaInput(path))
    while let frame = try reader.nextFrame() {
      still = watch.observe(frame, at: start + .nanoseconds(frame.ptsNanoseconds))
    }
    return still / .seconds(1)
  }

  /// A picture with much detail, as a source that repeats it.
  private func still(_ size: String) throws -> [String] {
    let path = scratch.path("still.png")
    try Tool.ffmpeg(
      "-f", "lavfi", "-i", "testsrc2=size=\(size):rate=1,noise=alls=6", "-frames:v", "1", "-update", "1",
      path)
    return ["-loop", "1", "-framerate", "25", "-i", path]
  }

  private func make(_ name: String, _ source: [String], _ arguments: [String]) throws -> String {
    let path = scratch.path(name)
    try Tool.run("ffmpeg", ["-v", "error", "-nostdin", "-y"] + source + ["-t", "4"] + arguments + [path])
    return path
  }

  static let encoders: [[String]] = [
    ["a.mp4", "-c:v", "libx264", "-preset", "veryfast", "-g", "25", "-crf", "18"],
    ["a.mp4", "-c:v", "libx264", "-preset", "veryfast", "-g", "25", "-crf", "34"],
    ["a.ts", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-b:v", "600k"],
    ["a.ts", "-c:v", "mpeg2video", "-g", "12", "-b:v", "1M"], ["a.avi", "-c:v", "mpeg4", "-q:v", "8"],
    ["a.mkv", "-c:v", "libx264", "-pix_fmt", "yuv420p10le", "-g", "25", "-crf", "30"],
    ["a.mkv", "-c:v", "libx264rgb", "-pix_fmt", "rgb24", "-g", "25", "-crf", "30"],
    ["a.avi", "-c:v", "mjpeg"], ["a.mkv", "-c:v", "libx264", "-pix_fmt", "gray", "-g", "25", "-crf", "30"],
  ]

  @Test(arguments: encoders, ["320x180", "640x360"])
  func aPictureEncodedAgainAndAgainIsStill(encoder: [String], size: String) throws {
    let path = try make(encoder[0], try still(size), Array(encoder.dropFirst()))
    // Encoders need a group of pictures or two to settle.
    #expect(try stillSeconds(path) > 1.9)
  }

  static let changes = [
    // A square of 1/13 of the height that moves by a pixel a frame, and little contrast.
    "drawbox=x=20+n:y=80:w=24:h=24:color=gray:t=fill", "drawbox=x=20+n/4:y=80:w=24:h=24:color=gray:t=fill",
    // Light that fades by one level in two frames; a flicker.
    "eq=brightness='-n/500':eval=frame", "eq=brightness='0.1*mod(floor(n/10),2)':eval=frame",
    // Sensor noise.
    "noise=alls=40:allf=t",
    "hue=h=0,negate=enable='gt(t,3.9)'",
  ]

  @Test(arguments: changes, ["yuv420p", "yuv420p10le"])
  func whatMovesIsNotStill(filter: String, format: String) throws {
    var filter = filter
    if filter.hasPrefix("drawbox") {
      // `drawbox` does not know the frame's number; `overlay` does.
      let x = filter.contains("n/4") ? "20+n/4" : "20+n"
      filter = "null[a];color=gray:size=24x24:rate=25[b];[a][b]overlay=x=\(x):y=80:shortest=1"
    }
    let path = try make(
      "a.mkv", try still("320x180"),
      [
        "-filter_complex", "[0]\(filter),format=\(format)", "-c:v", "libx264", "-preset", "veryfast", "-crf",
        "28",
      ])
    #expect(try stillSeconds(path) < 1)
  }

  @Test(arguments: [
    "gray10le", "gray16be", "yuv444p12le", "gbrp", "gbrp10le", "rgb24", "bgra", "rgb48be", "yuyv422",
    "uyvy422",
    "nv12", "monow", "rgb555le", "pal8", "ya8",
  ])
  func everyKindOfPictureIsSeen(format: String) throws {
    let picture = try still("176x144")
    for (filter, isStill) in [("null", true), ("negate=enable='gt(t,3.5)'", false)] {
      let path = try make(
        "a.nut", picture, ["-vf", "format=rgb24,\(filter),format=\(format)", "-r", "5", "-c:v", "rawvideo"])
      let seconds = try stillSeconds(path)
      #expect(isStill ? seconds > 3.5 : seconds < 1, "\(filter): \(seconds)")
    }
  }

  @Test func sizesAndClocksThatJumpDoNoHarm() throws {
    var watch = FrozenPictureWatch()
    let start = ContinuousClock.now
    for (index, size) in ["64x64", "2x2", "16x2", "64x64"].enumerated() {
      let path = scratch.path("\(size).mkv")
      try Tool.ffmpeg("-f", "lavfi", "-i", "color=red:size=\(size):rate=5:duration=0.6", "-c:v", "ffv1", path)
      let reader = try VideoReader(MediaInput(path))
      let first = try #require(try reader.nextFrame())
      #expect(watch.observe(first, at: start) == .zero, "\(index)")
      let second = try #require(try reader.nextFrame())
      #expect(watch.observe(second, at: start + .seconds(2)) == .seconds(2))
      #expect(watch.observe(second, at: start - .seconds(2)) == .zero)
    }
  }
}
