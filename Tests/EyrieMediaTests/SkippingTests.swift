import CFFmpeg
import EyrieTestTools
import Foundation
import Testing

@testable import EyrieMedia

/// `every` and `maxFPS`: what is left out, and that leaving it out in the decoder changes nothing else.
@Suite(.serialized) struct SkippingTests {
  /// A stream, and whether some of its pictures can be left undecoded.
  struct Stream: Sendable, CustomTestStringConvertible {
    let name: String
    let encoding: [String]
    var container = "mp4"
    let canSkip: Bool
    var testDescription: String { name }
  }

  private static let x264 = ["-c:v", "libx264", "-preset", "veryfast", "-threads", "1"]
  private static let x265 = ["-c:v", "libx265", "-preset", "veryfast"]

  static let streams = [
    Stream(name: "no B-frames", encoding: x264 + ["-bf", "0", "-g", "12"], canSkip: false),
    Stream(name: "B-frames", encoding: x264 + ["-x264-params", "b-pyramid=none:bframes=2"], canSkip: true),
    Stream(name: "one B-frame", encoding: x264 + ["-x264-params", "bframes=1:keyint=10"], canSkip: true),
    Stream(
      name: "B-pyramid",
      encoding: x264 + ["-x264-params", "b-pyramid=normal:bframes=7:b-adapt=0:keyint=40"], canSkip: true),
    Stream(
      name: "open GOP",
      encoding: x264 + ["-x264-params", "open-gop=1:bframes=3:b-adapt=0:keyint=12"], canSkip: true),
    Stream(
      name: "transport stream", encoding: x264 + ["-x264-params", "bframes=3:keyint=25"], container: "ts",
      canSkip: true),
    Stream(
      name: "Matroska", encoding: x264 + ["-x264-params", "bframes=3:keyint=25"], container: "mkv",
      canSkip: true),
    Stream(name: "AVI", encoding: x264 + ["-x264-params", "bframes=3"], container: "avi", canSkip: false),
    Stream(
      name: "fields", encoding: x264 + ["-x264-params", "bframes=3:tff=1:fake-interlaced=0"], canSkip: false),
    Stream(name: "raw", encoding: x264 + ["-x264-params", "bframes=3"], container: "h264", canSkip: false),
    Stream(
      name: "HEVC", encoding: x265 + ["-x265-params", "log-level=error:bframes=4:keyint=30"], canSkip: true),
    Stream(
      name: "HEVC, open GOP",
      encoding: x265 + ["-x265-params", "log-level=error:open-gop=1:bframes=4:keyint=15"],
      container: "ts", canSkip: true),
    Stream(
      name: "HEVC, temporal layers",
      encoding: x265 + ["-x265-params", "log-level=error:temporal-layers=2:bframes=4:b-adapt=0:keyint=40"],
      canSkip: true),
    Stream(name: "Motion JPEG", encoding: ["-c:v", "mjpeg", "-q:v", "5"], container: "mkv", canSkip: true),
    Stream(name: "MPEG-2", encoding: ["-c:v", "mpeg2video", "-bf", "2"], container: "ts", canSkip: false),
    Stream(name: "VP9", encoding: ["-c:v", "libvpx-vp9", "-speed", "8"], container: "webm", canSkip: false),
  ]

  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func make(_ stream: Stream, seconds: Double = 4) throws -> String {
    let path = scratch.path("clip.\(stream.container)")
    let source = "testsrc2=size=160x120:rate=25:duration=\(seconds),noise=alls=12:allf=t"
    try Tool.run(
      "ffmpeg",
      ["-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p"] + stream.encoding
        + [path])
    return path
  }

  /// All that a frame is, to the last bit.
  struct Seen: Hashable {
    let index: Int
    let nanoseconds: Int64
    let isKeyframe: Bool
    let isCorrupt: Bool
    let pixels: Int

    init(_ frame: VideoFrame) {
      index = frame.index
      nanoseconds = frame.ptsNanoseconds
      isKeyframe = frame.isKeyframe
      isCorrupt = frame.isCorrupt
      pixels = Self.hash(frame)
    }

    private static func hash(_ frame: VideoFrame) -> Int {
      let picture = frame.picture.pointee
      let size = av_image_get_buffer_size(
        AVPixelFormat(picture.format), picture.width, picture.height, 1)
      var bytes = [UInt8](repeating: 0, count: Int(size))
      var (planes, strides) = (picture.data, picture.linesize)
      let copied = withUnsafeBytes(of: &planes) { planes in
        withUnsafeBytes(of: &strides) { strides in
          av_image_copy_to_buffer(
            &bytes, size, planes.assumingMemoryBound(to: UnsafePointer<UInt8>?.self).baseAddress,
            strides.assumingMemoryBound(to: Int32.self).baseAddress, AVPixelFormat(picture.format),
            picture.width, picture.height, 1)
        }
      }
      var hasher = Hasher()
      bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
      return copied == size ? hasher.finalize() : -1
    }
  }

