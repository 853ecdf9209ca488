/// Turns the output tensor of a YOLO detection head into detections in pixels of the picture.
///
/// The rules, in order:
/// 1. The score of an anchor is its best class score, the lowest class index among equals. In a head with
///    objectness it is objectness × best class score, as in `non_max_suppression` of Ultralytics' YOLOv5. An
///    anchor with a score that is NaN or infinite is dropped and counted, whatever its other scores.
/// 2. It is a candidate when that score is greater than the threshold of its class (at the threshold exactly
///    it is not, as in Ultralytics), its class is asked for, and its box is finite and has an area. If it only
///    exceeds `DetectionSettings.weakConfidence`, it is a weak candidate.
/// 3. Greedy suppression (`DetectionSettings.iou`, `.suppression`) in model pixels, then the limit
///    `maxDetections`. An end-to-end head is only sorted and limited. Weak candidates come after all others:
///    they are suppressed by those, and suppress only weak ones.
/// 4. Boxes are mapped to the picture and clipped; what lies wholly outside it is dropped and counted.
///
/// A decoder keeps its scratch memory: once grown, only the resulting arrays are allocated, and not even those where
/// a result is used again (`decode(_:element:head:unit:transform:into:)`). It is a value; use one for each task that
/// decodes.
public struct DetectionDecoder: Sendable {
  /// Thresholds and limits.
  public let settings: DetectionSettings

  private var scan = CandidateScan()
  private var candidates = CandidateList()
  private var suppression = NonMaximumSuppression()
  private let groups: SuppressionGroups

  /// Creates a decoder with empty scratch memory.
  public init(settings: DetectionSettings) {
    self.settings = settings
    groups = SuppressionGroups(settings.suppression)
  }

  /// Decodes the output for one picture.
  ///
  /// - Parameters:
  ///   - tensor: the bytes of the tensor for this picture alone (one row of a batch), densely packed in
  ///     row-major order. No alignment is assumed.
  ///   - element: type of the elements.
  ///   - head: layout and shape.
  ///   - unit: what the boxes are measured in; see `BoxUnit.of`.
  ///   - transform: how the picture was fitted to the model input.
  /// - Throws: `VisionError.tensorSize` where the number of bytes is not that of the shape.
  public mutating func decode(
    _ tensor: RawSpan, element: TensorElement, head: YOLOHead, unit: BoxUnit = .pixels,
    transform: PictureTransform
  ) throws(VisionError) -> DetectionResult {
    var result = DetectionResult(detections: [], drops: DetectionDrops())
    try decode(tensor, element: element, head: head, unit: unit, transform: transform, into: &result)
    return result
  }

  /// Decodes the output for one picture into the memory of an earlier result.
  ///
  /// - Parameters:
  ///   - tensor: as for `decode(_:element:head:unit:transform:)`, and so the next four.
  ///   - result: what was in it is forgotten, its memory used again.
  /// - Throws: `VisionError.tensorSize` where the number of bytes is not that of the shape.
  public mutating func decode(
    _ tensor: RawSpan, element: TensorElement, head: YOLOHead, unit: BoxUnit = .pixels,
    transform: PictureTransform, into result: inout DetectionResult
  ) throws(VisionError) {
    let expected = head.byteCount(element)
    guard tensor.byteCount == expected else {
      throw .tensorSize(expected: expected, found: tensor.byteCount)
    }
    var drops = DetectionDrops()
    candidates.removeAll()
    tensor.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      scan.collect(
        base, element: element, head: head, settings: settings, into: &candidates, drops: &drops)
    }
    if head.layout == .endToEnd, !settings.suppressesEndToEnd {
      suppression.takeBest(candidates, limit: settings.maxDetections)
    } else {
      suppression.run(candidates, iou: settings.iou, groups: groups, limit: settings.maxDetections)
    }
    drops.truncated = suppression.truncated

    fill(&result.detections, with: suppression.kept, unit, transform)
    fill(&result.weak, with: suppression.keptWeak, unit, transform)
    drops.outsidePicture = suppression.kept.count - result.detections.count
    result.drops = drops
  }

  /// The candidates that lie in the picture, at least in part.
  private func fill(
    _ detections: inout [Detection], with kept: [Int32], _ unit: BoxUnit, _ transform: PictureTransform
  ) {
    // Suppression does not mind: the overlap of two boxes is the same in either unit.
    let (scaleX, scaleY) =
      unit == .pixels ? (1, 1) : (Double(transform.modelWidth), Double(transform.modelHeight))
    detections.removeAll(keepingCapacity: true)
    detections.reserveCapacity(kept.count)
    for index in kept.lazy.map(Int.init) {
      let box = transform.sourceBox(
        left: scaleX * Double(candidates.left[index]), top: scaleY * Double(candidates.top[index]),
        right: scaleX * Double(candidates.right[index]), bottom: scaleY * Double(candidates.bottom[index]))
      guard let box else { continue }
      detections.append(
        Detection(classID: Int(candidates.classID[index]), confidence: candidates.score[index], box: box))
    }
  }
}
