/// What `eyrie soak PIPELINE` is asked to do.
public struct SoakOptions: Sendable {
  /// The pipeline file.
  public var pipeline: String
  /// How long it runs, in seconds; where streams are to be found, how long each try is judged.
  public var duration: Double
  /// The directory of the report; it is made if it is not there.
  public var report: String
  /// From so many seconds on is judged; nil for a tenth of the duration, at most a minute.
  public var warmUp: Double?
  /// Seconds between two samples; nil for one, or a tenth of a duration under ten seconds.
  public var interval: Double?
  /// Whether sources are severed and delayed, and the subscriber is stalled.
  public var chaos = false
  /// What the schedule of faults is made of; nil for a new one.
  public var seed: UInt64?
  /// Whether to find out how many streams hold.
  public var findStreams = false

  /// The defaults.
  public init(pipeline: String, duration: Double, report: String) {
    self.pipeline = pipeline
    self.duration = duration
    self.report = report
  }

  /// In seconds.
  var effectiveWarmUp: Double { warmUp ?? min(60, duration * 0.1) }
  /// In seconds.
  var effectiveInterval: Double { interval ?? min(1, duration / 10) }

  /// Reads `90s`, `10m`, `2h`, `500ms`, or a number of seconds.
  /// - Throws: `EyrieFailure` of kind usage.
  public static func seconds(_ text: String, option: String) throws(EyrieFailure) -> Double {
    if let seconds = Double(text) ?? ValueReader.seconds(text), seconds.isFinite { return seconds }
    throw EyrieFailure(.usage, "\(option) \(text): is no duration: write 90s, 10m or 2h")
  }

  /// Checks the numbers.
  /// - Throws: `EyrieFailure` of kind usage that names the option.
  public func validate() throws(EyrieFailure) {
    func check(_ option: String, _ value: Double, _ range: ClosedRange<Double>) throws(EyrieFailure) {
      guard !range.contains(value) else { return }
      throw EyrieFailure(
        .usage,
        "\(option) \(SoakText.number(value))s: must be between \(ValueForm.shown(range.lowerBound))s and "
          + "\(ValueForm.shown(range.upperBound))s")
    }
    try check("--duration", duration, 1...2_592_000)
    if let interval { try check("--interval", interval, 0.1...60) }
    if let interval, interval > duration / 4 {
      throw EyrieFailure(
        .usage, "--interval \(SoakText.number(interval))s: must be a quarter of the duration at most")
    }
    if let warmUp { try check("--warmup", warmUp, 0...2_592_000) }
    if !findStreams, effectiveWarmUp > duration / 2 {
      throw EyrieFailure(
        .usage, "--warmup \(SoakText.number(effectiveWarmUp))s: must be half of the duration at most")
    }
    if findStreams, chaos {
      throw EyrieFailure(.usage, "--chaos: does not go with --streams find, which it would disturb")
    }
    if seed != nil, !chaos {
      throw EyrieFailure(.usage, "--seed: needs --chaos, whose schedule it makes")
    }
  }
}
