/// Where and how a picture is written: a canvas of packed 8-bit pixels, and in it the rectangle that the
/// picture fills. Rows follow one another without gaps: a canvas takes `byteCount` bytes.
public struct ScaleTarget: Sendable, Hashable {
  /// The order of the three bytes of a pixel.
  public enum PixelOrder: Sendable, Hashable {
    /// Red, green, blue.
    case rgb
    /// Blue, green, red.
    case bgr
  }

  /// Size of the canvas in pixels.
  public var canvasWidth: Int
  /// Size of the canvas in pixels.
  public var canvasHeight: Int
  /// Left edge of the picture's rectangle, in canvas pixels from the left.
  public var x: Int
  /// Top edge of the picture's rectangle, in canvas pixels from the top.
  public var y: Int
  /// Width of the picture's rectangle in canvas pixels.
  public var width: Int
  /// Height of the picture's rectangle in canvas pixels.
  public var height: Int
  /// The order of the three bytes of a pixel.
  public var pixelOrder: PixelOrder
  /// What every byte around the picture is set to.
  public var padding: UInt8

  /// A rectangle in a canvas.
  public init(
    canvasWidth: Int, canvasHeight: Int, x: Int, y: Int, width: Int, height: Int,
    pixelOrder: PixelOrder = .rgb, padding: UInt8 = 114
  ) {
    self.canvasWidth = canvasWidth
    self.canvasHeight = canvasHeight
    self.x = x
    self.y = y
    self.width = width
    self.height = height
    self.pixelOrder = pixelOrder
    self.padding = padding
  }

  /// A picture that fills its canvas.
  public init(width: Int, height: Int, pixelOrder: PixelOrder = .rgb) {
    self.init(
      canvasWidth: width, canvasHeight: height, x: 0, y: 0, width: width, height: height,
      pixelOrder: pixelOrder)
  }

  /// Bytes of the whole canvas.
  public var byteCount: Int { canvasWidth &* canvasHeight &* 3 }

  /// Larger canvases are refused; JPEG and swscale have limits of this order.
  private static let maxSide = 65_500

  /// Whether the rectangle lies within the canvas and both have sizes that make sense.
  var isValid: Bool {
    let sides = 1...Self.maxSide
    return sides.contains(canvasWidth) && sides.contains(canvasHeight) && sides.contains(width)
      && sides.contains(height) && (0...canvasWidth).contains(x) && (0...canvasHeight).contains(y)
      && x + width <= canvasWidth && y + height <= canvasHeight
  }
}
