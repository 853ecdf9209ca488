import Foundation
import Testing

@testable import EyrieMedia

@Suite(.enabled(if: Shared.isPresent, "the shared corpus is not beside the package"))
struct CorpusTests {
  @Test func corpusIsRead() {
    let count = CorpusCase.all.count
    #expect(count > 60)
  }

  @Test(arguments: CorpusCase.all.filter { !$0.mustFail })
  func probe(_ item: CorpusCase) throws {
    let description = try MediaProbe.run(MediaInput(item.path), decode: true)
    let content = try #require(description.content)
    let frames = item.checks["frames"] ?? ""
    let bounds = frames.components(separatedBy: "..").compactMap { Int($0) }
    let lowest = try #require(bounds.first)
    let highest = try #require(bounds.last)
    #expect((lowest...highest).contains(content.frames))
    if let display = item.checks["display"] {
      #expect(display == content.sizes.first.map { "\($0.width)x\($0.height)" })
      #expect(display == "\(description.video.width ?? 0)x\(description.video.height ?? 0)")
    }
    if let sizes = item.checks["sizes"] {
      #expect(sizes == content.sizes.map { "\($0.width)x\($0.height)*\($0.frames)" }.joined(separator: "+"))
    }
    if let stream = item.checks["stream"] { #expect(Int(stream) == description.video.streamIndex) }
    try expect(content.firstSeconds, item.checks["first_pts"])
    try expect(content.lastSeconds, item.checks["last_pts"])
  }

  private func expect(_ seconds: Double?, _ check: String?) throws {
    guard let check else { return }
    let wanted = try #require(Double(check))
    let found = try #require(seconds)
    #expect(abs(found - wanted) < 0.001, "\(found) instead of \(wanted)")
  }

  @Test(arguments: CorpusCase.all.filter(\.mustFail))
  func failure(_ item: CorpusCase) throws {
    for decode in [false, true] {
      let error = try #require(
        mediaError { _ = try MediaProbe.run(MediaInput(item.path), decode: decode) }, "no error")
      let isOneLine = !error.description.contains { $0.isNewline }
      #expect(isOneLine)
      #expect(error.description.hasPrefix(item.path))
    }
  }

  @Test(arguments: CorpusCase.all.filter { !$0.mustFail })
  func frames(_ item: CorpusCase) throws {
    let reader = try VideoReader(MediaInput(item.path))
    let scaler = FrameScaler()
    var last: Int64?
    while let frame = try reader.nextFrame() {
      if let last { #expect(frame.ptsNanoseconds > last) }
      last = frame.ptsNanoseconds
      if frame.index > 0 { continue }
      // Only an edit list may begin between keyframes: the decoder has seen what is hidden.
      #expect(frame.isKeyframe || item.id == "T10")
      let reference = Shared.corpus.appendingPathComponent("ref/\(item.id).png").path
      guard FileManager.default.fileExists(atPath: reference) else { continue }
      let still = try VideoReader(MediaInput(reference))
      let wanted = try #require(try still.nextFrame())
      // As a debug build scales, and as a release build does.
      for convertsColours in [false, true] {
        scaler.convertsColours = convertsColours
        let difference = meanDifference(
          try scaler.rgb(frame, width: wanted.width, height: wanted.height), try FrameScaler().rgb(wanted))
        #expect(difference <= 6)
      }
    }
  }

  private func pictures(_ file: String) throws -> [(seconds: Double, isCorrupt: Bool, rgb: [UInt8])] {
    let scaler = FrameScaler()
    let path = Shared.corpus.appendingPathComponent("files/\(file)").path
    return try VideoReader(MediaInput(path)).allFrames().map {
      (Double($0.streamNanoseconds) / 1e9, $0.isCorrupt, try scaler.rgb($0))
    }
  }

  @Test(arguments: ["h264_gray.mp4", "hevc_gray.mp4"]) func grayHasNoColour(file: String) throws {
    for picture in try pictures(file) {
      let rgb = picture.rgb
      let isGray = stride(from: 0, to: rgb.count, by: 3).allSatisfy { start in
        Set(rgb[start..<(start + 3)]).count == 1
      }
      #expect(isGray)
    }
  }

  /// Entered between keyframes: the pictures from the first keyframe on, and nothing grey before it.
  @Test func tuneInIsClean() throws {
    let clean = try pictures("start_3600s.mkv")
    let late = try pictures("midgop_start.ts")
    #expect(late.count == 26)
    for (picture, original) in zip(late, clean.suffix(26)) {
      #expect(picture.rgb == original.rgb)
      #expect(!picture.isCorrupt)
    }
  }

  /// A destroyed stretch: what is shown is right or marked, and all is right from the next keyframe on.
  @Test func destroyedClusterIsLeft() throws {
    let clean = try pictures("start_3600s.mkv")
    let damaged = try pictures("corrupt_cluster.mkv")
    for picture in damaged {
      let original = try #require(clean.first { abs($0.seconds - 3600 - picture.seconds) < 0.01 })
      #expect(picture.rgb == original.rgb || picture.isCorrupt, "\(picture.seconds)")
      if picture.seconds > 1.9 { #expect(picture.rgb == original.rgb && !picture.isCorrupt) }
    }
    #expect(damaged.filter { $0.seconds > 1.9 }.count == 14)
  }

  /// Two videos: the first, and of that only.
  @Test func videosAreNotMixed() throws {
    let reader = try VideoReader(
      MediaInput(Shared.corpus.appendingPathComponent("files/two_videos_first_default.mkv").path))
    #expect(Set(try reader.allFrames().map(\.format)).count == 1)
  }

  /// Alpha is no colour: half of the picture is transparent, and shown as stored or on black.
  @Test(arguments: ["P12", "P13"]) func alphaIsNoColour(id: String) throws {
    let item = try #require(CorpusCase.all.first { $0.id == id })
    let reader = try VideoReader(MediaInput(item.path))
    let frame = try #require(try reader.nextFrame())
    let reference = try VideoReader(MediaInput(Shared.corpus.appendingPathComponent("ref/\(id).png").path))
    let wanted = try #require(try reference.nextFrame())
    let found = try FrameScaler().rgb(frame)
    let expected = try FrameScaler().rgb(wanted)
    // Per channel: red and blue in each other's places would not show in the mean of all three.
    for channel in 0..<3 {
      let difference = stride(from: channel, to: found.count, by: 3)
        .reduce(0) { $0 + abs(Int(found[$1]) - Int(expected[$1])) }
      #expect(difference / (found.count / 3) <= 6)
    }
  }
}
