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
  static let expectation = "[1,4+classes,anchors], [1,anchors,4+classes] or, end to end, [1,rows,6]"

  /// Rows of an end-to-end head: its `max_det`, 300 by default, rarely more than this.
  private static let maximumRowCount = 1_000

  /// Decides how to read a shape of three axes, batch first.
  /// - Returns: the decision, or a sentence that says why there is none.
  static func decide(shape: [Int], knowing known: Knowledge) -> Result<DetectionHead, Refusal> {
    guard shape.count == 3, shape[0] == 1 || shape[0] == -1 else {
      return .failure(Refusal(reason: "a detector gives \(expectation)"))
    }
    let all = readings(of: shape, knowing: known)
    guard !all.isEmpty else {
      return .failure(Refusal(reason: "a detector gives \(expectation)"))
    }
    if let labels = known.labelCount {
      return decide(shape, among: all, labels: labels, knowing: known)
    }
    return decide(shape, among: all, knowing: known)
  }

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
      // (YOLOX has both, but takes other input; its metadata has to say so.)
      if reading.objectness, known.objectness != true, gridSizes.isOneACell(reading.anchors) { return false }
      return reading.layout == .endToEnd || reading.classCount == labels
    }
    guard !fitting.isEmpty else {
      let reason =
        "with \(labels) classes it would have \(4 + labels) values an anchor, or 6 a row end to end "
        + "(a segmentation, pose or oriented-box model is no plain detector)"
      return .failure(Refusal(reason: reason))
    }
    let (reading, why) =
      fitting.count == 1 ? (fitting[0], nil) : best(of: fitting, knowing: known)
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
    if all.count == 1 { return .success(head(all[0], labels: nil)) }
    let gridSizes = GridSizes(width: known.width, height: known.height)
    if let reading = all.first(where: { gridSizes.isKnown($0.anchors) && $0.layout != .endToEnd }) {
      return .success(fromGrid(reading, shape: shape, gridSizes: gridSizes, knowing: known))
    }
    if let rows = all.first(where: { $0.layout == .endToEnd && $0.anchors <= maximumRowCount }) {
      var result = head(rows, labels: nil)
      result.notes = [
        "the output \(shapeText(shape)) was taken for an end-to-end head: six values a row, and "
          + "\(rows.anchors < 0 ? "a number of rows that varies" : "too few rows for a grid")"
      ]
      return .success(result)
    }
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
  ) -> DetectionHead {
    var reading = reading
    var note =
      "the output \(shapeText(shape)) was read as \(reading.anchors) anchors of \(reading.features) "
      + "values: the strides of a \(known.width)×\(known.height) input give \(reading.anchors) anchors"
    // Three boxes a cell come from YOLOv3 to v7, whose exports keep the objectness. 84 = 4 + 80 classes of
    // COCO is the exception: then it was folded into the scores.
    let threeACell = !gridSizes.isOneACell(reading.anchors)
    if known.objectness == nil, threeACell, reading.features >= 6, reading.features != 84 {
      reading.objectness = true
      note += ", three a cell, so that the fifth value was taken for objectness"
    }
    var result = head(reading, labels: nil)
    result.notes = [note]
    return result
  }

  private static func head(_ reading: Reading, labels: Int?) -> DetectionHead {
    DetectionHead(
      layout: reading.layout, objectness: reading.objectness,
      classCount: reading.layout == .endToEnd ? labels : reading.classCount)
  }

  /// Chooses among readings that all fit the number of labels: `[1,8400,6]` with two classes is a grid,
  /// `[1,300,6]` with two classes is end to end.
  private static func best(of fitting: [Reading], knowing known: Knowledge) -> (Reading, String?) {
    let gridSizes = GridSizes(width: known.width, height: known.height)
    if let reading = fitting.first(where: { $0.layout != .endToEnd && gridSizes.isKnown($0.anchors) }) {
      return (
        reading,
        "taken for a grid, since the strides of a \(known.width)×\(known.height) input give "
          + "\(reading.anchors) anchors"
      )
    }
    if let rows = fitting.first(where: { $0.layout == .endToEnd }), rows.anchors <= maximumRowCount {
      return (
        rows,
        rows.anchors < 0
          ? "taken for end-to-end rows, since their number varies"
          : "taken for end-to-end rows, since \(rows.anchors) are too few for a grid"
      )
    }
    let grids = fitting.filter { $0.layout != .endToEnd }
    let reading = grids.max { $0.anchors < $1.anchors } ?? fitting[0]
    return (reading, "taken for a grid of \(reading.anchors) anchors by its sizes")
  }
}

/// How many anchors a YOLO head has at a given input size.
struct GridSizes {
  private let onePerCell: Set<Int>
  private let threePerCell: Set<Int>

  /// Counts the cells of the stride sets that YOLO heads use: the usual three, with an extra coarse or fine
  /// level (P6, P2), and the two of the tiny models.
  init(width: Int, height: Int) {
    let strideSets = [[8, 16, 32], [8, 16, 32, 64], [4, 8, 16, 32], [16, 32]]
    let counts = strideSets.map { strides in
      strides.reduce(0) { sum, stride in
        // Sizes that are no multiple of a stride are rounded up by the convolutions.
        sum + ((width + stride - 1) / stride) * ((height + stride - 1) / stride)
      }
    }
    onePerCell = Set(counts)
    threePerCell = Set(counts.map { $0 * 3 })
  }

  func isOneACell(_ anchors: Int) -> Bool { onePerCell.contains(anchors) }
  func isKnown(_ anchors: Int) -> Bool { onePerCell.contains(anchors) || threePerCell.contains(anchors) }
}
