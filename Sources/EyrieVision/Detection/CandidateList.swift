/// Boxes above the least confidence threshold, one array per property so that suppression can compare many
/// at once. In the order of their anchors; coordinates in pixels of the model input.
struct CandidateList: Sendable {
  private(set) var left: [Float] = []
  private(set) var top: [Float] = []
  private(set) var right: [Float] = []
  private(set) var bottom: [Float] = []
  private(set) var score: [Float] = []
  private(set) var classID: [Int32] = []
  /// Whether the score does not reach the threshold of the class.
  private(set) var isWeak: [Bool] = []
  private(set) var hasWeak = false

  var count: Int { score.count }

  /// Forgets the candidates and keeps the memory.
  mutating func removeAll() {
    left.removeAll(keepingCapacity: true)
    top.removeAll(keepingCapacity: true)
    right.removeAll(keepingCapacity: true)
    bottom.removeAll(keepingCapacity: true)
    score.removeAll(keepingCapacity: true)
    classID.removeAll(keepingCapacity: true)
    isWeak.removeAll(keepingCapacity: true)
    hasWeak = false
  }

  /// Adds a candidate whose score is positive and finite, or counts in `drops` why its box is no box, unless
  /// it is weak.
  mutating func append(
    _ corners: Corners, score: Float, classID: Int32, isWeak: Bool, drops: inout DetectionDrops
  ) {
    let area = corners.area
    guard corners.isFinite, area.isFinite else {
      if !isWeak { drops.nonFinite += 1 }
      return
    }
    guard corners.right > corners.left, corners.bottom > corners.top, area > 0 else {
      if !isWeak { drops.empty += 1 }
      return
    }
    left.append(corners.left)
    top.append(corners.top)
    right.append(corners.right)
    bottom.append(corners.bottom)
    self.score.append(score)
    self.classID.append(classID)
    self.isWeak.append(isWeak)
    if isWeak { hasWeak = true }
  }
}

/// The four edges of a box.
struct Corners {
  var left: Float
  var top: Float
  var right: Float
  var bottom: Float

  init(left: Float, top: Float, right: Float, bottom: Float) {
    self.left = left
    self.top = top
    self.right = right
    self.bottom = bottom
  }

  init(centreX: Float, centreY: Float, width: Float, height: Float) {
    let halfWidth = width / 2
    let halfHeight = height / 2
    left = centreX - halfWidth
    top = centreY - halfHeight
    right = centreX + halfWidth
    bottom = centreY + halfHeight
  }

  var area: Float { (right - left) * (bottom - top) }

  var isFinite: Bool { left.isFinite && top.isFinite && right.isFinite && bottom.isFinite }
}
