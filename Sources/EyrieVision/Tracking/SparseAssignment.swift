/// Assigns rows to columns so that the sum of costs is least, where a row may also stay alone at the price
/// of a limit.
///
/// Shortest augmenting paths with dual prices (Jonker and Volgenant 1987), over the edges that exist: a row
/// reaches only what is connected to it, so for objects apart from one another the cost is that of the
/// edges, and O(n³) where everything is connected. A row that stays alone has a column of its own, which no
/// other can reach. The result is deterministic. Scratch memory is kept.
struct SparseAssignment: Sendable {
  /// The column of each row; nil where it stays alone.
  var matches: some Sequence<(row: Int, column: Int)> {
    columnOfRow.enumerated().lazy.filter { $0.element >= 0 }.map { (row: $0.offset, column: Int($0.element)) }
  }

  private var limit = 0.0
  private var edgeStarts: [Int32] = [0]
  private var edgeColumns: [Int32] = []
  private var edgeCosts: [Double] = []

  private var columnOfRow: [Int32] = []
  private var rowOfColumn: [Int32] = []
  private var rowPrices: [Double] = []
  private var columnPrices: [Double] = []
  private var distances: [Double] = []
  private var predecessors: [Int32] = []
  /// Columns that were reached and not yet left, and those that were left.
  private var open: [Int32] = []
  private var closed: [Int32] = []

  /// Begins a problem without rows. `limit` is what a row costs that stays alone.
  mutating func begin(columns: Int, limit: Double) {
    self.limit = limit
    edgeStarts.removeAll(keepingCapacity: true)
    edgeStarts.append(0)
    edgeColumns.removeAll(keepingCapacity: true)
    edgeCosts.removeAll(keepingCapacity: true)
    Self.refill(&rowOfColumn, with: -1, count: columns)
    Self.refill(&columnPrices, with: 0, count: columns)
    Self.refill(&distances, with: .infinity, count: columns)
    Self.refill(&predecessors, with: -1, count: columns)
  }

  /// Adds a column to the row that is being described, once for each. The cost is finite and not negative;
  /// what costs more than the limit is never chosen.
  mutating func addEdge(column: Int, cost: Double) {
    edgeColumns.append(Int32(truncatingIfNeeded: column))
    edgeCosts.append(cost)
  }

  /// Ends the description of a row.
  mutating func endRow() {
    edgeStarts.append(Int32(truncatingIfNeeded: edgeColumns.count))
  }

  /// Solves the problem.
  mutating func solve() {
    let rows = edgeStarts.count - 1
    Self.refill(&columnOfRow, with: -1, count: rows)
    Self.refill(&rowPrices, with: 0, count: rows)
    for row in 0..<rows { place(row) }
  }

  /// Finds the cheapest way to place one more row, moving others where that is cheaper.
  private mutating func place(_ start: Int) {
    var row = start
    var reached = 0.0
    // The cheapest row, of those that could be moved, to leave alone.
    var alone = start
    var aloneDistance = Double.infinity
    var lastColumn: Int32?
    while true {
      let distance = reached + limit - rowPrices[row]
      if distance < aloneDistance { (alone, aloneDistance) = (row, distance) }
      reach(from: row, distance: reached)
      guard let next = takeNearest(closerThan: aloneDistance) else { break }
      if rowOfColumn[Int(next)] < 0 {
        lastColumn = next
        break
      }
      closed.append(next)
      reached = distances[Int(next)]
      row = Int(rowOfColumn[Int(next)])
    }
    let total = lastColumn.map { distances[Int($0)] } ?? aloneDistance
    rowPrices[start] += total
    for column in closed.lazy.map(Int.init) {
      let saved = total - distances[column]
      rowPrices[Int(rowOfColumn[column])] += saved
      columnPrices[column] -= saved
    }
    if let lastColumn {
      move(to: lastColumn, from: start)
    } else if alone != start {
      let freed = columnOfRow[alone]
      columnOfRow[alone] = -1
      move(to: freed, from: start)
    }
    for column in closed { distances[Int(column)] = .infinity }
    for column in open { distances[Int(column)] = .infinity }
    if let lastColumn { distances[Int(lastColumn)] = .infinity }
    closed.removeAll(keepingCapacity: true)
    open.removeAll(keepingCapacity: true)
  }

  private mutating func reach(from row: Int, distance: Double) {
    for edge in Int(edgeStarts[row])..<Int(edgeStarts[row + 1]) {
      let column = Int(edgeColumns[edge])
      // No reduced cost is negative, but for rounding: so no closed column gets nearer.
      let candidate = distance + max(edgeCosts[edge] - rowPrices[row] - columnPrices[column], 0)
      guard candidate < distances[column] else { continue }
      if distances[column] == .infinity { open.append(Int32(truncatingIfNeeded: column)) }
      distances[column] = candidate
      predecessors[column] = Int32(truncatingIfNeeded: row)
    }
  }

  /// Takes the nearest open column out; a free one among equals, which ends the search.
  private mutating func takeNearest(closerThan limit: Double) -> Int32? {
    var best: Int?
    var bestDistance = limit
    for index in open.indices {
      let column = Int(open[index])
      let distance = distances[column]
      if distance < bestDistance {
        (best, bestDistance) = (index, distance)
      } else if distance == bestDistance, rowOfColumn[column] < 0,
        best.map({ rowOfColumn[Int(open[$0])] >= 0 }) ?? true
      {
        best = index
      }
    }
    guard let best else { return nil }
    let column = open[best]
    open.swapAt(best, open.count - 1)
    open.removeLast()
    return column
  }

  /// Gives a column to its predecessor, that one's column to the next, and so on back to the start.
  private mutating func move(to column: Int32, from start: Int) {
    var column = column
    while column >= 0 {
      let row = predecessors[Int(column)]
      let freed = columnOfRow[Int(row)]
      columnOfRow[Int(row)] = column
      rowOfColumn[Int(column)] = row
      if Int(row) == start { return }
      column = freed
    }
  }

  private static func refill<T>(_ array: inout [T], with value: T, count: Int) {
    array.removeAll(keepingCapacity: true)
    array.append(contentsOf: repeatElement(value, count: count))
  }
}