  private func read(_ path: String, every: Int = 1, maxFPS: Double? = nil) throws -> (
    frames: [Seen], reader: VideoReader
  ) {
    var options = VideoReader.Options()
    options.every = every
    options.maxFPS = maxFPS
    let reader = try VideoReader(MediaInput(path), options: options)
    var frames: [Seen] = []
    while let frame = try reader.nextFrame() { frames.append(Seen(frame)) }
    return (frames, reader)
  }

  @Test("frames are the same whether others are decoded or not", arguments: streams)
  func identity(stream: Stream) throws {
    let path = try make(stream)
    let all = try read(path)
    try #require(all.frames.count >= 90 && all.reader.skippedFrames == 0)
    for every in [2, 3, 4, 7] {
      let some = try read(path, every: every)
      #expect(some.frames == all.frames.filter { $0.index % every == 0 }, "every \(every)")
      #expect(some.frames.count + some.reader.skippedFrames == all.frames.count)
      #expect((some.reader.undecodedFrames > 0) == stream.canSkip, "every \(every)")
      #expect(some.reader.warnings == all.reader.warnings)
    }
    for rate in [2.0, 7.5, 10, 24] {
      let some = try read(path, maxFPS: rate)
      var selection = FrameSelection(every: 1, maxFPS: rate)
      let wanted = all.frames.filter { selection.takes(index: $0.index, nanoseconds: $0.nanoseconds) }
      #expect(some.frames == wanted, "\(rate) a second")
      #expect(some.frames.count + some.reader.skippedFrames == all.frames.count)
    }
  }

  @Test("each B-frame that nobody wants is left undecoded")
  func everyDisposableFrameIsSkipped() throws {
    let path = try make(
      Stream(
        name: "", encoding: Self.x264 + ["-x264-params", "b-pyramid=none:bframes=3:b-adapt=0"], canSkip: true)
    )
    let some = try read(path, every: 4)
    // Three of four pictures are B-frames; each fourth frame, whichever that is, is wanted.
    #expect(some.frames.count == 25 && some.reader.undecodedFrames >= 48)
  }

