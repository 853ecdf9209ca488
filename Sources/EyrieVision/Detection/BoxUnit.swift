/// What the boxes of a detection head are measured in.
public enum BoxUnit: Sendable {
  /// Pixels of the model input, as YOLO exports have them.
  case pixels
  /// Fractions of the model input's width and height, 0…1, as exports of RT-DETR and those that went
  /// through TensorFlow Lite have them.
  case fractions

  /// A fraction may exceed 1 where a box leaves the picture, but a head that counts pixels has larger numbers
  /// than this: the centres of its anchors alone reach as far as its input.
  private static let largestFraction: Float = 2
  /// Inputs smaller than this are too close to the limit above to be told apart.
  private static let smallestSide = 16

  /// Tells the unit from all the boxes of a tensor, those of low score included.
  ///
  /// - Parameters:
  ///   - tensor: as for `DetectionDecoder.decode`.
  ///   - element: type of the elements.
  ///   - head: layout and shape.
  ///   - modelWidth: width of the model input in pixels.
  ///   - modelHeight: height of the model input in pixels.
  /// - Returns: nil where the tensor has no box, only zeros (an end-to-end head that found nothing).
  /// - Throws: `VisionError.tensorSize` where the number of bytes is not that of the shape.
  public static func of(
    _ tensor: RawSpan, element: TensorElement, head: YOLOHead, modelWidth: Int, modelHeight: Int
  ) throws(VisionError) -> BoxUnit? {
    let expected = head.byteCount(element)
    guard tensor.byteCount == expected else {
      throw .tensorSize(expected: expected, found: tensor.byteCount)
    }
    guard min(modelWidth, modelHeight) >= smallestSide else { return .pixels }
    let largest = tensor.withUnsafeBytes { bytes -> Float in
      guard let base = bytes.baseAddress else { return 0 }
      let reader = ElementReader(base: base, element: element)
      var largest: Float = 0
      for anchor in 0..<head.anchorCount {
        for value in 0..<4 {
          let index =
            head.layout == .featuresFirst
            ? value * head.anchorCount + anchor : anchor * head.featureCount + value
          let magnitude = abs(reader[index])
          if magnitude.isFinite { largest = max(largest, magnitude) }
        }
      }
      return largest
    }
    if largest == 0 { return nil }
    return largest <= largestFraction ? .fractions : .pixels
  }
}
