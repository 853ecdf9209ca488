import Foundation

/// Where the ticks of an axis are: at round numbers, about five of them.
struct AxisTicks: Equatable {
  let values: [Double]
  /// The distance of two ticks.
  let step: Double

  /// Ticks at 1, 2 or 5 times a power of ten.
  init(_ range: ClosedRange<Double>, about count: Int = 5) {
    let raw = (range.upperBound - range.lowerBound) / Double(count)
    guard raw > 0, raw.isFinite else {
      self.init(range, step: 1)
      return
    }
    let power = pow(10, log10(raw).rounded(.down))
    self.init(range, step: ([1, 2, 5].first { $0 * power >= raw * 0.999 } ?? 10) * power)
  }

  /// Ticks at what is round on a clock.
  init(seconds range: ClosedRange<Double>, about count: Int = 8) {
    let raw = (range.upperBound - range.lowerBound) / Double(count)
    let steps: [Double] = [
      1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800,
      345_600,
    ]
    self.init(range, step: steps.first { $0 >= raw } ?? 691_200)
  }

  private init(_ range: ClosedRange<Double>, step: Double) {
    let first = (range.lowerBound / step).rounded(.up)
    let last = (range.upperBound / step + 1e-9).rounded(.down)
    let isDrawable = last >= first && last - first < 1000
    values = isDrawable ? stride(from: first, through: last, by: 1).map { $0 * step } : []
    self.step = step
  }

  /// A tick without digits that say nothing.
  func label(_ value: Double) -> String {
    let digits = max(0, min(6, -Int(log10(step).rounded(.down))))
    return String(format: "%.\(digits)f", value)
  }
}
