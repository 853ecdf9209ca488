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
