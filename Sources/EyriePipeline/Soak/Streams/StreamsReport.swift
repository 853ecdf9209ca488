/// How many streams a pipeline keeps up with.
public struct StreamsReport: Sendable, Codable, Equatable {
  /// One try.
  public struct Try: Sendable, Codable, Equatable {
    /// How many streams.
    public var streams: Int
    /// Whether it confirms a number that held before.
    public var isConfirmation: Bool
    /// Whether every stream kept up.
    public var holds: Bool
    /// The least real-time ratio of a stream.
    @OrNull public var realtimeRatio: Double?
    /// The greatest drop rate of a stream.
    @OrNull public var dropRate: Double?
    /// Frames published a second by all streams together.
    @OrNull public var fps: Double?
    /// CPU seconds for each second.
    @OrNull public var cpuCores: Double?
    /// Why it does not hold, if so.
    @OrNull public var reason: String?
  }

  /// The greatest number that holds, confirmed by a second run; 0 if not even one does.
  public var greatest: Int
  /// Whether the search ended at the greatest number that is tried at all, and more may hold.
  public var isAtMost: Bool
  /// How long each try was judged, after a warm-up of its own, in seconds.
  public var tryS: Double
  /// In seconds.
  public var warmUpS: Double
  /// In the order in which they were made.
  public var tries: [Try]
}
