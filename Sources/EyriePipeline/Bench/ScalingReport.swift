/// What more sources cost: each number of them ran in a process of its own.
public struct ScalingReport: Sendable, Codable, Equatable {
  /// Some number of sources.
  public struct Step: Sendable, Codable, Equatable {
    /// How many.
    public var sources: Int
    /// Frames a second of all together.
    public var fps: Spread
    /// CPU time of a frame.
    public var cpuMs: Spread
    /// The same over that with one source, round by round.
    public var cpuRatio: Spread
    /// The resident set while it ran.
    public var residentMb: Spread
    /// The greatest resident set, compiling included.
    public var peakMb: Spread
    /// What the resident set grew by for each source beyond the first; null for one source.
    @OrNull public var mbPerAddedSource: Spread?
  }

  /// How many sources are tried.
  static let counts = [1, 4, 16]

  /// By rising number of sources.
  public var steps: [Step]

  /// One measurement of one number of sources.
  struct Sample: Sendable, Equatable {
    var fps: Double
    var cpuMs: Double
    var residentMb: Double
    var peakMb: Double
  }

  /// - Parameter rounds: of each round one sample for each of the counts.
  init(counts: [Int] = Self.counts, rounds: [[Sample]]) {
    steps = counts.indices.map { index in
      func spread(_ value: (_ sample: Sample, _ one: Sample) -> Double) -> Spread {
        Spread(rounds.map { value($0[index], $0[0]) })
      }
      let added = Double(counts[index] - counts[0])
      return Step(
        sources: counts[index], fps: spread { sample, _ in sample.fps },
        cpuMs: spread { sample, _ in sample.cpuMs },
        cpuRatio: spread { $0.cpuMs / $1.cpuMs }, residentMb: spread { sample, _ in sample.residentMb },
        peakMb: spread { sample, _ in sample.peakMb },
        mbPerAddedSource: added > 0 ? spread { ($0.residentMb - $1.residentMb) / added } : nil)
    }
  }
}
