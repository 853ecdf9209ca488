/// Turns the output tensor of a YOLO detection head into detections in pixels of the picture.
///
/// The rules, in order:
/// 1. The score of an anchor is its best class score, the lowest class index among equals. In a head with
///    objectness it is objectness × best class score, as in `non_max_suppression` of Ultralytics' YOLOv5. An
///    anchor with a score that is NaN or infinite is dropped and counted, whatever its other scores.
/// 2. It is a candidate when that score is greater than the confidence threshold (at the threshold exactly
///    it is not, as in Ultralytics), its class is asked for, and its box is finite and has an area.
/// 3. Greedy suppression per class (`DetectionSettings.iou`, `.classAgnostic`) in model pixels, then the
///    limit `maxDetections`. An end-to-end head is only sorted and limited.
/// 4. Boxes are mapped to the picture and clipped; what lies wholly outside it is dropped and counted.
///
/// A decoder keeps its scratch memory: once grown, only the resulting array is allocated. It is a value;
/// use one for each task that decodes.
public struct DetectionDecoder: Sendable {
  /// Thresholds and limits.
  public let settings: DetectionSettings

  private var scan = CandidateScan()
  private var candidates = CandidateList()
  private var suppression = NonMaximumSuppression()

  /// Creates a decoder with empty scratch memory.
  public init(settings: DetectionSettings) {
    self.settings = settings
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
      suppression.run(
        candidates, iou: settings.iou, classAgnostic: settings.classAgnostic, limit: settings.maxDetections)
    }
    drops.truncated = suppression.truncated

    // Suppression does not mind: the overlap of two boxes is the same in either unit.
    let (scaleX, scaleY) =
      unit == .pixels ? (1, 1) : (Double(transform.modelWidth), Double(transform.modelHeight))
    var detections: [Detection] = []
    detections.reserveCapacity(suppression.kept.count)
    for index in suppression.kept.lazy.map(Int.init) {
      let box = transform.sourceBox(
        left: scaleX * Double(candidates.left[index]), top: scaleY * Double(candidates.top[index]),
        right: scaleX * Double(candidates.right[index]), bottom: scaleY * Double(candidates.bottom[index]))
      guard let box else {
        drops.outsidePicture += 1
        continue
      }
      detections.append(
        Detection(classID: Int(candidates.classID[index]), confidence: candidates.score[index], box: box))
    }
    return DetectionResult(detections: detections, drops: drops)
  }
}
