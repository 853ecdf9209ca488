/// Type of the elements of an output tensor, in the machine's byte order.
public enum TensorElement: String, Sendable, CaseIterable {
  /// IEEE 754 binary32.
  case float32
  /// IEEE 754 binary16.
  case float16

  /// Bytes of one element.
  public var size: Int {
    switch self {
    case .float32: 4
    case .float16: 2
    }
  }
}

/// The shape of a YOLO detection head's output for one picture. Boxes are in pixels of the model input.
public struct YOLOHead: Hashable, Sendable {
  /// Order of the tensor's axes and meaning of its numbers. N anchors, C classes.
  public enum Layout: String, Sendable, CaseIterable {
    /// `[4 + C, N]`: rows of centre x, centre y, width, height, then one row of scores per class.
    case featuresFirst = "features-first"
    /// `[N, 4 + C]`: one row per anchor, the transpose of `featuresFirst`.
    case anchorsFirst = "anchors-first"
    /// `[N, 6]`: left, top, right, bottom, score, class index; duplicates already removed.
    case endToEnd = "end-to-end"
  }

  /// Order of the axes.
  public let layout: Layout
  /// Number of anchors (rows, in an end-to-end head); may be 0.
  public let anchorCount: Int
  /// Number of classes; nil where an end-to-end head does not tell and nobody else said.
  public let classCount: Int?

  /// Reads anchors and classes out of a tensor shape.
  ///
  /// - Parameters:
  ///   - layout: order of the axes.
  ///   - shape: two axes as in `Layout`, or three with the batch in front, which is not looked at.
  ///   - classCount: how many classes the model's labels name, if known; checked against the shape, and
  ///     in an end-to-end head used to refuse rows of other classes.
  /// - Throws: `VisionError.tensorShape`.
  public init(layout: Layout, shape: [Int], classCount: Int? = nil) throws(VisionError) {
    guard shape.count == 2 || shape.count == 3 else {
      throw .tensorShape(
        shape: shape, layout: layout, reason: "it must have 2 axes, or 3 with the batch")
    }
    let rows = shape[shape.count - 2]
    let columns = shape[shape.count - 1]
    let (features, anchors) = layout == .featuresFirst ? (rows, columns) : (columns, rows)
    // Four bytes an element at most: the byte count must fit an Int too.
    let (elements, overflow) = max(features, 0).multipliedReportingOverflow(by: max(anchors, 0))
    guard anchors >= 0, anchors <= Int(Int32.max), !overflow, elements <= Int.max / 4 else {
      throw .tensorShape(shape: shape, layout: layout, reason: "\(anchors) anchors are not possible")
    }
    switch layout {
    case .featuresFirst, .anchorsFirst:
      guard features >= 5, features <= Int(Int32.max) else {
        throw .tensorShape(
          shape: shape, layout: layout,
          reason: "it needs 4 box values and at least 1 class for each anchor, and has \(features) values")
      }
      guard classCount == nil || classCount == features - 4 else {
        throw .tensorShape(
          shape: shape, layout: layout,
          reason: "it has \(features - 4) classes, the labels name \(classCount ?? 0)")
      }
      self.classCount = features - 4
    case .endToEnd:
      guard features == 6 else {
        throw .tensorShape(
          shape: shape, layout: layout, reason: "a row must have 6 values, and has \(features)")
      }
      self.classCount = classCount
    }
    self.layout = layout
    self.anchorCount = anchors
  }

  /// Numbers for each anchor.
  var featureCount: Int {
    layout == .endToEnd ? 6 : 4 + (classCount ?? 0)
  }

  /// Bytes of the tensor for one picture.
  public func byteCount(_ element: TensorElement) -> Int {
    anchorCount * featureCount * element.size
  }
}
