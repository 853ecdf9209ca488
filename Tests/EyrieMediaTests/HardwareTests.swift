import CFFmpeg
import Foundation
import Synchronization
import Testing

@testable import EyrieMedia

/// Decoding on devices. Where there is none, its absence is what is tested, and the rest with a pretended one.
@Suite struct HardwareTests {
  private let scratch: Scratch
  private let clip: String

  init() throws {
    scratch = try Scratch()
    clip = scratch.path("clip.mp4")
    try Tool.ffmpeg(
      "-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25:duration=4", "-pix_fmt", "yuv420p", "-c:v",
      "libx264",
      "-g", "20", "-bf", "2", clip)
  }

  private func read(_ options: VideoReader.Options) throws -> (frames: [VideoFrame], reader: VideoReader) {
    let reader = try VideoReader(MediaInput(clip), options: options)
    return (try reader.allFrames(), reader)
  }

  private func rgb(_ frames: [VideoFrame]) throws -> [[UInt8]] {
    let scaler = FrameScaler()
    return try frames.map { try scaler.rgb($0) }
  }

  @Test(arguments: HardwareDecoding.allCases)
  func whatIsNotThereIsSaidOnce(hardware: HardwareDecoding) throws {
    var options = VideoReader.Options()
    options.hardware = hardware
    let (frames, reader) = try read(options)
    try reader.rewind()
    #expect(try reader.allFrames().count == 100 && frames.count == 100)
    let expected = try rgb(try read(VideoReader.Options()).frames)
    for (frame, software) in zip(try rgb(frames), expected) { #expect(meanDifference(frame, software) < 1) }
    if hardware == .none { return #expect(reader.notes.isEmpty) }
    // A machine that has the device needs no note.
    guard let note = reader.notes.first else { return }
    #expect(reader.notes.count == 1 && note.hasPrefix("decoding in software: ") && !note.contains("\n"))
    for type in hardware.deviceTypes { #expect(note.contains("\(type): ")) }
  }

  /// A device that has no device: a picture is on it if it has this format.
  private func pretended(
    _ format: AVPixelFormat, download: @escaping @Sendable (UnsafeMutablePointer<AVFrame>) -> Int32
  ) -> VideoReader.Options {
    var options = VideoReader.Options()
    options.hardware = .vaapi
    options.openDevice = { type, codec in
      guard let decoder = avcodec_find_decoder(codec) else { return .failed("no decoder") }
      return .opened(HardwareDevice(name: type, format: format, reference: nil, download: download), decoder)
    }
    return options
  }

  @Test func everyPictureIsBroughtFromTheDevice() throws {
    let count = Mutex(0)
    let (frames, reader) = try read(
      pretended(AV_PIX_FMT_YUV420P) { _ in
        count.withLock { $0 += 1 }
        return 0
      })
    #expect(frames.count == 100 && count.withLock { $0 } == 100 && reader.notes.isEmpty)
  }

  private static func openVulkan() -> UnsafeMutablePointer<AVBufferRef>? {
    var device: UnsafeMutablePointer<AVBufferRef>?
    return av_hwdevice_ctx_create(&device, AV_HWDEVICE_TYPE_VULKAN, nil, nil, 0) >= 0 ? device : nil
  }

  private static let hasVulkan: Bool = {
    var device = openVulkan()
    defer { av_buffer_unref(&device) }
    return device != nil
  }()

  /// Pictures really lie on a device here: they are brought there, and back by the way of all devices.
  @Test(.enabled(if: hasVulkan, "needs a Vulkan device; Mesa's lavapipe on the CPU will do"))
  func picturesAreBroughtFromARealDevice() throws {
    var device = Self.openVulkan()
    var handle = av_hwframe_ctx_alloc(device)
    defer {
      av_buffer_unref(&handle)
      av_buffer_unref(&device)
    }
    let pool = try #require(handle)
    let surfaces = UnsafeMutableRawPointer(pool.pointee.data).assumingMemoryBound(to: AVHWFramesContext.self)
    (surfaces.pointee.format, surfaces.pointee.sw_format) = (AV_PIX_FMT_VULKAN, AV_PIX_FMT_YUV420P)
    (surfaces.pointee.width, surfaces.pointee.height) = (160, 96)
    try #require(av_hwframe_ctx_init(pool) >= 0)
    let count = Mutex(0)
    let shared = UncheckedPointer(pool)
    let (frames, reader) = try read(
      pretended(AV_PIX_FMT_YUV420P) { frame in
        guard let onDevice = av_frame_alloc() else { return -ENOMEM }
        var status = av_hwframe_get_buffer(shared.pointer, onDevice, 0)
        if status >= 0 { status = av_hwframe_transfer_data(onDevice, frame, 0) }
        if status >= 0 { status = av_frame_copy_props(onDevice, frame) }
        av_frame_unref(frame)
        av_frame_move_ref(frame, onDevice)
        var handle: UnsafeMutablePointer<AVFrame>? = onDevice
        av_frame_free(&handle)
        guard status >= 0, frame.pointee.format == AV_PIX_FMT_VULKAN.rawValue else { return status }
        count.withLock { $0 += 1 }
        return HardwareDevice.transfer(frame)
      })
    let whole = try read(VideoReader.Options()).frames
    #expect(frames.count == 100 && count.withLock { $0 } == 100 && reader.notes.isEmpty)
    #expect(frames.map(\.ptsNanoseconds) == whole.map(\.ptsNanoseconds))
    #expect(frames.map(\.isKeyframe) == whole.map(\.isKeyframe))
    #expect(try rgb(frames) == rgb(whole))
  }

  /// `@unchecked Sendable` because one thread at a time uses it: the reader's.
  private struct UncheckedPointer: @unchecked Sendable {
    let pointer: UnsafeMutablePointer<AVBufferRef>
    init(_ pointer: UnsafeMutablePointer<AVBufferRef>) { self.pointer = pointer }
  }

  @Test func aDeviceThatRefusesTheStreamIsNoted() throws {
    // FFmpeg offers VA-API for H.264; without a device it cannot be set up, as for a profile it does not know.
    let (frames, reader) = try read(pretended(AV_PIX_FMT_VAAPI) { _ in 0 })
    #expect(reader.notes == ["decoding in software: vaapi does not decode this kind of stream"])
    #expect(frames.count == 100 && reader.warnings.isEmpty)
  }

  @Test func aDeviceThatFailsInMidStreamIsGivenUp() throws {
    let count = Mutex(0)
    let (frames, reader) = try read(
      pretended(AV_PIX_FMT_YUV420P) { _ in
        count.withLock { count in
          count += 1
          return count > 30 ? -EIO : 0
        }
      })
    #expect(count.withLock { $0 } == 31)
    #expect(
      reader.notes == ["decoding in software: vaapi failed in mid-stream (Input/output error)"])
    // From the keyframe at 40 on, all is as it would be without the device.
    let whole = try read(VideoReader.Options()).frames
    #expect(frames.count == 90 && frames.map(\.index) == Array(0..<90))
    #expect(
      frames.map(\.ptsNanoseconds)
        == whole.map(\.ptsNanoseconds).filter { !(1.2e9..<1.6e9).contains(Double($0)) })
    let (seen, expected) = (try rgb(frames), try rgb(whole))
    #expect(seen == Array(expected[..<30] + expected[40...]))
    #expect(!frames.contains { $0.isCorrupt })
  }

  @Test func aDeviceThatOnlyGivesErrorsIsGivenUp() throws {
    let path = scratch.path("clip.mjpeg")
    try Tool.ffmpeg("-i", clip, "-frames:v", "1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", path)
    let picture = try Data(contentsOf: URL(fileURLWithPath: path))
    let broken = Data([0xff, 0xd8, 0xff, 0xe0, 0x00, 0x04, 0x20, 0x20, 0xff, 0xd9])
    let parts = (0..<70).map { (20..<50).contains($0) ? broken : picture }
    try parts.reduce(Data(), +).write(to: URL(fileURLWithPath: path))
    let reader = try VideoReader(MediaInput(path), options: pretended(AV_PIX_FMT_YUVJ420P) { _ in 0 })
    #expect(try reader.allFrames().count == 40)
    let note = try #require(reader.notes.first)
    #expect(
      reader.notes.count == 1 && note.hasPrefix("decoding in software: vaapi failed in mid-stream ("),
      "\(note)")
  }

