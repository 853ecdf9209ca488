/// Another program beside Eyrie on the same video, each in a process of its own, in the same rounds.
public struct PeerReport: Sendable, Codable, Equatable {
  /// One of the two.
  public struct Side: Sendable, Codable, Equatable {
    /// Frames a second.
    public var fps: Spread
    /// The greatest resident set, loading included.
    public var peakMb: Spread
    /// How many objects it found in a frame, in the mean: whether both do the same work.
    public var detectionsPerFrame: Spread
  }

  /// One measurement of one of the two.
  struct Sample: Sendable, Equatable {
    var fps: Double
    var peakMb: Double
    var detectionsPerFrame: Double
  }

  /// Who.
  public var name: String
  /// Of it and of what it stands on: name → version.
  public var versions: [String: String]
  /// What it ran: a file, or Eyrie's model.
  public var model: String
  /// Eyrie.
  public var eyrie: Side
  /// The other.
  public var peer: Side
  /// Eyrie's rate over the other's, round by round.
  public var fpsRatio: Spread
  /// Eyrie's peak of memory over the other's, round by round.
  public var memoryRatio: Spread

  init(
    name: String, versions: [String: String], model: String, rounds: [(eyrie: Sample, peer: Sample)]
  ) {
    self.name = name
    self.versions = versions
    self.model = model
    eyrie = Self.side(rounds.map(\.eyrie))
    peer = Self.side(rounds.map(\.peer))
    fpsRatio = Spread(rounds.map { $0.eyrie.fps / $0.peer.fps })
    memoryRatio = Spread(rounds.map { $0.eyrie.peakMb / $0.peer.peakMb })
  }

  private static func side(_ samples: [Sample]) -> Side {
    Side(
      fps: Spread(samples.map(\.fps)), peakMb: Spread(samples.map(\.peakMb)),
      detectionsPerFrame: Spread(samples.map(\.detectionsPerFrame)))
  }
}
