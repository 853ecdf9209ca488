/// Several measurements of one thing: the median, which an unlucky round does not move, and how far they went.
public struct Spread: Sendable, Codable, Equatable {
  /// The one in the middle; of an even number the mean of the two.
  public var median = 0.0
  /// The least.
  public var min = 0.0
  /// The greatest.
  public var max = 0.0

  /// Nothing was measured: zeros.
  init() {}

  /// - Parameter values: what was measured; what is not finite is left out.
  init(_ values: [Double]) {
    let sorted = values.filter(\.isFinite).sorted()
    guard let first = sorted.first, let last = sorted.last else { return }
    median = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    min = first
    max = last
  }
}
