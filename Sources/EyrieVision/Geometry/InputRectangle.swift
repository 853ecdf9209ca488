/// Chooses the size at which a model with open height and width looks at a picture: the least rectangle of whole
/// strides that holds the picture's aspect at the wanted long side. 16:9 at 640 with a stride of 32 gives 640×384,
/// where a square would spend 40 % of the work on padding.
///
/// The rule is that of Ultralytics' `rect`: `LetterBox(new_shape=(side, side), auto=True, stride=stride)` in
/// `ultralytics/data/augment.py` pads by what is left of `side - size` after whole strides.
public struct InputRectangle: Hashable, Sendable {
  /// Pixels of the longer side of the picture in the model's input.
  public let longSide: Int
  /// Both sides of the input are multiples of so many pixels (as far as `longSide` is).
  public let stride: Int

  /// A rule for sides of at least one pixel.
  public init(longSide: Int, stride: Int) {
    self.longSide = max(1, longSide)
    self.stride = max(1, stride)
  }

  /// The letterbox into the rectangle for a picture.
  ///
  /// - Parameters:
  ///   - width: of the picture as displayed, in pixels.
  ///   - height: likewise.
  /// - Returns: a mapping whose `modelWidth` and `modelHeight` are those of the rectangle.
  /// - Throws: `VisionError.pictureSize` where a side is below 1 or above `PictureTransform.largestSide`.
  public func transform(width: Int, height: Int) throws(VisionError) -> PictureTransform {
    try PictureTransform(rectangle: self, sourceWidth: width, sourceHeight: height)
  }

  /// The side of the rectangle around so many pixels of content.
  func side(around content: Int) -> Int { content + max(0, longSide - content) % stride }
}
