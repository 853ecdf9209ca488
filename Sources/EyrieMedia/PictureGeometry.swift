import CFFmpeg

/// The size of a picture as stored and as shown.
struct PictureGeometry: Hashable, Sendable {
  var codedWidth: Int
  var codedHeight: Int
  /// Width of a stored pixel : its height, in lowest terms; 1:1 where unknown or absurd.
  var aspectNumerator: Int
  var aspectDenominator: Int
  var orientation: Orientation
  /// As shown: square pixels (the stored width is stretched or shrunk and rounded), upright.
  private(set) var width: Int
  private(set) var height: Int

  /// Beyond this ratio a sample aspect ratio is taken for damage: real ones lie between 1:4 and 4:1.
  private static let maxAspect = 16

  init(codedWidth: Int, codedHeight: Int, aspect: AVRational, orientation: Orientation) {
    self.codedWidth = codedWidth
    self.codedHeight = codedHeight
    self.orientation = orientation
    let (num, den) = (Int(aspect.num), Int(aspect.den))
    if num > 0, den > 0, num <= den * Self.maxAspect, den <= num * Self.maxAspect {
      let divisor = Self.greatestCommonDivisor(num, den)
      (aspectNumerator, aspectDenominator) = (num / divisor, den / divisor)
    } else {
      (aspectNumerator, aspectDenominator) = (1, 1)
    }
    let stretched = (codedWidth * aspectNumerator * 2 + aspectDenominator) / (aspectDenominator * 2)
    let squareWidth = codedWidth > 0 ? max(1, stretched) : 0
    (width, height) =
      orientation.swapsSides ? (codedHeight, squareWidth) : (squareWidth, codedHeight)
  }

  var aspectText: String { "\(aspectNumerator):\(aspectDenominator)" }

  private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
    b == 0 ? a : greatestCommonDivisor(b, a % b)
  }
}
