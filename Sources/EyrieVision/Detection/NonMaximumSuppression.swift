/// Greedy non-maximum suppression: from the best score down, a box is kept unless one that was kept
/// before, in the same group, overlaps it by more than the threshold.
///
/// A suppressed box suppresses nothing. Equal scores go by the lower anchor index. Weak candidates come after
/// all others, so that they suppress only weak ones, and have a limit of their own. At most `limit` boxes of
/// each kind are kept in a group, since no more could be reported: work is therefore bounded by candidates
/// times `limit`, even where nothing overlaps, and no candidate has to be cut off beforehand.
struct NonMaximumSuppression: Sendable {
  /// Candidate indices, best first: what was kept.
  private(set) var kept: [Int32] = []
  /// The same of the weak candidates.
  private(set) var keptWeak: [Int32] = []
  /// How many boxes that nothing suppressed were left out because of the limit, weak ones aside.
  private(set) var truncated = 0

  private var sorter = StableSorter()
  private var order: [Int32] = []
  private var ranks: [Int32] = []
  private var survives: [Bool] = []
  private var group = KeptBoxes()

  /// Fills `kept`, `keptWeak` and `truncated`.
  mutating func run(
    _ candidates: CandidateList, iou: Float, groups: SuppressionGroups, limit: Int
  ) {
    rank(candidates)
    ranks.removeAll(keepingCapacity: true)
    ranks.append(contentsOf: order.indices.lazy.map { Int32(truncatingIfNeeded: $0) })
    if !groups.isOne {
      sorter.sort(&ranks) { [order] in
        UInt32(bitPattern: groups.number(of: candidates.classID[Int(order[Int($0)])]))
      }
    }
    survives.removeAll(keepingCapacity: true)
    survives.append(contentsOf: repeatElement(false, count: candidates.count))

    truncated = 0
    var current: Int32?
    var strongCount = 0
    for rank in ranks {
      let index = Int(order[Int(rank)])
      let number = groups.number(of: candidates.classID[index])
      if number != current {
        current = number
        strongCount = 0
        group.removeAll()
      }
      let box = Corners(
        left: candidates.left[index], top: candidates.top[index], right: candidates.right[index],
        bottom: candidates.bottom[index])
      if group.suppress(box, threshold: iou) { continue }
      let isWeak = candidates.isWeak[index]
      if (isWeak ? group.count - strongCount : strongCount) < limit {
        group.append(box)
        if !isWeak { strongCount += 1 }
        survives[Int(rank)] = true
      } else if !isWeak {
        truncated += 1
      }
    }
    keep(candidates, limit: limit) { [survives] in survives[$0] }
  }

  /// Takes the best candidates up to `limit` without suppressing any.
  mutating func takeBest(_ candidates: CandidateList, limit: Int) {
    rank(candidates)
    truncated = 0
    keep(candidates, limit: limit) { _ in true }
  }

  /// Fills `kept` and `keptWeak` with the best up to the limit, and counts the rest.
  private mutating func keep(_ candidates: CandidateList, limit: Int, where survives: (Int) -> Bool) {
    kept.removeAll(keepingCapacity: true)
    keptWeak.removeAll(keepingCapacity: true)
    for rank in order.indices where survives(rank) {
      if candidates.isWeak[Int(order[rank])] {
        if keptWeak.count < limit { keptWeak.append(order[rank]) }
      } else if kept.count < limit {
        kept.append(order[rank])
      } else {
        truncated += 1
      }
    }
  }

  /// Sorts the candidate indices by descending score into `order`, the weak ones behind the others.
  private mutating func rank(_ candidates: CandidateList) {
    order.removeAll(keepingCapacity: true)
    order.append(contentsOf: (0..<candidates.count).lazy.map { Int32(truncatingIfNeeded: $0) })
    // Positive finite floats are ordered as their bit patterns are; the complement turns the order round.
    sorter.sort(&order) { ~candidates.score[Int($0)].bitPattern }
    if candidates.hasWeak { sorter.sort(&order) { candidates.isWeak[Int($0)] ? 1 : 0 } }
  }
}

/// The boxes kept in one group, sixteen to a row so that one candidate is compared with sixteen at once.
private struct KeptBoxes: Sendable {
  private static let lanes = 16

  private(set) var count = 0
  private var rows: [Row] = []

  private struct Row: Sendable {
    // Unused lanes are empty boxes at the origin, which overlap nothing.
    var left = SIMD16<Float>.zero
    var top = SIMD16<Float>.zero
    var right = SIMD16<Float>.zero
    var bottom = SIMD16<Float>.zero
  }

  mutating func removeAll() {
    count = 0
    rows.removeAll(keepingCapacity: true)
  }

  mutating func append(_ box: Corners) {
    let lane = count % Self.lanes
    if lane == 0 { rows.append(Row()) }
    let last = rows.count - 1
    rows[last].left[lane] = box.left
    rows[last].top[lane] = box.top
    rows[last].right[lane] = box.right
    rows[last].bottom[lane] = box.bottom
    count += 1
  }

  /// Whether a kept box overlaps `box` by more than `threshold`.
  func suppress(_ box: Corners, threshold: Float) -> Bool {
    for row in rows {
      let horizontal = (row.left .< box.right) .& (row.right .> box.left)
      let vertical = (row.top .< box.bottom) .& (row.bottom .> box.top)
      // Most boxes do not touch: the ratio is computed only where some do.
      guard any(horizontal .& vertical) else { continue }
      let left = row.left.replacing(with: box.left, where: row.left .< box.left)
      let top = row.top.replacing(with: box.top, where: row.top .< box.top)
      let right = row.right.replacing(with: box.right, where: row.right .> box.right)
      let bottom = row.bottom.replacing(with: box.bottom, where: row.bottom .> box.bottom)
      let intersection = (right - left) * (bottom - top)
      let areas = (row.right - row.left) * (row.bottom - row.top)
      let ratio = intersection / (areas + box.area - intersection)
      if any(horizontal .& vertical .& (ratio .> threshold)) { return true }
    }
    return false
  }
}
