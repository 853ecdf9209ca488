import Foundation
import Testing

@testable import EyrieMedia

/// Letterbox and centre crop, and the measure of sharpness.
@Suite struct CropFitTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  struct Case: Sendable, CustomTestStringConvertible {
    var region: (Double, Double)
    var target: (Int, Int)
    /// Left edge and top edge of the content, and its size.
    var letterbox: (Int, Int, Int, Int)
    /// The size that the whole region is scaled to, and how much is left out before the middle.
    var center: (full: (Int, Int), first: (Int, Int))

    var testDescription: String { "\(region)→\(target)" }
  }

  /// Computed by hand from PictureTransform's rule and from CLIP's image processor's.
  static let cases = [
    Case(region: (100, 100), target: (224, 224), letterbox: (0, 0, 224, 224), center: ((224, 224), (0, 0))),
    Case(region: (57, 103), target: (224, 224), letterbox: (50, 0, 124, 224), center: ((224, 404), (0, 90))),
    Case(region: (103, 57), target: (224, 224), letterbox: (0, 50, 224, 124), center: ((404, 224), (90, 0))),
    // 5 · 50 ÷ 100 = 2.5, rounded to even; an odd row of padding below. 5 · 100 ÷ 50 = 10.
    Case(region: (100, 50), target: (5, 5), letterbox: (0, 1, 5, 2), center: ((10, 5), (2, 0))),
    // 7 · 33 ÷ 20 = 11.55, truncated; (11 − 7) ÷ 2.
    Case(region: (20, 33), target: (7, 7), letterbox: (1, 0, 4, 7), center: ((7, 11), (0, 2))),
    Case(region: (60, 1), target: (8, 8), letterbox: (0, 3, 8, 1), center: ((480, 8), (236, 0))),
    Case(region: (90, 60), target: (10, 20), letterbox: (0, 6, 10, 7), center: ((30, 20), (10, 0))),
  ]

  private func clip() throws -> (String, VideoFrame) {
    let path = try CropClip.make(scratch, "144x120", "yuv420p")
    return (path, try CropClip.firstFrame(path))
  }

  @Test(arguments: cases) func fits(_ sample: Case) throws {
    let (path, stored) = try clip()
    let picture = try CropClip.rgb(path, stored)
    let region = CropRegion(x: 17, y: 9, width: sample.region.0, height: sample.region.1)
    let box = (17.0, 9.0, 17 + sample.region.0, 9 + sample.region.1)
    let (width, height) = sample.target
    let (x, y, contentWidth, contentHeight) = sample.letterbox
    let content = picture.resized(
      box: box, size: (contentWidth, contentHeight), part: (0..<contentWidth, 0..<contentHeight),
      filter: .bilinear)
    var letterboxed = [UInt8](repeating: 77, count: width * height * 3)
    for row in 0..<contentHeight {
      let to = ((y + row) * width + x) * 3
      letterboxed.replaceSubrange(
        to..<(to + contentWidth * 3), with: content[(row * contentWidth * 3)..<((row + 1) * contentWidth * 3)]
      )
    }
    let found = try CropSampler().rgb(
      stored, region, CropTarget(width: width, height: height, fit: .letterbox, padding: 77))
    #expect(meanDifference(found, letterboxed) < 1, "letterbox: \(meanDifference(found, letterboxed))")
    let isPadded = zip(found, letterboxed).allSatisfy { $1 != 77 || abs(Int($0) - 77) <= 3 }
    #expect(isPadded, "padding")

    let (full, first) = sample.center
    let middle = picture.resized(
      box: box, size: full, part: (first.0..<(first.0 + width), first.1..<(first.1 + height)),
      filter: .bicubic)
    let cut = try CropSampler().rgb(
      stored, region, CropTarget(width: width, height: height, fit: .centerCrop, filter: .bicubic))
    #expect(meanDifference(cut, middle) < 1, "centre crop: \(meanDifference(cut, middle))")
  }

  /// Odd paddings and cuts stay where they are when the stored picture lies otherwise.
  @Test(arguments: OrientationTests.samples, [CropTarget.Fit.letterbox, .centerCrop])
  func fitsOfTurnedPictures(_ sample: OrientationTests.Sample, _ fit: CropTarget.Fit) throws {
    let (path, _) = try clip()
    // The same picture turned by FFmpeg, and stored upright.
    let upright = scratch.path("upright.nut")
    try Tool.ffmpeg(
      "-i", path, "-vf", "format=yuv444p,\(sample.filter)", "-c:v", "rawvideo", "-pix_fmt", "yuv444p", upright
    )
    let full = scratch.path("full.nut")
    try Tool.ffmpeg("-i", path, "-vf", "format=yuv444p", "-c:v", "rawvideo", "-pix_fmt", "yuv444p", full)
    let orientation = Orientation(degreesClockwise: sample.degrees, isMirrored: sample.isMirrored)
    let turned = try CropClip.turned(try CropClip.firstFrame(full), orientation)
    for region in [
      CropRegion(x: 21, y: 14, width: 60, height: 31), CropRegion(x: 21, y: 14, width: 25, height: 70),
    ] {
      let target = CropTarget(width: 21, height: 18, fit: fit)
      let found = try CropSampler().rgb(turned, region, target)
      let wanted = try CropSampler().rgb(try CropClip.firstFrame(upright), region, target)
      #expect(meanDifference(found, wanted) < 0.2, "\(region): \(meanDifference(found, wanted))")
    }
  }

  @Test func sharpness() throws {
    func frame(_ filter: String, _ format: String) throws -> VideoFrame {
      let path = scratch.path("sharp.nut")
      try Tool.ffmpeg(
        "-f", "lavfi", "-i", "color=gray:size=640x360:rate=5:duration=0.2", "-vf",
        "format=gray,noise=alls=80,\(filter),format=\(format)", "-c:v", "rawvideo", "-pix_fmt", format, path)
      return try CropClip.firstFrame(path)
    }
    let sharp = try frame("null", "yuv420p")
    let whole = try #require(sharp.sharpness(of: .whole(sharp)))
    #expect(whole > 5)
    // It falls with each blur.
    var last = whole
    for sigma in [0.5, 1, 2, 4] {
      let blurred = try frame("gblur=sigma=\(sigma)", "yuv420p")
      let value = try #require(blurred.sharpness(of: .whole(blurred)))
      #expect(value < last * 0.9, "sigma \(sigma): \(value) after \(last)")
      last = value
    }
    // It does not depend on the size, the place or the way that the picture lies.
    for region in [
      CropRegion(x: 100, y: 50, width: 40, height: 40), CropRegion(x: 300, y: 0, width: 200, height: 360),
      CropRegion(x: 0, y: 100, width: 25.5, height: 200),
    ] {
      let value = try #require(sharp.sharpness(of: region))
      #expect(abs(value - whole) < whole * 0.15, "\(region): \(value), \(whole)")
    }
    let turned = try CropClip.turned(sharp, Orientation(degreesClockwise: 90, isMirrored: false))
    #expect(turned.sharpness(of: .whole(turned)) == whole)
    // Nor on how luma is stored.
    for format in ["yuv420p10le", "yuyv422", "gray", "nv12"] {
      let other = try frame("null", format)
      let value = try #require(other.sharpness(of: .whole(other)), "\(format)")
      #expect(abs(value - whole) < whole * 0.2, "\(format): \(value), \(whole)")
    }
    for format in ["rgb24", "pal8", "gbrp", "yuv420p10be"] {
      let other = try frame("null", format)
      #expect(other.sharpness(of: .whole(other)) == nil, "\(format)")
    }
    #expect(sharp.sharpness(of: CropRegion(x: 5, y: 5, width: 2, height: 9)) == nil)
    #expect(sharp.sharpness(of: CropRegion(x: 700, y: 5, width: 20, height: 9)) == nil)
    #expect(sharp.sharpness(of: CropRegion(x: 637, y: 357, width: 3, height: 3)) != nil)
  }
}