  @Test("streams that are entered in their middle", arguments: streams.filter { $0.container == "ts" })
  func entering(stream: Stream) throws {
    let path = try make(stream)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    for place in [0.15, 0.3, 0.45] {
      try bytes.dropFirst(Int(Double(bytes.count / 188) * place) * 188).write(to: URL(fileURLWithPath: path))
      let all = try read(path).frames
      for every in [2, 3, 5] {
        #expect(
          try read(path, every: every).frames == all.filter { $0.index % every == 0 }, "\(place) \(every)")
      }
    }
  }

  @Test("a picture whose place is not certain is not skipped")
  func uncertainty() {
    func picture(_ tag: Int64, _ ticks: Int64) -> SkipPlan.Picture {
      SkipPlan.Picture(
        tag: tag, ticks: ticks, duration: 1, arrival: PacketLedger.Arrival(instant: .now, date: Date()))
    }
    var plan = SkipPlan()
    plan.read(picture(1, 0), decodingTime: -2, restarts: true)
    #expect(!plan.isTrusted)
    #expect(plan.left(tag: 1, ticks: 0, isKeyframe: true).isEmpty && plan.isTrusted)
    plan.read(picture(2, 4), decodingTime: -1, restarts: false)
    plan.read(picture(3, 2), decodingTime: 0, restarts: false)
    // One with the time 1 may still come.
    #expect(plan.isTrusted && !plan.isSettled(2) && plan.pictures(upTo: 3)?.map(\.tag) == [3])
    plan.read(picture(4, 1), decodingTime: 1, restarts: false)
    #expect(plan.isSettled(2) && plan.pictures(upTo: 2)?.map(\.tag) == [4, 3, 2])
    plan.skip(4)
    #expect(plan.left(tag: 3, ticks: 2, isKeyframe: false).map(\.tag) == [4] && plan.isTrusted)
    // What should have come out did not; what was skipped is counted all the same.
    plan.read(picture(5, 6), decodingTime: 3, restarts: false)
    plan.read(picture(6, 5), decodingTime: 4, restarts: false)
    plan.skip(6)
    #expect(plan.left(tag: 5, ticks: 6, isKeyframe: false).map(\.tag) == [6] && !plan.isTrusted)
    // Time that goes back.
    plan.read(picture(7, 7), decodingTime: 6, restarts: true)
    #expect(plan.left(tag: 7, ticks: 7, isKeyframe: true).isEmpty && plan.isTrusted)
    plan.read(picture(8, 3), decodingTime: 2, restarts: false)
    #expect(!plan.isTrusted)
    for tag in 9..<1000 {
      plan.read(picture(Int64(tag), Int64(tag)), decodingTime: Int64(tag), restarts: false)
    }
    #expect(plan.rest().isEmpty)
  }

  @Test("damage is found as if all were decoded")
  func damage() throws {
    let path = try make(
      Stream(
        name: "", encoding: Self.x264 + ["-x264-params", "bframes=3:keyint=20"], container: "ts",
        canSkip: true))
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    // Lost transport packets (188 bytes each) at a few places.
    for place in [0.2, 0.45, 0.7] {
      let start = Int(Double(bytes.count / 188) * place) * 188
      bytes.removeSubrange(start..<start + 188)
    }
    try bytes.write(to: URL(fileURLWithPath: path))
    let all = try read(path)
    let damaged = all.frames.filter(\.isCorrupt)
    #expect(!damaged.isEmpty)
    let some = try read(path, every: 3)
    #expect(some.frames.map(\.index) == all.frames.map(\.index).filter { $0 % 3 == 0 })
    // A frame that is whole although damage lies before it may be the one thing that is known better.
    #expect(some.frames.map(\.nanoseconds) == all.frames.filter { $0.index % 3 == 0 }.map(\.nanoseconds))
  }

  @Test("rewinding goes on with the count")
  func rewinding() throws {
    let path = try make(Self.streams[1], seconds: 1)
    var options = VideoReader.Options()
    options.every = 4
    let reader = try VideoReader(MediaInput(path), options: options)
    var indices = try reader.allFrames().map(\.index)
    try reader.rewind()
    indices += try reader.allFrames().map(\.index)
    #expect(indices == Array(stride(from: 0, to: 50, by: 4)))
    #expect(reader.skippedFrames == 37)
  }

  @Test("the rate is an even grid that takes jitter and jumps")
  func grid() {
    func delivered(_ times: [Double], _ rate: Double) -> [Double] {
      var selection = FrameSelection(every: 1, maxFPS: rate)
      var result: [Double] = []
      for (index, time) in times.enumerated()
      where selection.takes(index: index, nanoseconds: Int64(time * 1e9)) {
        result.append(time)
      }
      return result
    }
    let second: [Double] = (0..<25).map { Double($0) / 25 }
    let minute: [Double] = (0..<1500).map { Double($0) / 25 }
    for rate in [0.5, 3, 5, 7.5, 10, 24] {
      // The last point may lie at the end of the minute.
      #expect((delivered(minute, rate).count - Int(60 * rate)) / 2 == 0, "\(rate) a second")
    }
    #expect(delivered(second, 30) == second)
    #expect(delivered(second, .nan) == second && delivered(second, -1) == second)
    // A stream of that very rate passes whole, though early and late in turn.
    let jittery: [Double] = (0..<50).map { (place: Int) -> Double in Double(place * 10 + place % 2 * 4) / 100
    }
    #expect(delivered(jittery, 10) == jittery)
    // Nothing is made up for after a gap.
    #expect(delivered([0, 0.1, 1000, 1000.04, 1000.08, 1000.5], 2) == [0, 1000, 1000.5])
    #expect(delivered([-4e9, 0, 4e9], 1e300).count == 3)
  }

  @Test("bytes that only look like pictures are left to the decoder")
  func hostileBytes() throws {
    for codec in [AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_MJPEG] {
      var generator = SplitMix64(seed: UInt64(codec.rawValue))
      for _ in 0..<300 {
        var extradata = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
          UInt8.random(in: 0...255, using: &generator)
        }
        if Bool.random(using: &generator), !extradata.isEmpty { extradata[0] = 1 }
        let packet: [UInt8] = (0..<Int.random(in: 0...60, using: &generator)).map { place in
          place % 7 < 2 ? 0 : UInt8.random(in: 0...3, using: &generator)
        }
        let isDisposable = extradata.withUnsafeMutableBufferPointer { extra in
          var parameters = AVCodecParameters()
          parameters.codec_id = codec
          parameters.extradata = extra.baseAddress
          parameters.extradata_size = Int32(extra.count)
          var content = PacketContent(parameters)
          return packet.withUnsafeBufferPointer { content?.isDisposable($0) }
        }
        if codec == AV_CODEC_ID_MJPEG { #expect(isDisposable == false) }
      }
    }
  }
}
