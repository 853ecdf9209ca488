import EyrieTestTools
import Testing

@testable import EyrieVision

@Suite struct SparseAssignmentTests {
  @Test(arguments: 0..<300)
  func costsTheLeast(seed: Int) {
    var random = SplitMix64(seed: UInt64(seed) &* 77 &+ 5)
    let (rows, columns) = (Int.random(in: 0...6, using: &random), Int.random(in: 0...6, using: &random))
    let density = Double.random(in: 0...1, using: &random)
    // Coarse costs, so that equal ones are frequent; some above the limit.
    let costs = (0..<rows).map { _ in
      (0..<columns).map { _ -> Double? in
        Double.random(in: 0...1, using: &random) < density
          ? Double(Int.random(in: 0...10, using: &random)) / 8 : nil
      }
    }
    var assignment = SparseAssignment()
    // Twice: nothing may remain of the first problem.
    for _ in 0..<2 {
      assignment.begin(columns: columns, limit: 0.75)
      for row in costs {
        for (column, cost) in row.enumerated() {
          if let cost { assignment.addEdge(column: column, cost: cost) }
        }
        assignment.endRow()
      }
      assignment.solve()
      let pairs = Array(assignment.matches)
      #expect(Set(pairs.map(\.row)).count == pairs.count && Set(pairs.map(\.column)).count == pairs.count)
      let total =
        pairs.reduce(0.75 * Double(rows - pairs.count)) { $0 + (costs[$1.row][$1.column] ?? .infinity) }
      #expect(abs(total - leastCost(costs[...], taken: [])) < 1e-9, "\(costs)")
    }
  }

  /// By trying everything.
  private func leastCost(_ costs: ArraySlice<[Double?]>, taken: Set<Int>) -> Double {
    guard let row = costs.first else { return 0 }
    var best = 0.75 + leastCost(costs.dropFirst(), taken: taken)
    for (column, cost) in row.enumerated() where !taken.contains(column) {
      guard let cost else { continue }
      best = min(best, cost + leastCost(costs.dropFirst(), taken: taken.union([column])))
    }
    return best
  }

  @Test func equalCostsAreNoTrouble() {
    var assignment = SparseAssignment()
    assignment.begin(columns: 300, limit: 0.8)
    for _ in 0..<310 {
      for column in 0..<300 { assignment.addEdge(column: column, cost: 0.25) }
      assignment.endRow()
    }
    assignment.solve()
    #expect(Array(assignment.matches).count == 300)
  }
}
