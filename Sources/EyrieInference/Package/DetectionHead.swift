/// What the output of a detector looks like: decided from its shape, with whatever else is known.
struct DetectionHead: Equatable {
  var layout: DetectionLayout
  var objectness: Bool
  /// `nil` when the shape does not tell (an end-to-end head) and there are no labels.
  var classCount: Int?
  /// Why, when it was not certain from the outset.
  var notes: [String] = []

  /// What is known besides the shape.
  struct Knowledge {
    var width: Int
    var height: Int
    var labelCount: Int?
    /// Whether the metadata calls the model a detector, and so none of segments, poses or oriented boxes.
    var isDetector = false
    /// What the metadata says about the head; `nil` when it says nothing.
    var isEndToEnd: Bool?
    var layout: DetectionLayout?
    var objectness: Bool?
  }

  /// One reading of a shape.
  private struct Reading: Equatable {
    var layout: DetectionLayout
    var features: Int
    /// −1 when it differs from run to run.
    var anchors: Int
    var objectness = false

    var classCount: Int { features - (objectness ? 5 : 4) }
  }

  /// The forms that are understood, for messages.
  static let expectation =
    "[1,4+classes,anchors], [1,anchors,4+classes] (5+classes with objectness) or, end to end, [1,rows,6]"

  /// Rows of an end-to-end head: its `max_det`, 300 by default, rarely more than this.
  private static let maximumRowCount = 1_000
  /// What exporters set it to: these are rows even where a small input has as many anchors.
  private static let usualRowCounts: Set = [100, 300]

  /// Decides how to read a shape.
  /// - Parameter given: three axes, batch first. Two axes are read as three without a batch, and axes of
  ///   length 1 that are too many are passed over, where the anchors then fit the input size.
  /// - Returns: the decision, or a sentence that says why there is none.
  static func decide(shape given: [Int], knowing known: Knowledge) -> Result<DetectionHead, Refusal> {
    if isFeatureMap(given, knowing: known) { return .failure(Refusal(reason: exportHint)) }
    guard let shape = threeAxes(of: given), shape[0] == 1 || shape[0] == -1 else {
      return .failure(Refusal(reason: "a detector gives \(expectation)"))
    }
    var all = readings(of: shape, knowing: known)
    if given.count != 3 {
      // Too little is certain about such a shape to go by its sizes alone.
      let grids = GridSizes(width: known.width, height: known.height)
      all.removeAll { $0.layout != .endToEnd && !grids.isKnown($0.anchors) && $0.layout != known.layout }
    }
    guard !all.isEmpty else {
      return .failure(Refusal(reason: "a detector gives \(expectation)"))
    }
    if let labels = known.labelCount {
      return decide(shape, among: all, labels: labels, knowing: known)
    }
    return decide(shape, among: all, knowing: known)
  }

  private static func threeAxes(of shape: [Int]) -> [Int]? {
    switch shape.count {
    case 2:
      // One row is a classifier's.
      return shape[0] == 1 ? nil : [1] + shape
    case 3...6:
      var rest = Array(shape.dropFirst())
      while rest.count > 2, let unit = rest.firstIndex(of: 1) { rest.remove(at: unit) }
      return rest.count == 2 ? [shape[0]] + rest : nil
    default: return nil
    }
  }

  /// Whether a shape is that of an undecoded level of a YOLO head: `[1,3,80,80,85]` or `[1,255,80,80]`.
  private static func isFeatureMap(_ shape: [Int], knowing known: Knowledge) -> Bool {
    func isMap(_ height: Int, _ width: Int) -> Bool {
      [8, 16, 32, 64].contains { stride in
        height == (known.height + stride - 1) / stride && width == (known.width + stride - 1) / stride
      }
    }
    switch shape.count {
    case 5:
      return shape[1] == 3
        && (shape[4] > 5 && isMap(shape[2], shape[3]) || shape[2] > 5 && isMap(shape[3], shape[4]))
    case 4: return shape[1] >= 18 && shape[1] % 3 == 0 && isMap(shape[2], shape[3])
    default: return false
    }
  }

  private static let exportHint =
    "these are the head's feature maps, not yet boxes; export it with the decoding inside, so that it gives "
    + "[1,anchors,5+classes] (YOLOv5: export.py without --train; YOLOv7: export.py --grid)"

