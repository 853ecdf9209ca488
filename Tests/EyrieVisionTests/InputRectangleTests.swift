import EyrieVision
import Testing

@Suite("A rectangle for a picture") struct InputRectangleTests {
  /// Picture width and height, longer side, stride; width and height of the input; left, top, width and height of the
  /// content: where `LetterBox(new_shape=(side, side), auto=True, stride=stride)` of Ultralytics 8.4.190 puts a picture
  /// of 255 into its padding of 114.
  private static let ultralytics: [[Int]] = [
    [1920, 1080, 1280, 64, 1280, 768, 0, 24, 1280, 720],
    [768, 432, 640, 32, 640, 384, 0, 12, 640, 360],
    [1280, 720, 640, 32, 640, 384, 0, 12, 640, 360],
    [640, 360, 640, 32, 640, 384, 0, 12, 640, 360],
    [640, 480, 640, 32, 640, 480, 0, 0, 640, 480],
    [1080, 1920, 416, 32, 256, 416, 11, 0, 234, 416],
    [100, 100, 640, 64, 640, 640, 0, 0, 640, 640],
    [3840, 2160, 1280, 64, 1280, 768, 0, 24, 1280, 720],
    [1, 1, 416, 32, 416, 416, 0, 0, 416, 416],
    [2, 900, 1280, 64, 64, 1280, 30, 0, 3, 1280],
    [704, 576, 1280, 64, 1280, 1088, 0, 20, 1280, 1047],
    [2592, 1944, 640, 64, 640, 512, 0, 16, 640, 480],
    [641, 359, 640, 64, 640, 384, 0, 13, 640, 358],
    [1279, 1, 320, 32, 320, 32, 0, 15, 320, 1],
    [333, 500, 1280, 64, 896, 1280, 22, 0, 852, 1280],
    [4000, 10, 320, 32, 320, 32, 0, 15, 320, 1],
    [3250, 2351, 640, 64, 640, 512, 0, 24, 640, 463],
    [3367, 331, 640, 32, 640, 64, 0, 0, 640, 63],
    [1987, 3123, 416, 32, 288, 416, 11, 0, 265, 416],
    [1072, 151, 320, 32, 320, 64, 0, 9, 320, 45],
    [2, 597, 640, 32, 32, 640, 15, 0, 2, 640],
    [2715, 2403, 640, 32, 640, 576, 0, 5, 640, 566],
    [1927, 3955, 320, 32, 160, 320, 2, 0, 156, 320],
    [3112, 3010, 1280, 64, 1280, 1280, 0, 21, 1280, 1238],
    [1529, 1309, 416, 32, 416, 384, 0, 14, 416, 356],
    [3155, 90, 320, 32, 320, 32, 0, 11, 320, 9],
    [1117, 2003, 640, 32, 384, 640, 13, 0, 357, 640],
    [3285, 812, 320, 32, 320, 96, 0, 8, 320, 79],
    [2990, 3574, 640, 32, 544, 640, 4, 0, 535, 640],
    [1696, 3730, 640, 32, 320, 640, 14, 0, 291, 640],
    [2205, 2209, 1280, 64, 1280, 1280, 1, 0, 1278, 1280],
    [2794, 386, 416, 32, 416, 64, 0, 3, 416, 57],
    [791, 2308, 320, 32, 128, 320, 9, 0, 110, 320],
    [2268, 2866, 320, 32, 256, 320, 1, 0, 253, 320],
    [3298, 2986, 320, 32, 320, 320, 0, 15, 320, 290],
    [1088, 2716, 640, 32, 256, 640, 0, 0, 256, 640],
    [3291, 2499, 1280, 64, 1280, 1024, 0, 26, 1280, 972],
    [2809, 361, 320, 32, 320, 64, 0, 11, 320, 41],
    [3459, 1740, 320, 32, 320, 192, 0, 15, 320, 161],
    [1375, 382, 640, 64, 640, 192, 0, 7, 640, 178],
    [1484, 3278, 416, 32, 192, 416, 2, 0, 188, 416],
    [1680, 3297, 320, 32, 192, 320, 14, 0, 163, 320],
    [1026, 1824, 640, 32, 384, 640, 12, 0, 360, 640],
    [2866, 385, 640, 32, 640, 96, 0, 5, 640, 86],
    [3095, 808, 416, 32, 416, 128, 0, 9, 416, 109],
    [2871, 2601, 416, 32, 416, 384, 0, 3, 416, 377],
    [3263, 1193, 640, 64, 640, 256, 0, 11, 640, 234],
    [400, 3897, 320, 32, 64, 320, 15, 0, 33, 320],
  ]

  @Test("is that of Ultralytics", arguments: ultralytics)
  func agrees(row: [Int]) throws {
    let rule = InputRectangle(longSide: row[2], stride: row[3])
    let transform = try rule.transform(width: row[0], height: row[1])
    #expect([transform.modelWidth, transform.modelHeight] == Array(row[4..<6]))
    let content = transform.content
    #expect([content.x, content.y, content.width, content.height] == Array(row[6...]))
    // The gain is that of the square, whatever was rounded.
    #expect(transform.scaleX == Double(row[2]) / Double(max(row[0], row[1])))
    #expect(transform.scaleY == transform.scaleX)
  }

  @Test("is never larger than the square, and holds whole strides", arguments: [32, 64])
  func isSmallest(stride: Int) throws {
    for width in Swift.stride(from: 1, through: 4_000, by: 37) {
      let transform = try InputRectangle(longSide: 640, stride: stride).transform(width: width, height: 1_080)
      let sides = [transform.modelWidth, transform.modelHeight]
      #expect(sides.allSatisfy { $0 <= 640 && $0.isMultiple(of: stride) }, "\(width)")
      #expect(sides.max() == 640, "\(width)")
      // One stride less would not hold the content.
      #expect(transform.modelWidth - stride < transform.content.width, "\(width)")
      #expect(transform.modelHeight - stride < transform.content.height, "\(width)")
    }
  }

  @Test("of a picture without size is refused")
  func refuses() {
    let rule = InputRectangle(longSide: 640, stride: 32)
    #expect(throws: VisionError.self) { try rule.transform(width: 0, height: 10) }
    #expect(throws: VisionError.self) { try rule.transform(width: 10, height: 1 << 25) }
  }
}
