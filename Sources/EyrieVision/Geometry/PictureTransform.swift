/// How a picture is fitted to the fixed input of a model.
public enum ResizeMode: String, Sendable, CaseIterable {
  /// Keeps the aspect ratio, centres the picture and pads the rest.
  case letterbox
  /// Scales width and height each to the input's, without padding.
  case stretch
}

/// A rectangle of whole pixels.
public struct PixelRectangle: Hashable, Sendable {
  /// Left edge.
  public let x: Int
  /// Top edge.
  public let y: Int
  /// Columns.
  public let width: Int
  /// Rows.
  public let height: Int

  /// Creates a rectangle from its top-left corner and its size.
  public init(x: Int, y: Int, width: Int, height: Int) {
    self.x = x
    self.y = y
    self.width = width
    self.height = height
  }
}

/// The mapping between pixels of a source picture (as displayed) and pixels of a model's input.
///
/// A letterbox is computed as Ultralytics does it (`LetterBox` in `ultralytics/data/augment.py`):
/// `gain = min(modelWidth / width, modelHeight / height)`; the content has `round(size * gain)`
/// pixels, rounded half to even as Python does, and at least 1; the padding is split in halves, the
/// odd pixel going right and to the bottom. Coordinates map by `gain`, not by the rounded size.
public struct PictureTransform: Hashable, Sendable {
  /// The longest side that is accepted, in pixels: every coordinate up to it is exact as a Float.
  public static let largestSide = 1 << 24

  /// Width of the source picture in pixels.
  public let sourceWidth: Int
  /// Height of the source picture in pixels.
  public let sourceHeight: Int
  /// Width of the model input in pixels.
  public let modelWidth: Int
  /// Height of the model input in pixels.
  public let modelHeight: Int
  /// Where the scaled source lies in the model input; the rest is padding.
  public let content: PixelRectangle
  /// Model pixels per source pixel, horizontally. Equal to `scaleY` for a letterbox (the gain).
  public let scaleX: Double
  /// Model pixels per source pixel, vertically.
  public let scaleY: Double

  /// Computes the mapping.
  ///
  /// - Throws: `VisionError.pictureSize` where a side is below 1 or above `largestSide`.
  public init(
    _ mode: ResizeMode, sourceWidth: Int, sourceHeight: Int, modelWidth: Int, modelHeight: Int
  ) throws(VisionError) {
    try Self.check("picture", sourceWidth, sourceHeight)
    try Self.check("model input", modelWidth, modelHeight)
    self.sourceWidth = sourceWidth
    self.sourceHeight = sourceHeight
    self.modelWidth = modelWidth
    self.modelHeight = modelHeight
    let ratioX = Double(modelWidth) / Double(sourceWidth)
    let ratioY = Double(modelHeight) / Double(sourceHeight)
    switch mode {
    case .letterbox:
      let gain = min(ratioX, ratioY)
      scaleX = gain
      scaleY = gain
      content = Self.centred(
        width: Self.scaled(sourceWidth, by: gain, atMost: modelWidth),
        height: Self.scaled(sourceHeight, by: gain, atMost: modelHeight), in: (modelWidth, modelHeight))
    case .stretch:
      scaleX = ratioX
      scaleY = ratioY
      content = PixelRectangle(x: 0, y: 0, width: modelWidth, height: modelHeight)
    }
  }

  /// Computes the letterbox into the rectangle that a picture needs. The gain is that of the square: with the
  /// rectangle's own sides it would be less where a side of the content was rounded down to a whole stride.
  init(rectangle: InputRectangle, sourceWidth: Int, sourceHeight: Int) throws(VisionError) {
    try Self.check("picture", sourceWidth, sourceHeight)
    try Self.check("model input", rectangle.longSide, rectangle.longSide)
    let side = rectangle.longSide
    let gain = Double(side) / Double(max(sourceWidth, sourceHeight))
    let width = Self.scaled(sourceWidth, by: gain, atMost: side)
    let height = Self.scaled(sourceHeight, by: gain, atMost: side)
    self.sourceWidth = sourceWidth
    self.sourceHeight = sourceHeight
    modelWidth = rectangle.side(around: width)
    modelHeight = rectangle.side(around: height)
    scaleX = gain
    scaleY = gain
    content = Self.centred(width: width, height: height, in: (modelWidth, modelHeight))
  }

  /// Columns of padding left of the content.
  public var paddingLeft: Int { content.x }
  /// Rows of padding above the content.
  public var paddingTop: Int { content.y }
  /// Columns of padding right of the content.
  public var paddingRight: Int { modelWidth - content.x - content.width }
  /// Rows of padding below the content.
  public var paddingBottom: Int { modelHeight - content.y - content.height }

  /// Maps a point of the source picture into the model input.
  public func modelPoint(x: Double, y: Double) -> (x: Double, y: Double) {
    (x * scaleX + Double(content.x), y * scaleY + Double(content.y))
  }

  /// Maps a point of the model input into the source picture; a point in the padding lands outside.
  public func sourcePoint(x: Double, y: Double) -> (x: Double, y: Double) {
    ((x - Double(content.x)) / scaleX, (y - Double(content.y)) / scaleY)
  }

  /// Maps a box of the source picture into the model input, unclipped.
  public func modelBox(_ box: Box) -> Box {
    let corner = modelPoint(x: Double(box.x), y: Double(box.y))
    return Box(
      x: Float(corner.x), y: Float(corner.y), width: Float(Double(box.width) * scaleX),
      height: Float(Double(box.height) * scaleY))
  }

  /// Maps a box of the model input into the source picture and clips it to the picture; nil where
  /// nothing of it remains, or a coordinate is not a number.
  public func sourceBox(_ box: Box) -> Box? {
    sourceBox(
      left: Double(box.x), top: Double(box.y), right: Double(box.x) + Double(box.width),
      bottom: Double(box.y) + Double(box.height))
  }

  /// As `sourceBox(_:)`, from the edges of the box in the model input.
  func sourceBox(left: Double, top: Double, right: Double, bottom: Double) -> Box? {
    let first = sourcePoint(x: left, y: top)
    let last = sourcePoint(x: right, y: bottom)
    let x = max(first.x, 0)
    let y = max(first.y, 0)
    let width = Float(min(last.x, Double(sourceWidth)) - x)
    let height = Float(min(last.y, Double(sourceHeight)) - y)
    guard width > 0, height > 0 else { return nil }
    return Box(x: Float(x), y: Float(y), width: width, height: height)
  }

  private static func check(_ name: String, _ width: Int, _ height: Int) throws(VisionError) {
    let allowed = 1...largestSide
    guard allowed.contains(width), allowed.contains(height) else {
      throw .pictureSize(name: name, width: width, height: height)
    }
  }

  /// Half the padding, rounded down: what Ultralytics' round(padding / 2 - 0.1) gives.
  private static func centred(width: Int, height: Int, in model: (width: Int, height: Int)) -> PixelRectangle
  {
    PixelRectangle(
      x: (model.width - width) / 2, y: (model.height - height) / 2, width: width, height: height)
  }

  private static func scaled(_ side: Int, by gain: Double, atMost limit: Int) -> Int {
    min(max(Int((Double(side) * gain).rounded(.toNearestOrEven)), 1), limit)
  }
}