  /// Why a shape is no detector's.
  struct Refusal: Error, Equatable {
    let reason: String
  }

  /// Every way to read the shape that the metadata leaves open.
  private static func readings(of shape: [Int], knowing known: Knowledge) -> [Reading] {
    var all: [Reading] = []
    for objectness in [false, true] where known.objectness ?? objectness == objectness {
      let least = objectness ? 6 : 5
      if shape[1] >= least {
        all.append(
          Reading(
            layout: .featuresFirst, features: shape[1], anchors: shape[2], objectness: objectness))
      }
      if shape[2] >= least {
        all.append(
          Reading(layout: .anchorsFirst, features: shape[2], anchors: shape[1], objectness: objectness))
      }
    }
    if shape[2] == 6, known.objectness != true {
      all.append(Reading(layout: .endToEnd, features: 6, anchors: shape[1]))
    }
    return all.filter { reading in
      if let layout = known.layout, reading.layout != layout { return false }
      if let endToEnd = known.isEndToEnd, (reading.layout == .endToEnd) != endToEnd { return false }
      return true
    }
  }

  private static func decide(
    _ shape: [Int], among all: [Reading], labels: Int, knowing known: Knowledge
  ) -> Result<DetectionHead, Refusal> {
    let gridSizes = GridSizes(width: known.width, height: known.height)
    let fitting = all.filter { reading in
      // One box a cell means a head of YOLOv8 and later, without objectness: then a label is missing.
      // YOLOX has both, transposed, if its metadata says detector: an oriented-box head has five values
      // besides its classes too, and 84 values are those of COCO's 80 classes.
      if reading.objectness, known.objectness != true, gridSizes.isOneACell(reading.anchors) {
        guard known.isDetector, reading.layout == .anchorsFirst, reading.features != 84 else { return false }
      }
      return reading.layout == .endToEnd || reading.classCount == labels
    }
    guard !fitting.isEmpty else {
      let reason =
        "with \(labels) classes it would have \(4 + labels) values an anchor, or 6 a row end to end "
        + "(a segmentation, pose or oriented-box model is no plain detector; if there is an objectness, say so "
        + "in output.objectness of a \(PackageMetadata.fileName))"
      return .failure(Refusal(reason: reason))
    }
    guard let (reading, why) = best(of: fitting, knowing: known) else {
      return .failure(ambiguity(shape))
    }
    var result = head(reading, labels: labels)
    if let why {
      result.notes.append("the output \(shapeText(shape)) could be read in several ways: \(why)")
    }
    if reading.objectness, known.objectness == nil {
      result.notes.append(
        "the output \(shapeText(shape)) has five values besides \(labels) class scores: the fifth was "
          + "taken for objectness")
    }
    return .success(result)
  }

  private static func decide(
    _ shape: [Int], among all: [Reading], knowing known: Knowledge
  ) -> Result<DetectionHead, Refusal> {
    if all.count == 1, known.layout != nil || known.isEndToEnd == true {
      return .success(head(all[0], labels: nil))
    }
    let gridSizes = GridSizes(width: known.width, height: known.height)
    let grid = all.first { gridSizes.isKnown($0.anchors) && $0.layout != .endToEnd }
    let rows = all.first { $0.layout == .endToEnd && $0.anchors <= maximumRowCount }
    if let grid, rows == nil || !usualRowCounts.contains(grid.anchors) {
      return fromGrid(grid, shape: shape, gridSizes: gridSizes, knowing: known)
    }
    if let rows {
      var result = head(rows, labels: nil)
      result.notes = [
        "the output \(shapeText(shape)) was taken for an end-to-end head: six values a row, and "
          + "\(rows.anchors < 0 ? "a number of rows that varies" : "too few rows for a grid")"
      ]
      return .success(result)
    }
    if all.contains(where: { $0.layout == .endToEnd }) { return .failure(ambiguity(shape)) }
    // There are far more anchors than features.
    let plain = all.filter { !$0.objectness && $0.layout != .endToEnd }
    if let reading = plain.first(where: { $0.anchors < 0 || $0.anchors / $0.features >= 4 }),
      !plain.contains(where: { $0 != reading && ($0.anchors < 0 || $0.anchors / $0.features >= 4) })
    {
      var result = head(reading, labels: nil)
      result.notes = [
        "the output \(shapeText(shape)) was read as \(reading.anchors < 0 ? "some" : "\(reading.anchors)") "
          + "anchors of \(reading.features) values by its sizes alone"
      ]
      return .success(result)
    }
    let reason =
      "its sizes do not tell anchors from features; state output.labels in a "
      + "conversion_metadata.json, or names in a metadata.yaml beside the model"
    return .failure(Refusal(reason: reason))
  }

