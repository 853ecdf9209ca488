/// A line through points by least squares, and how far it can be trusted.
///
/// Memory and its like are no independent draws: what a process holds now, it mostly held a second ago. So the
/// standard error is that of ordinary least squares, widened by the autocorrelation r of the residuals to
/// √((1 + r) ÷ (1 − r)) times that: n samples say as much as n·(1 − r) ÷ (1 + r) independent ones.
///
/// Source: G. V. Bayley and J. M. Hammersley, "The 'Effective' Number of Independent Observations in an
/// Autocorrelated Time Series", 1946, for a process of first order.
struct LinearFit: Sendable, Equatable {
  struct Point: Sendable, Equatable {
    let x: Double
    let y: Double
  }

  /// In units of y for each unit of x.
  let slope: Double
  let intercept: Double
  /// Of the slope.
  let standardError: Double
  /// Of the residuals, from one point to the next; 0…0.99.
  let autocorrelation: Double
  /// Half the width of the interval that holds the true slope with 95 % confidence.
  let margin: Double

  /// - Returns: nil for fewer than three points, or points that are all at the same x.
  init?(_ points: [Point]) {
    let count = Double(points.count)
    guard points.count >= 3 else { return nil }
    let meanX = points.reduce(0) { $0 + $1.x } / count
    let meanY = points.reduce(0) { $0 + $1.y } / count
    var squares = 0.0
    var products = 0.0
    for point in points {
      squares += (point.x - meanX) * (point.x - meanX)
      products += (point.x - meanX) * (point.y - meanY)
    }
    guard squares > 0, squares.isFinite, products.isFinite else { return nil }
    slope = products / squares
    intercept = meanY - slope * meanX
    let residuals = points.map { [slope, intercept] in $0.y - intercept - slope * $0.x }
    let variance = residuals.reduce(0) { $0 + $1 * $1 }
    let neighbours = zip(residuals, residuals.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 }
    autocorrelation = variance > 0 ? min(max(neighbours / variance, 0), 0.99) : 0
    let widening = (1 + autocorrelation) / (1 - autocorrelation)
    standardError = (variance / (count - 2) / squares * widening).squareRoot()
    margin = Self.quantile(freedom: count / widening - 2) * standardError
  }

  /// What |t| does not exceed with a probability of 95 %: the table up to ten degrees of freedom, beyond it a fit
  /// that is within 0.5 %.
  static func quantile(freedom: Double) -> Double {
    let table = [12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23]
    guard freedom >= 1 else { return table[0] }
    return freedom < 11 ? table[Int(freedom) - 1] : 1.96 + 2.6 / freedom
  }
}