  /// What devices give has the chroma samples side by side, in 8 or 10 bits.
  @Test(arguments: [("yuv420p", AV_PIX_FMT_NV12), ("yuv420p10le", AV_PIX_FMT_P010LE)])
  func layoutsOfDevices(software: String, device: AVPixelFormat) throws {
    let path = scratch.path("\(software).nut")
    try Tool.ffmpeg("-i", clip, "-frames:v", "2", "-pix_fmt", software, "-c:v", "rawvideo", path)
    let scaler = FrameScaler()
    for frame in try VideoReader(MediaInput(path)).allFrames() {
      let interleaved = try #require(Self.interleaved(frame, device))
      for converts in [false, true] {
        scaler.convertsColours = converts
        for (width, height) in [(100, 60), (80, 48)] {
          let expected = try scaler.rgb(frame, width: width, height: height)
          let pixels = try scaler.rgb(interleaved, width: width, height: height)
          #expect(meanDifference(pixels, expected) < 1, "\(converts) \(width)x\(height)")
        }
      }
    }
  }

  /// The same picture as a device has it.
  private static func interleaved(_ frame: VideoFrame, _ format: AVPixelFormat) -> VideoFrame? {
    guard let copy = av_frame_alloc() else { return nil }
    let source = frame.picture.pointee
    (copy.pointee.width, copy.pointee.height, copy.pointee.format) = (
      source.width, source.height, format.rawValue
    )
    guard av_frame_get_buffer(copy, 0) >= 0, av_frame_copy_props(copy, frame.picture) >= 0,
      let y = source.data.0, let u = source.data.1, let v = source.data.2, let luma = copy.pointee.data.0,
      let chroma = copy.pointee.data.1
    else { return nil }
    func fill<Sample: FixedWidthInteger>(_: Sample.Type, shift: Int) {
      for row in 0..<Int(source.height) {
        for column in 0..<Int(source.width) {
          func read(_ plane: UnsafeMutablePointer<UInt8>, _ stride: Int32, _ row: Int, _ column: Int)
            -> Sample
          {
            UnsafeRawPointer(plane + row * Int(stride)).load(
              fromByteOffset: column * MemoryLayout<Sample>.size, as: Sample.self) << Sample(shift)
          }
          func write(
            _ value: Sample, _ plane: UnsafeMutablePointer<UInt8>, _ stride: Int32, _ row: Int, _ column: Int
          ) {
            UnsafeMutableRawPointer(plane + row * Int(stride)).storeBytes(
              of: value, toByteOffset: column * MemoryLayout<Sample>.size, as: Sample.self)
          }
          write(read(y, source.linesize.0, row, column), luma, copy.pointee.linesize.0, row, column)
          guard row % 2 == 0, column % 2 == 0 else { continue }
          let (half, stride) = (row / 2, copy.pointee.linesize.1)
          write(read(u, source.linesize.1, half, column / 2), chroma, stride, half, column)
          write(read(v, source.linesize.2, half, column / 2), chroma, stride, half, column + 1)
        }
      }
    }
    if format == AV_PIX_FMT_NV12 { fill(UInt8.self, shift: 0) } else { fill(UInt16.self, shift: 6) }
    return VideoFrame(
      taking: copy, of: PicturePool(), index: 0, stamp: Timeline.Stamp(nanoseconds: 0, streamNanoseconds: 0),
      arrival: PacketLedger.Arrival(instant: .now, date: Date()), geometry: frame.geometry,
      codec: frame.format.codec,
      isCorrupt: false)
  }
}
