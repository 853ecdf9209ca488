/// How a run talks to the person who started it. All closures are called from any thread and must not block
/// for long.
public struct RunReporter: Sendable {
  /// What a run has done so far.
  public struct Progress: Sendable {
    /// Frames whose events were made.
    public let frames: Int
    /// Frames a second since the last report.
    public let fps: Double
    /// All detections so far.
    public let detections: Int
    /// Frames lost so far.
    public let dropped: Int
    /// How far a file of known length has been played, 0…1.
    public let fraction: Double?
  }

  /// A line for the log.
  public let log: @Sendable (String) -> Void
  /// Called a few times a second while the run works; nil where nobody looks.
  public let progress: (@Sendable (Progress) -> Void)?

  /// - Parameters:
  ///   - log: takes a line for the log.
  ///   - progress: takes the state of the run; nil where nobody looks.
  public init(
    log: @escaping @Sendable (String) -> Void, progress: (@Sendable (Progress) -> Void)? = nil
  ) {
    self.log = log
    self.progress = progress
  }

  /// Says nothing.
  public static let silent = RunReporter(log: { _ in })
}
