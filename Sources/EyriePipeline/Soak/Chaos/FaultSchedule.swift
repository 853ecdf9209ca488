/// Which faults come when. The same seed, sources and times make the same schedule.
struct FaultSchedule: Sendable {
  struct Fault: Sendable, Equatable {
    let kind: ChaosReport.Fault.Kind
    /// Seconds since the run began, as is the next.
    let at: Double
    let length: Double
  }

  /// How often and how long.
  struct Settings: Sendable {
    /// Between two faults of one source, in seconds; nil takes a thirtieth of the time, 15 to 120 s.
    var meanGap: Double?
    /// In seconds, as are the next three.
    var severed = 0.5...4.0
    var delayed = 0.3...2.0
    var stalled = 2.0...10.0
    /// After a source has recovered, it may lag for so long.
    var grace = 3.0
  }

  /// A target, and what happens to it, one after the other.
  struct Lane: Sendable {
    let target: String
    let faults: [Fault]
  }

  let sources: [Lane]
  let subscribers: [Lane]

  /// - Parameters:
  ///   - sources: their names, and whether each can be opened a second time.
  ///   - subscribers: the names of the endpoints.
  ///   - span: seconds since the run began.
  init(
    seed: UInt64, sources: [(name: String, canBeSevered: Bool)], subscribers: [String],
    span: ClosedRange<Double>, settings: Settings
  ) {
    var generator = SeededGenerator(seed: seed)
    let length = span.upperBound - span.lowerBound
    let gap = settings.meanGap ?? min(max(length / 30, 15), 120)
    func lane(_ target: String, _ kinds: [ChaosReport.Fault.Kind]) -> Lane {
      var faults: [Fault] = []
      // Not all at once: the first comes within one gap.
      var time = span.lowerBound + Double.random(in: 0.1...1, using: &generator) * min(gap, length / 2)
      while time < span.upperBound {
        let drawn = Int.random(in: 0..<kinds.count, using: &generator)
        let kind = faults.count < kinds.count ? kinds[faults.count] : kinds[drawn]
        let range =
          switch kind {
          case .sever: settings.severed
          case .delay: settings.delayed
          case .stall: settings.stalled
          }
        let fault = Fault(kind: kind, at: time, length: Double.random(in: range, using: &generator))
        guard fault.at + fault.length <= span.upperBound else { break }
        faults.append(fault)
        time += fault.length + Double.random(in: 0.5...1.5, using: &generator) * gap
      }
      return Lane(target: target, faults: faults)
    }
    self.sources = sources.map { lane($0.name, $0.canBeSevered ? [.sever, .delay] : [.delay]) }
    self.subscribers = subscribers.map { lane($0, [.stall]) }
  }
}

/// The same numbers for the same seed, on every machine.
///
/// Source: G. L. Steele, D. Lea and C. H. Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
