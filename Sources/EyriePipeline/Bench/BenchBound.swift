/// How many frames a second a machine could do at best, worked out from parts that were measured alone.
///
/// Each frame must be decoded, scaled and inferred, and each of these takes CPU time, which the cores give once: the
/// bound is cores ÷ the sum. It is never above the rate of bare inference, which may leave cores idle.
///
/// Left out, so that it counts against the pipeline: what it does beyond these three (the detector's head and
/// suppression, events and their JSON, queues, hops between threads), and whatever makes work slower beside other
/// work than alone: caches and memory that it shares, a lower clock when all cores are busy, two threads of one
/// core. So the bound is not reached in full; how near the pipeline comes is its quality.
struct BenchBound: Sendable, Equatable {
  /// CPU time of one frame, in milliseconds.
  struct Cost: Sendable, Equatable {
    var inferenceMs = 0.0
    var decodeMs = 0.0
    var scaleMs = 0.0

    var sumMs: Double { inferenceMs + decodeMs + scaleMs }

    /// The mean of several, weighted by how many frames cost so much.
    static func mean(_ costs: [(cost: Cost, frames: Int)]) -> Cost {
      let total = Double(costs.reduce(0) { $0 + $1.frames })
      guard total > 0 else { return costs.first?.cost ?? Cost() }
      return costs.reduce(into: Cost()) { mean, entry in
        let share = Double(entry.frames) / total
        mean.inferenceMs += entry.cost.inferenceMs * share
        mean.decodeMs += entry.cost.decodeMs * share
        mean.scaleMs += entry.cost.scaleMs * share
      }
    }
  }

  let cost: Cost
  let rawInferenceFPS: Double
  let cores: Double

  /// Frames a second for which there is CPU time.
  var fpsOfCores: Double { cost.sumMs > 0 ? cores * 1_000 / cost.sumMs : .infinity }
  /// The bound in frames a second.
  var fps: Double { min(fpsOfCores, rawInferenceFPS) }

  /// The rate of inferences of several kinds, each at its own rate, that take turns.
  /// - Parameter rates: in inferences a second, and how many frames are of this kind.
  static func rate(_ rates: [(fps: Double, frames: Int)]) -> Double {
    let total = rates.reduce(0) { $0 + $1.frames }
    guard total > 0 else { return rates.first?.fps ?? 0 }
    let seconds = rates.reduce(0.0) { $0 + ($1.frames > 0 ? Double($1.frames) / $1.fps : 0) }
    return seconds > 0 ? Double(total) / seconds : 0
  }
}