  /// The anchors fit the grid of the input size; whether there is an objectness remains to be said.
  private static func fromGrid(
    _ reading: Reading, shape: [Int], gridSizes: GridSizes, knowing known: Knowledge
  ) -> Result<DetectionHead, Refusal> {
    var reading = reading
    var note =
      "the output \(shapeText(shape)) was read as \(reading.anchors) anchors of \(reading.features) "
      + "values: the strides of a \(known.width)×\(known.height) input give \(reading.anchors) anchors"
    // Three boxes a cell come from YOLOv3 to v7, whose exports keep the objectness. 84 = 4 + 80 classes of
    // COCO is the exception: then it was folded into the scores.
    let threeACell = !gridSizes.isOneACell(reading.anchors)
    if known.objectness == nil, let other = lookAlike(reading.features, threeACell: threeACell) {
      return .failure(
        Refusal(
          reason:
            "\(reading.features) values an anchor could be classes, or \(other): state output.labels in a "
            + "\(PackageMetadata.fileName), or names in a metadata.yaml beside the model"))
    }
    if known.objectness == nil, threeACell, reading.features >= 6, reading.features != 84 {
      reading.objectness = true
      note += ", three a cell, so that the fifth value was taken for objectness"
    }
    var result = head(reading, labels: nil)
    result.notes = [note]
    return .success(result)
  }

  /// What else the values of an anchor often are. Only metadata can tell.
  private static func lookAlike(_ features: Int, threeACell: Bool) -> String? {
    switch threeACell ? features - 1 : features {
    case 56: "one class and 17 key points of a pose model"
    case 116: "80 classes and 32 mask coefficients of a segmentation model"
    case 85 where !threeACell: "an objectness and 80 classes, as YOLOX has them"
    default: nil
    }
  }

  private static func ambiguity(_ shape: [Int]) -> Refusal {
    Refusal(
      reason: "it could be \(shape[1]) anchors of two classes, or of one class and an objectness, or "
        + "\(shape[1]) rows of an end-to-end head: state output.layout (anchors_first or end_to_end) and "
        + "output.objectness in a \(PackageMetadata.fileName)")
  }

  private static func head(_ reading: Reading, labels: Int?) -> DetectionHead {
    DetectionHead(
      layout: reading.layout, objectness: reading.objectness,
      classCount: reading.layout == .endToEnd ? labels : reading.classCount)
  }

  /// Chooses among readings that all fit the number of labels: `[1,8400,6]` with two classes is a grid,
  /// `[1,300,6]` with two classes is end to end. `nil` where nothing decides.
  private static func best(of fitting: [Reading], knowing known: Knowledge) -> (Reading, String?)? {
    // With one label or two, a row of six may be an anchor too, even one that fits none of the rules.
    let isStated = known.layout != nil || known.isEndToEnd == true || (known.labelCount ?? 0) > 2
    if fitting.count == 1, isStated || fitting[0].layout != .endToEnd { return (fitting[0], nil) }
    let gridSizes = GridSizes(width: known.width, height: known.height)
    let grid = fitting.first { $0.layout != .endToEnd && gridSizes.isKnown($0.anchors) }
    let rows = fitting.first { $0.layout == .endToEnd && $0.anchors <= maximumRowCount }
    if let grid, rows == nil || !usualRowCounts.contains(grid.anchors) {
      return (
        grid,
        "taken for a grid, since the strides of a \(known.width)×\(known.height) input give "
          + "\(grid.anchors) anchors"
      )
    }
    if let rows {
      if fitting.count == 1 { return (rows, nil) }
      return (
        rows,
        rows.anchors < 0
          ? "taken for end-to-end rows, since their number varies"
          : "taken for end-to-end rows, since \(rows.anchors) are too few for a grid"
      )
    }
    if fitting.contains(where: { $0.layout == .endToEnd }) { return nil }
    let reading = fitting.max { $0.anchors < $1.anchors } ?? fitting[0]
    return (reading, "taken for a grid of \(reading.anchors) anchors by its sizes")
  }
}
