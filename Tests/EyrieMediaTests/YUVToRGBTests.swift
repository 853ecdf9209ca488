import CFFmpeg
import Foundation
import Testing

@testable import EyrieMedia

/// The conversion of YUV to RGB, against swscale's formula, and the scaler that uses it, against FFmpeg.
@Suite struct YUVToRGBTests {
  /// FFmpeg's formula, one component of one pixel at a time, with the tables' own numbers.
  struct Formula {
    var isFullRange: Bool
    var matrix: (Int, Int, Int, Int)

    private func scaled(_ coefficient: Int) -> Int {
      let luma = isFullRange ? 65536 : 65536 * 255 / 219
      return ((isFullRange ? coefficient * 224 / 255 : coefficient) * 65536 + 0x8000) / luma
    }

    private func offset(_ coefficient: Int, _ chroma: Int) -> Int {
      (scaled(coefficient) * chroma) >> 16 - scaled(coefficient) >> 9
    }

    private func component(_ n: Int) -> UInt8 {
      UInt8(clamping: isFullRange ? n : (76309 * n - 1_304_898) >> 16)
    }

    func rgb(_ y: Int, _ u: Int, _ v: Int) -> [UInt8] {
      [
        component(y + offset(matrix.0, v)), component(y + offset(-matrix.2, u) + offset(-matrix.3, v)),
        component(y + offset(matrix.1, u)),
      ]
    }
  }

  static func matrix(_ number: Int) throws -> (Int, Int, Int, Int) {
    let coefficients = try #require(sws_getCoefficients(Int32(number)))
    return (Int(coefficients[0]), Int(coefficients[1]), Int(coefficients[2]), Int(coefficients[3]))
  }

  /// Every luma with every chroma along the edges of the cube and through it. Red depends on Y and V alone,
  /// blue on Y and U, and green's terms of U and V add up: no more can come.
  @Test(arguments: [1, 2, 4, 5, 6, 7, 9, 10], [false, true])
  func equalsTheFormula(matrix number: Int, isFullRange: Bool) throws {
    let matrix = try Self.matrix(number)
    let formula = Formula(isFullRange: isFullRange, matrix: matrix)
    let converter = YUVToRGB(matrix: matrix, isFullRange: isFullRange)
    let chroma =
      (0...255).map { ($0, $0) } + (0...255).map { ($0, 255 - $0) }
      + [(0, 128), (128, 0), (255, 128), (128, 255), (0, 255), (255, 0)]
    // A row a luma, two pixels a chroma.
    for y in stride(from: 0, through: 255, by: lumaStep) {
      let luma = [UInt8](repeating: UInt8(y), count: chroma.count * 2 + YUVToRGB.blockWidth)
      let slack = [UInt8](repeating: 0, count: YUVToRGB.blockWidth)
      let pixels = Self.convert(
        converter, luma, chroma.map { UInt8($0.0) } + slack, chroma.map { UInt8($0.1) } + slack,
        width: chroma.count * 2)
      let wanted = chroma.flatMap { (u, v) -> [UInt8] in
        let pixel = formula.rgb(y, u, v)
        return pixel + pixel
      }
      #expect(pixels == wanted, "luma \(y)")
    }
  }

  /// All lumas, but fewer in a debug build, which takes a hundred times as long.
  private var lumaStep: Int {
    #if DEBUG
      5
    #else
      1
    #endif
  }

  /// The same with a colour of each pixel's own, and with red and blue in each other's places.
  @Test(arguments: [1, 5, 9], [false, true])
  func fullChromaEqualsTheFormula(matrix number: Int, isFullRange: Bool) throws {
    let matrix = try Self.matrix(number)
    let formula = Formula(isFullRange: isFullRange, matrix: matrix)
    for (width, isBGR) in [(1, false), (15, true), (16, false), (17, true), (333, false), (333, true)] {
      let converter = YUVToRGB(matrix: matrix, isFullRange: isFullRange, hasFullChroma: true, isBGR: isBGR)
      let room = width + YUVToRGB.blockWidth
      let y = (0..<room).map { UInt8(truncatingIfNeeded: $0 * 37 + 11) }
      let u = (0..<room).map { UInt8(truncatingIfNeeded: $0 * 53 + 7) }
      let v = (0..<room).map { UInt8(truncatingIfNeeded: $0 * 101 + 3) }
      let wanted = (0..<width).flatMap { column -> [UInt8] in
        let pixel = formula.rgb(Int(y[column]), Int(u[column]), Int(v[column]))
        return isBGR ? pixel.reversed() : pixel
      }
      #expect(Self.convert(converter, y, u, v, width: width) == wanted, "width \(width)")
    }
  }

