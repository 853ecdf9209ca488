/// Assigns detections to tracks by overlap.
struct Association: Sendable {
  /// What was assigned: positions in the lists that `solve` was given.
  var matches: some Sequence<(row: Int, column: Int)> { assignment.matches }

  private var assignment = SparseAssignment()
  /// The detections, one array for each edge: what is compared with every track.
  private var left: [Float] = []
  private var top: [Float] = []
  private var right: [Float] = []
  private var bottom: [Float] = []

  /// Finds the assignment with the greatest sum of overlaps.
  ///
  /// - Parameters:
  ///   - tracks: all tracks.
  ///   - rows: indices of those that take part.
  ///   - detections: all detections.
  ///   - columns: indices of those that take part.
  ///   - least: the intersection over union, less the penalty, that a pair must have.
  ///   - classPenalty: what a pair of different classes loses.
  ///   - margin: by which share of their own sizes expected and detected boxes are enlarged on each side.
  mutating func solve(
    _ tracks: [Track], _ rows: [Int32], _ detections: [Detection], _ columns: [Int32], least: Float,
    classPenalty: Float, margin: (Track) -> Float = { _ in 0 }
  ) {
    readEdges(of: detections, columns)
    assignment.begin(columns: columns.count, limit: Double(1 - least))
    for row in rows.lazy.map(Int.init) {
      let margin = margin(tracks[row])
      let expected = tracks[row].expected.enlarged(by: margin)
      if expected.isTrackable {
        let (x0, y0) = (expected.x, expected.y)
        let (x1, y1) = (expected.x + expected.width, expected.y + expected.height)
        for column in columns.indices {
          let (marginX, marginY) =
            (margin * (right[column] - left[column]), margin * (bottom[column] - top[column]))
          guard
            left[column] - marginX < x1, right[column] + marginX > x0, top[column] - marginY < y1,
            bottom[column] + marginY > y0
          else { continue }
          let detection = detections[Int(columns[column])]
          var overlap = expected.intersectionOverUnion(detection.box.enlarged(by: margin))
          if !tracks[row].knows(class: detection.classID) { overlap -= classPenalty }
          guard overlap > 0, overlap >= least else { continue }
          assignment.addEdge(column: column, cost: Double(1 - overlap))
        }
      }
      assignment.endRow()
    }
    assignment.solve()
  }

  private mutating func readEdges(of detections: [Detection], _ columns: [Int32]) {
    left.removeAll(keepingCapacity: true)
    top.removeAll(keepingCapacity: true)
    right.removeAll(keepingCapacity: true)
    bottom.removeAll(keepingCapacity: true)
    for column in columns.lazy.map(Int.init) {
      let box = detections[column].box
      left.append(box.x)
      top.append(box.y)
      right.append(box.x + box.width)
      bottom.append(box.y + box.height)
    }
  }
}

extension Box {
  fileprivate func enlarged(by margin: Float) -> Box {
    margin == 0
      ? self
      : Box(
        x: x - width * margin, y: y - height * margin, width: width * (1 + 2 * margin),
        height: height * (1 + 2 * margin))
  }

  /// Whether a track can live on it: finite, with an area.
  var isTrackable: Bool { isFinite && width > 0 && height > 0 }
}

extension Detection {
  /// Whether it can take part in tracking.
  var isTrackable: Bool { box.isTrackable }
}
