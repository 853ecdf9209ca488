/// What a benchmark measured. Its JSON has snake_case keys; numbers are in the unit that their name ends in.
public struct BenchReport: Sendable, Codable, Equatable {
  /// One input.
  public struct Input: Sendable, Codable, Equatable {
    /// Without credentials.
    public var name: String
    /// FFmpeg's name of the codec.
    public var codec: String
    /// Of the displayed picture, in pixels.
    public var width: Int
    /// Of the displayed picture, in pixels.
    public var height: Int
    /// How many sources play it.
    public var sources: Int
  }

  /// What was measured in one round.
  public struct Round: Sendable, Codable, Equatable {
    /// Inferences a second of the library's own asynchronous loop.
    public var rawInferenceFps: Double
    /// CPU time of one of them.
    public var inferenceCpuMs: Double
    /// CPU time to decode a frame.
    public var decodeCpuMs: Double
    /// CPU time to scale and letterbox a frame.
    public var scaleCpuMs: Double
    /// What these four allow: see `BenchBound`.
    public var boundFps: Double
    /// Frames a second of the whole pipeline.
    public var pipelineFps: Double
    /// CPU time of a frame in it.
    public var pipelineCpuMs: Double
    /// Cores that it kept busy.
    public var pipelineCpuCores: Double
    /// `pipelineFps` over `boundFps`.
    public var ratio: Double
    /// The CPU time of inference, decoding and scaling over `pipelineCpuMs`: what the pipeline itself costs is the
    /// rest. Rates fall when others take the cores; this hardly does.
    public var cpuRatio: Double
    /// The share of the machine that others took meanwhile, 0…1; null where that is not known.
    @OrNull public var othersCpuShare: Double?
  }

  /// The resident set of the process that measures, after each step.
  public struct Memory: Sendable, Codable, Equatable {
    var start: ResidentMemory
    var compiled: ResidentMemory
    var pipeline: ResidentMemory
    var peakMb: Double
  }

  /// Names this form of the report.
  public var schema = "eyrie.bench/2"
  /// What was played.
  public var inputs: [Input]
  /// How many sources there were.
  public var sources: Int
  /// The model as it ran, once for each size.
  public var models: [RunSummary.Model]
  /// The device that inferred.
  public var device: String
  /// Cores that the process may use.
  public var cpuCores: Double
  /// The rounds that are complete.
  public var rounds: [Round] = []
  /// The median of the rounds and their extremes, of everything in `Round`.
  public var rawInferenceFps = Spread()
  /// CPU time of one inference.
  public var inferenceCpuMs = Spread()
  /// CPU time to decode a frame.
  public var decodeCpuMs = Spread()
  /// CPU time to scale and letterbox a frame.
  public var scaleCpuMs = Spread()
  /// What these four allow.
  public var boundFps = Spread()
  /// Frames a second of the whole pipeline.
  public var pipelineFps = Spread()
  /// CPU time of a frame in it.
  public var pipelineCpuMs = Spread()
  /// Cores that it kept busy.
  public var pipelineCpuCores = Spread()
  /// The pipeline's rate over the bound.
  public var ratio = Spread()
  /// CPU time of the three parts over that of a frame in the pipeline.
  public var cpuRatio = Spread()
  /// The share of the machine that others took, 0…1.
  @OrNull public var othersCpuShare: Spread?
  /// The stages of the round whose ratio is the median.
  public var stages: [String: RunSummary.Stage] = [:]
  /// What limits the rate, in words.
  public var limit = ""
  /// What the process that measured held.
  public var memory: Memory
  /// One source and several, each in a process of its own; null if that was not asked for.
  @OrNull public var scaling: ScalingReport?
  /// Beside another program; null if that was not asked for.
  @OrNull public var against: PeerReport?

  /// The report as indented JSON, without a line break at the end.
  public func json() throws(EyrieFailure) -> String {
    String(decoding: try JSONFile.encode(self).dropLast(), as: UTF8.self)
  }
}

extension BenchReport {
  /// Puts the rounds together.
  /// - Parameter stages: those of each round.
  mutating func summarize(stages: [[String: RunSummary.Stage]]) {
    func spread(_ value: KeyPath<Round, Double>) -> Spread { Spread(rounds.map { $0[keyPath: value] }) }
    rawInferenceFps = spread(\.rawInferenceFps)
    inferenceCpuMs = spread(\.inferenceCpuMs)
    decodeCpuMs = spread(\.decodeCpuMs)
    scaleCpuMs = spread(\.scaleCpuMs)
    boundFps = spread(\.boundFps)
    pipelineFps = spread(\.pipelineFps)
    pipelineCpuMs = spread(\.pipelineCpuMs)
    pipelineCpuCores = spread(\.pipelineCpuCores)
    ratio = spread(\.ratio)
    cpuRatio = spread(\.cpuRatio)
    let others = rounds.compactMap(\.othersCpuShare)
    othersCpuShare = others.isEmpty ? nil : Spread(others)
    let byRatio = rounds.indices.sorted { rounds[$0].ratio < rounds[$1].ratio }
    if !byRatio.isEmpty {
      let middle = byRatio[(byRatio.count - 1) / 2]
      if stages.indices.contains(middle) { self.stages = stages[middle] }
    }
    limit = BenchLimit(self).description
  }
}