  private static func convert(
    _ converter: YUVToRGB, _ y: [UInt8], _ u: [UInt8], _ v: [UInt8], width: Int
  ) -> [UInt8] {
    var pixels = [UInt8](repeating: 0xA5, count: width * 3 + 64)
    y.withUnsafeBufferPointer { y in
      u.withUnsafeBufferPointer { u in
        v.withUnsafeBufferPointer { v in
          pixels.withUnsafeMutableBufferPointer { pixels in
            guard let y = y.baseAddress, let u = u.baseAddress, let v = v.baseAddress,
              let to = pixels.baseAddress
            else { return }
            converter.convert(
              YUVToRGB.Planes(y: y, u: u, v: v, lumaRowBytes: 0, chromaRowBytes: 0), width: width, height: 1,
              to: to, rowBytes: width * 3)
          }
        }
      }
    }
    #expect(pixels[(width * 3)...].allSatisfy { $0 == 0xA5 }, "wrote past the row of \(width)")
    return Array(pixels.prefix(width * 3))
  }

  /// Rows of all even widths: each pixel its own, and nothing behind the row.
  @Test func widths() throws {
    let matrix = try Self.matrix(2)
    let formula = Formula(isFullRange: false, matrix: matrix)
    let converter = YUVToRGB(matrix: matrix, isFullRange: false)
    for width in stride(from: 2, through: 70, by: 2) {
      let room = width + YUVToRGB.blockWidth
      let y = (0..<room).map { UInt8(truncatingIfNeeded: $0 * 37 + 11) }
      let u = (0..<room).map { UInt8(truncatingIfNeeded: $0 * 53 + 7) }
      let v = (0..<room).map { UInt8(truncatingIfNeeded: $0 * 101 + 3) }
      let wanted = (0..<width).flatMap { formula.rgb(Int(y[$0]), Int(u[$0 / 2]), Int(v[$0 / 2])) }
      #expect(Self.convert(converter, y, u, v, width: width) == wanted, "width \(width)")
    }
  }

  struct Sample: Sendable, CustomTestStringConvertible {
    var format = "yuv420p"
    var size = "768x432"
    var width = 640
    var height = 360
    var color = "bt709"
    var range = "tv"

    var testDescription: String { "\(format) \(size)→\(width)x\(height) \(color) \(range)" }
  }

  static let samples: [Sample] =
    ["bt709", "smpte170m", "bt470bg", "fcc", "smpte240m", "bt2020nc", "unknown"].flatMap { color in
      ["tv", "pc"].map { Sample(color: color, range: $0) }
    }
    + ["yuv422p", "yuvj420p", "yuvj422p", "nv12"].map { Sample(format: $0) }
    + [
      // Odd sources; reductions of all degrees, one of them barely enough; wider but lower; not a multiple of 16.
      ("767x431", 640, 360), ("321x241", 214, 160), ("1921x1081", 640, 360), ("136x34", 64, 32),
      ("640x545", 640, 512), ("704x576", 640, 524), ("100x300", 640, 140), ("1026x1030", 66, 66),
      ("642x516", 642, 34), ("640x546", 634, 513), ("640x36", 640, 32),
    ].flatMap { size, width, height in
      [("yuv420p", "tv"), ("yuvj420p", "pc"), ("yuv422p", "tv"), ("nv12", "tv")].map {
        Sample(format: $0.0, size: size, width: width, height: height, range: $0.1)
      }
    }

  /// Noise, so that all combinations of colours and of neighbours occur.
  @Test(arguments: samples) func pixelsEqualFFmpegs(_ sample: Sample) throws {
    let scratch = try Scratch()
    let path = scratch.path("noise.mkv")
    try Tool.ffmpeg(
      "-f", "lavfi", "-i", "testsrc2=size=\(sample.size):rate=5:duration=0.2", "-vf",
      "format=\(sample.format),noise=alls=100:allf=t,"
        + "setparams=colorspace=\(sample.color):range=\(sample.range)",
      "-c:v", sample.format == "nv12" ? "rawvideo" : "ffv1", "-pix_fmt", sample.format, path)
    let frame = try #require(try VideoReader(MediaInput(path)).nextFrame())
    let target = ScaleTarget(width: sample.width, height: sample.height)
    #expect(FrameScaler.writesYUV(frame, target), "takes the slow way")
    let wanted = try Tool.rgb(path, filter: "scale=\(sample.width):\(sample.height):flags=bilinear")
    let scaler = FrameScaler()
    scaler.convertsColours = true
    let found = try scaler.rgb(frame, width: sample.width, height: sample.height)
    let isEqual = found == wanted
    #expect(isEqual, "\(meanDifference(found, wanted)) from FFmpeg's pixels")
  }
}
