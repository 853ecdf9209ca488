import CFFmpeg
import Foundation
import Testing

@testable import EyrieMedia

/// Crops against Pillow's filters in double precision, on FFmpeg's RGB of the whole picture.
@Suite struct CropSamplerTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// Regions of a picture: all, odd places and sizes, fractions, corners, single pixels, parts of one.
  private static func regions(_ width: Int, _ height: Int) -> [CropRegion] {
    let (w, h) = (Double(width), Double(height))
    return [
      CropRegion(x: 0, y: 0, width: w, height: h),
      CropRegion(x: 11, y: 7, width: 33, height: 21),
      CropRegion(x: w * 0.31, y: h * 0.22, width: w * 0.4, height: h * 0.53),
      CropRegion(x: w - 9, y: h - 13.4, width: 9, height: 13.4),
      CropRegion(x: 0, y: 0, width: 3.5, height: 60),
      CropRegion(x: 20, y: 31, width: 1, height: 1),
      CropRegion(x: w - 1, y: h - 1, width: 1, height: 1),
      CropRegion(x: 40.3, y: 17.2, width: 0.4, height: 0.5),
    ]
  }

  private static let filters = [CropTarget.Filter.bilinear, .bicubic]

  /// Of a single pixel all may be a level off. Elsewhere the mean is a fourth of a level, and more where colours
  /// lie outside of what RGB can hold, since they are cut before or after they are mixed.
  private static func limit(_ region: CropRegion) -> Double { region.width <= 1 ? 2 : 1.25 }

  private func check(
    _ frame: VideoFrame, _ reference: CropReference, sampler: CropSampler = CropSampler()
  ) throws {
    for region in Self.regions(frame.width, frame.height) {
      for filter in Self.filters {
        let target = CropTarget(width: 19, height: 14, filter: filter)
        let found = try sampler.rgb(frame, region, target)
        let wanted = reference.resized(
          box: (region.x, region.y, region.x + region.width, region.y + region.height), size: (19, 14),
          part: (0..<19, 0..<14), filter: filter)
        let mean = meanDifference(found, wanted)
        #expect(mean < Self.limit(region), "\(mean) from Pillow's filter: \(region) \(filter)")
      }
    }
  }

  /// What decoders give, and what cameras, screens and pictures may be.
  @Test(arguments: [
    "yuv420p", "yuv422p", "yuv444p", "nv12", "nv21", "yuv411p",
    "yuv410p", "yuv440p", "yuva420p", "yuyv422", "uyvy422", "gray", "ya8", "rgb24", "bgr24", "bgra", "argb",
    "0rgb", "gbrp", "yuv420p10le", "yuv422p10le", "yuv444p12le", "gray10le", "gray16le", "gbrp10le",
    "rgb48le", "yuv420p10be", "gray16be", "rgb48be", "pal8", "rgb565le", "monow", "bgr8",
  ])
  func pixelFormats(_ format: String) throws {
    let path = try CropClip.make(scratch, "136x96", format)
    let frame = try CropClip.firstFrame(path)
    #expect(frame.format.pixelFormat == format)
    try check(frame, try CropClip.rgb(path, frame))
  }

  /// The same samples, interleaved otherwise.
  @Test(arguments: [
    ("yuv420p", "nv12"), ("yuv420p", "nv21"), ("yuv444p", "nv24"),
    ("yuv422p", "yuyv422"),
    ("yuv420p10le", "p010le"), ("yuv420p", "yuvj420p"),
  ])
  func layouts(_ planar: String, _ other: String) throws {
    let frame = try CropClip.firstFrame(
      try CropClip.make(scratch, other == "p010le" ? "132x96" : "133x97", planar))
    let converted = try CropClip.converted(frame, to: other)
    for region in Self.regions(frame.width, frame.height) {
      let target = CropTarget(width: 37, height: 26, filter: .bicubic)
      let (a, b) = (
        try CropSampler().rgb(frame, region, target), try CropSampler().rgb(converted, region, target)
      )
      // Of the last, the samples are the same and mean something else.
      #expect((a == b) == (other != "yuvj420p"), "\(region)")
    }
  }

  @Test(arguments: ["131x99", "129x98", "130x97"], ["yuv420p", "nv12", "yuv422p", "yuyv422"])
  func oddSizes(_ size: String, _ format: String) throws {
    let path = try CropClip.make(scratch, size, format)
    let frame = try CropClip.firstFrame(path)
    try check(frame, try CropClip.rgb(path, frame))
  }

  @Test(arguments: ["bt709", "smpte170m", "fcc", "smpte240m", "bt2020nc", "unknown"], ["tv", "pc"])
  func matrices(_ color: String, _ range: String) throws {
    // FFV1 in Matroska keeps what is said of colours.
    let path = scratch.path("colours.mkv")
    try Tool.ffmpeg(
      "-f", "lavfi", "-i", "testsrc2=size=130x98:rate=5:duration=0.4", "-vf",
      "gblur=sigma=1,format=yuv420p,setparams=colorspace=\(color):range=\(range)", "-c:v", "ffv1", path)
    let frame = try CropClip.firstFrame(path)
    #expect(frame.format.isFullRange == (range == "pc"))
    try check(frame, try CropClip.rgb(path, frame))
  }

  /// Every orientation, with square pixels and others: regions of the displayed picture.
  @Test(arguments: OrientationTests.samples, [(Int32(1), Int32(1)), (4, 3), (8, 9)])
  func orientations(_ sample: OrientationTests.Sample, _ aspect: (Int32, Int32)) throws {
    let path = try CropClip.make(scratch, "144x98", "yuv420p")
    let stored = try CropClip.firstFrame(path)
    let orientation = Orientation(degreesClockwise: sample.degrees, isMirrored: sample.isMirrored)
    let frame = try CropClip.turned(stored, orientation, aspect: aspect)
    let upright = try upright(try CropClip.rgb(path, stored), sample.filter)
    // The box in the turned picture, whose pixels are not square yet.
    let factor = Double(stored.codedWidth) / Double(orientation.swapsSides ? frame.height : frame.width)
    let (factorX, factorY) = orientation.swapsSides ? (1, factor) : (factor, 1)
    let sampler = CropSampler()
    for region in Self.regions(frame.width, frame.height) {
      let found = try sampler.rgb(frame, region, CropTarget(width: 20, height: 15))
      let wanted = upright.resized(
        box: (
          region.x * factorX, region.y * factorY, (region.x + region.width) * factorX,
          (region.y + region.height) * factorY
        ), size: (20, 15), part: (0..<20, 0..<15), filter: .bilinear)
      #expect(
        meanDifference(found, wanted) < Self.limit(region), "\(region): \(meanDifference(found, wanted))")
    }
  }

  /// The picture turned by FFmpeg.
  private func upright(_ picture: CropReference, _ filter: String) throws -> CropReference {
    let path = scratch.path("stored.rgb")
    try Data(picture.pixels).write(to: URL(fileURLWithPath: path))
    let options = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "\(picture.width)x\(picture.height)"]
    let swaps = filter.contains("transpose")
    return CropReference(
      width: swaps ? picture.height : picture.width, height: swaps ? picture.width : picture.height,
      pixels: try Tool.rgb(path, options: options, filter: filter))
  }

  @Test(arguments: filters)
  func extremeReductions(_ filter: CropTarget.Filter) throws {
    let path = try CropClip.make(scratch, "1600x900", "yuv420p")
    let frame = try CropClip.firstFrame(path)
    let reference = try CropClip.rgb(path, frame)
    for (width, height) in [(1, 1), (8, 5), (3, 120), (60, 34)] {
      let found = try CropSampler().rgb(
        frame, .whole(frame), CropTarget(width: width, height: height, filter: filter))
      let wanted = reference.resized(
        box: (0, 0, 1600, 900), size: (width, height), part: (0..<width, 0..<height), filter: filter)
      #expect(meanDifference(found, wanted) < 1, "\(width)x\(height): \(meanDifference(found, wanted))")
    }
  }

  /// A copy of the whole frame serves all its crops, and no other frame's.
  @Test func convertedFramesAreToldApart() throws {
    let path = try CropClip.make(scratch, "64x48", "pal8")
    let reader = try VideoReader(MediaInput(path))
    let target = CropTarget(width: 20, height: 20)
    let sampler = CropSampler()
    var pictures: [[UInt8]] = []
    while let frame = try reader.nextFrame() {
      let found = try sampler.rgb(frame, .whole(frame), target)
      #expect(try CropSampler().rgb(frame, .whole(frame), target) == found)
      #expect(try sampler.rgb(frame, .whole(frame), target) == found)
      pictures.append(found)
    }
    #expect(pictures.count == 2 && pictures.first != pictures.last)
  }

  /// Not in a debug build, where vectors are slow.
  private static let largerSizes: [String] = {
    #if DEBUG
      []
    #else
      ["10x4", "46x34", "500x20"]
    #endif
  }()

  /// The two forms of the arithmetic, for all widths of pictures and of crops, between guard bytes.
  @Test(arguments: ["yuv420p", "nv12", "yuv420p10le", "yuyv422", "bgra", "gray", "ya8"])
  func vectorsEqualScalars(_ format: String) throws {
    let (vectors, scalars) = (CropSampler(), CropSampler())
    vectors.resampler.usesVectors = true
    scalars.resampler.usesVectors = false
    for size in ["2x2", "6x6", "8x10", "18x16"] + Self.largerSizes {
      let frame = try CropClip.firstFrame(try CropClip.make(scratch, size, format))
      for region in Self.regions(frame.width, frame.height)
      where region.clipped(toWidth: frame.width, height: frame.height) != nil {
        for width in [1, 8, 17] {
          let target = CropTarget(width: width, height: 11, filter: .bicubic)
          let found = try guarded(vectors, frame, region, target)
          #expect(try guarded(scalars, frame, region, target) == found, "\(size) \(region) to \(width)")
        }
      }
    }
  }

  private func guarded(
    _ sampler: CropSampler, _ frame: VideoFrame, _ region: CropRegion, _ target: CropTarget
  ) throws -> [UInt8] {
    let margin = 67
    var memory = [UInt8](repeating: 0xA5, count: target.byteCount + 2 * margin)
    let canvas = margin..<(margin + target.byteCount)
    try memory.withUnsafeMutableBytes { bytes in
      try sampler.sample(
        frame, region: region, into: UnsafeMutableRawBufferPointer(rebasing: bytes[canvas]), target: target)
    }
    let guards = memory[..<canvas.lowerBound] + memory[canvas.upperBound...]
    #expect(guards.allSatisfy { $0 == 0xA5 }, "wrote outside of the crop")
    return Array(memory[canvas])
  }

  @Test func whatMakesNoSenseIsRefused() throws {
    let frame = try CropClip.firstFrame(try CropClip.make(scratch, "64x48", "yuv420p"))
    let sampler = CropSampler()
    let good = CropTarget(width: 8, height: 8)
    for region in [
      CropRegion(x: 10, y: 10, width: 0, height: 5), CropRegion(x: 64, y: 0, width: 5, height: 5),
      CropRegion(x: -9, y: 0, width: 9, height: 5), CropRegion(x: 5, y: 5, width: -3, height: 5),
      CropRegion(x: .nan, y: 0, width: 5, height: 5), CropRegion(x: 0, y: 0, width: .infinity, height: 5),
    ] {
      #expect(
        mediaError { _ = try sampler.rgb(frame, region, good) }?.reason == .invalidGeometry, "\(region)")
    }
    for (width, height) in [(0, 8), (8, -1), (70_000, 8)] {
      let target = CropTarget(width: width, height: height)
      var bytes = [UInt8](repeating: 0, count: 600_000)
      let error = mediaError {
        try bytes.withUnsafeMutableBytes {
          try sampler.sample(frame, region: .whole(frame), into: $0, target: target)
        }
      }
      #expect(error?.reason == .invalidGeometry)
    }
    var short = [UInt8](repeating: 0, count: good.byteCount - 1)
    let error = mediaError {
      try short.withUnsafeMutableBytes {
        try sampler.sample(frame, region: .whole(frame), into: $0, target: good)
      }
    }
    #expect(error?.reason == .invalidGeometry)
    // What reaches beyond the picture is cut off.
    let beyond = CropRegion(x: -10, y: 20, width: 30, height: 1000)
    let within = CropRegion(x: 0, y: 20, width: 20, height: 28)
    #expect(try sampler.rgb(frame, beyond, good) == sampler.rgb(frame, within, good))
    // Slivers and specks of any shape.
    for fit in [CropTarget.Fit.stretch, .letterbox, .centerCrop] {
      for region in [
        CropRegion(x: 3, y: 3, width: .leastNonzeroMagnitude, height: 40),
        CropRegion(x: 3, y: 3, width: 1e-300, height: 1e-300),
        CropRegion(x: 3, y: 3, width: 40, height: 1e-9),
      ] {
        _ = mediaError { _ = try sampler.rgb(frame, region, CropTarget(width: 8, height: 8, fit: fit)) }
      }
    }
  }
}
