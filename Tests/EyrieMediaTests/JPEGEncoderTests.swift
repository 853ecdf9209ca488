import Foundation
import Testing

@testable import EyrieMedia

@Suite struct JPEGEncoderTests {
  /// A smooth picture: JPEG keeps it closely, whatever the colour resolution.
  private func gradient(_ width: Int, _ height: Int, rowBytes: Int) -> [UInt8] {
    var pixels = [UInt8](repeating: 0, count: rowBytes * height)
    for y in 0..<height {
      for x in 0..<width {
        pixels[y * rowBytes + x * 3] = UInt8(40 + x / 4)
        pixels[y * rowBytes + x * 3 + 1] = UInt8(60 + y / 3)
        pixels[y * rowBytes + x * 3 + 2] = 90
      }
    }
    return pixels
  }

  @Test(arguments: [(640, 360), (1, 1), (2, 1), (1, 7), (33, 17), (321, 241)], [50, 85, 100])
  func decodesToTheSamePicture(size: (Int, Int), quality: Int) throws {
    let (width, height) = size
    let rowBytes = width * 3 + 5
    let pixels = gradient(width, height, rowBytes: rowBytes)
    // No byte more than promised: the last row ends with its last pixel.
    let jpeg = try pixels[..<((height - 1) * rowBytes + width * 3)].withUnsafeBytes {
      try JPEGEncoder.encode(rgb: $0, width: width, height: height, rowBytes: rowBytes, quality: quality)
    }
    #expect(jpeg.prefix(2) == [0xFF, 0xD8] && jpeg.suffix(2) == [0xFF, 0xD9])
    let scratch = try Scratch()
    let path = scratch.path("a.jpg")
    try Data(jpeg).write(to: URL(fileURLWithPath: path))
    let reader = try VideoReader(MediaInput(path))
    let frame = try #require(try reader.nextFrame())
    #expect(frame.width == width && frame.height == height)
    let decoded = try FrameScaler().rgb(frame)
    var wanted: [UInt8] = []
    for y in 0..<height { wanted += pixels[(y * rowBytes)..<(y * rowBytes + width * 3)] }
    #expect(meanDifference(decoded, wanted) < 4)
  }

  @Test func betterQualityIsLarger() throws {
    let pixels = gradient(320, 200, rowBytes: 960)
    let sizes = try [1, 30, 60, 89, 100].map { quality in
      try pixels.withUnsafeBytes {
        try JPEGEncoder.encode(rgb: $0, width: 320, height: 200, rowBytes: 960, quality: quality).count
      }
    }
    #expect(sizes == sizes.sorted())
    #expect(sizes[4] > sizes[0])
  }

  @Test(arguments: [
    (0, 1, 3), (1, 0, 3), (-1, 1, 3), (2, 2, 5), (70_000, 1, 210_000), (2, 9, 6), (2, .max, .max),
  ])
  func refusesWhatIsNoPicture(width: Int, height: Int, rowBytes: Int) {
    let pixels = [UInt8](repeating: 0, count: 48)
    let error = mediaError {
      _ = try pixels.withUnsafeBytes {
        try JPEGEncoder.encode(rgb: $0, width: width, height: height, rowBytes: rowBytes)
      }
    }
    #expect(error?.reason == .invalidGeometry)
  }
}
