import Foundation
import Testing

@testable import EyrieMedia

/// The eight orientations, against FFmpeg's filters and against its own reading of display matrices.
@Suite struct OrientationTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  struct Sample: Sendable, CustomTestStringConvertible {
    /// a, b, c, d of the display matrix.
    let matrix: [Int32]
    let degrees: Int
    let isMirrored: Bool
    /// What makes the picture upright in FFmpeg's words.
    let filter: String

    var testDescription: String { "\(degrees)° mirrored \(isMirrored)" }
  }

  /// Mirrored left to right, then turned clockwise.
  static let samples = [
    Sample(matrix: [1, 0, 0, 1], degrees: 0, isMirrored: false, filter: "null"),
    Sample(matrix: [0, 1, -1, 0], degrees: 90, isMirrored: false, filter: "transpose=clock"),
    Sample(matrix: [-1, 0, 0, -1], degrees: 180, isMirrored: false, filter: "hflip,vflip"),
    Sample(matrix: [0, -1, 1, 0], degrees: 270, isMirrored: false, filter: "transpose=cclock"),
    Sample(matrix: [-1, 0, 0, 1], degrees: 0, isMirrored: true, filter: "hflip"),
    Sample(matrix: [0, -1, -1, 0], degrees: 90, isMirrored: true, filter: "hflip,transpose=clock"),
    Sample(matrix: [1, 0, 0, -1], degrees: 180, isMirrored: true, filter: "vflip"),
    Sample(matrix: [0, 1, 1, 0], degrees: 270, isMirrored: true, filter: "hflip,transpose=cclock"),
  ]

  @Test(arguments: samples)
  func uprightPicture(_ sample: Sample) throws {
    let path = scratch.path("turned.mp4")
    // 4:3 pixels: the stored width grows, whichever way it is turned afterwards.
    try Tool.ffmpeg(
      "-f", "lavfi", "-i", "testsrc2=size=96x66:rate=5:duration=0.4,setsar=4/3", "-c:v", "libx264", "-qp",
      "0",
      "-pix_fmt", "yuv444p", path)
    try setDisplayMatrix(of: path, to: sample.matrix)
    let reader = try VideoReader(MediaInput(path))
    #expect(reader.description.video.rotation == sample.degrees)
    #expect(reader.description.video.mirrored == sample.isMirrored)
    let swaps = sample.degrees % 180 == 90
    let frame = try #require(try reader.nextFrame())
    #expect(frame.rotation == sample.degrees && frame.isMirrored == sample.isMirrored)
    #expect(frame.width == (swaps ? 66 : 128) && frame.height == (swaps ? 128 : 66))
    let wanted = try Tool.rgb(
      path, options: ["-noautorotate"], filter: "scale=128:66:flags=bilinear,format=rgb24,\(sample.filter)")
    let canvas = ScaleTarget(
      canvasWidth: frame.width + 9, canvasHeight: frame.height + 4, x: 5, y: 2, width: frame.width,
      height: frame.height, padding: 1)
    var pixels = [UInt8](repeating: 0, count: canvas.byteCount)
    try pixels.withUnsafeMutableBytes { try FrameScaler().scale(frame, into: $0, target: canvas) }
    for row in 0..<canvas.canvasHeight {
      let line = Array(pixels[(row * canvas.canvasWidth * 3)..<((row + 1) * canvas.canvasWidth * 3)])
      let inside = row >= 2 && row < 2 + frame.height
      let from = (row - 2) * frame.width * 3
      let content =
        inside ? Array(wanted[from..<(from + frame.width * 3)]) : .init(repeating: 1, count: frame.width * 3)
      #expect(line == .init(repeating: 1, count: 15) + content + .init(repeating: 1, count: 12))
    }
  }

  /// Writes the matrix into the `tkhd` boxes (ISO/IEC 14496-12, 8.3.2: 40 bytes after the box's type in
  /// version 0).
  private func setDisplayMatrix(of path: String, to matrix: [Int32]) throws {
    let url = URL(fileURLWithPath: path)
    var data = try Data(contentsOf: url)
    var range = data.startIndex..<data.endIndex
    let unit: Int32 = 1 << 16
    let numbers = [
      matrix[0] * unit, matrix[1] * unit, 0, matrix[2] * unit, matrix[3] * unit, 0, 0, 0, 1 << 30,
    ]
    while let box = data.range(of: Data("tkhd".utf8), in: range) {
      let start = box.upperBound + 40
      for (index, number) in numbers.enumerated() {
        withUnsafeBytes(of: number.bigEndian) {
          data.replaceSubrange((start + index * 4)..<(start + index * 4 + 4), with: $0)
        }
      }
      range = box.upperBound..<data.endIndex
    }
    try data.write(to: url)
  }

  @Test func matrixWithoutMeaningIsUpright() {
    let zero = [Int32](repeating: 0, count: 9)
    #expect(Orientation(displayMatrix: zero) == .upright)
    let extreme: [Int32] = [.min, .min, 0, .max, .min, 0, 0, 0, 0]
    #expect([0, 90, 180, 270].contains(Orientation(displayMatrix: extreme).degreesClockwise))
  }

  @Test func photographsAreTurnedAsTheirCameraSays() throws {
    let path = scratch.path("photo.jpg")
    try Tool.ffmpeg(
      "-f", "lavfi", "-i", "testsrc2=size=96x66:rate=1:duration=1", "-frames:v", "1", "-update", "1", path)
    // An EXIF block with one entry: orientation 6, "turn clockwise by 90 degrees".
    let tiff: [UInt8] = [
      0x4D, 0x4D, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0,
    ]
    let exif = Array("Exif".utf8) + [0, 0] + tiff
    let jpeg = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    let turned = jpeg[..<2] + [0xFF, 0xE1, 0, UInt8(exif.count + 2)] + exif + jpeg[2...]
    try Data(turned).write(to: URL(fileURLWithPath: path))
    let reader = try VideoReader(MediaInput(path))
    let frame = try #require(try reader.nextFrame())
    #expect(frame.rotation == 90 && frame.width == 66 && frame.height == 96)
  }
}
