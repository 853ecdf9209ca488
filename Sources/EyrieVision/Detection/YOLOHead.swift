/// Type of the elements of an output tensor, in the machine's byte order.
public enum TensorElement: String, Sendable, CaseIterable {
  /// IEEE 754 binary32.
  case float32
  /// IEEE 754 binary16.
  case float16
  /// IEEE 754 binary64. Scores and boxes are rounded to binary32.
  case float64

  /// Bytes of one element.
  public var size: Int {
    switch self {
    case .float64: 8
    case .float32: 4
    case .float16: 2
    }
  }
}

/// The shape of a YOLO detection head's output for one picture. Boxes are in pixels of the model
/// input, unless a `BoxUnit` says otherwise.
public struct YOLOHead: Hashable, Sendable {
  /// Order of the tensor's axes and meaning of its numbers. N anchors, C classes.
  public enum Layout: String, Sendable, CaseIterable {
    /// `[4 + C, N]`: rows of centre x, centre y, width, height, then one row of scores per class. With
    /// objectness `[5 + C, N]`, its row before those of the classes.
    case featuresFirst = "features-first"
    /// `[N, 4 + C]` or `[N, 5 + C]`: one row per anchor, the transpose of `featuresFirst`.
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
  /// Whether each anchor has an objectness before its class scores, as in YOLOv3, v5, v7 and YOLOX: the
  /// score of a class is then their product. Never in an end-to-end head.
  public let hasObjectness: Bool

  /// Reads anchors and classes out of a tensor shape.
  ///
  /// - Parameters:
  ///   - layout: order of the axes.
  ///   - shape: two axes as in `Layout`, or three with the batch in front, which is not looked at. More
  ///     are accepted where all but two of those behind the batch have length 1.
  ///   - classCount: how many classes the model's labels name, if known; checked against the shape, and
  ///     in an end-to-end head used to refuse rows of other classes.
  ///   - objectness: whether an objectness stands between the box and the class scores.
  /// - Throws: `VisionError.tensorShape`.
  public init(
    layout: Layout, shape: [Int], classCount: Int? = nil, objectness: Bool = false
  ) throws(VisionError) {
    func refusal(_ reason: String) -> VisionError {
      .tensorShape(shape: shape, layout: layout, reason: reason)
    }
    guard shape.count >= 2 else { throw refusal("it must have 2 axes, or 3 with the batch") }
    var axes = shape.count == 2 ? shape : Array(shape.dropFirst())
    while axes.count > 2, let unit = axes.firstIndex(of: 1) { axes.remove(at: unit) }
    guard axes.count == 2 else {
      throw refusal("it must have 2 axes, or 3 with the batch, besides axes of length 1")
    }
    let (features, anchors) = layout == .featuresFirst ? (axes[0], axes[1]) : (axes[1], axes[0])
    // Eight bytes an element at most: the byte count must fit an Int too.
    let (elements, overflow) = max(features, 0).multipliedReportingOverflow(by: max(anchors, 0))
    guard anchors >= 0, anchors <= Int(Int32.max), !overflow, elements <= Int.max / 8 else {
      throw refusal("\(anchors) anchors are not possible")
    }
    switch layout {
    case .featuresFirst, .anchorsFirst:
      let besides = objectness ? 5 : 4
      guard features > besides, features <= Int(Int32.max) else {
        throw refusal(
          "it needs 4 box values\(objectness ? ", the objectness" : "") and at least 1 class for each anchor, "
            + "and has \(features) values")
      }
      guard classCount == nil || classCount == features - besides else {
        throw refusal("it has \(features - besides) classes, the labels name \(classCount ?? 0)")
      }
      self.classCount = features - besides
    case .endToEnd:
      guard features == 6, !objectness else {
        throw refusal(
          objectness
            ? "a row has one score and no objectness" : "a row must have 6 values, and has \(features)")
      }
      self.classCount = classCount
    }
    self.layout = layout
    self.anchorCount = anchors
    hasObjectness = objectness
  }

  /// Numbers of an anchor before its class scores.
  var scoreOffset: Int { hasObjectness ? 5 : 4 }

  /// Numbers for each anchor.
  var featureCount: Int {
    layout == .endToEnd ? 6 : scoreOffset + (classCount ?? 0)
  }

  /// Bytes of the tensor for one picture.
  public func byteCount(_ element: TensorElement) -> Int {
    anchorCount * featureCount * element.size
  }
}
