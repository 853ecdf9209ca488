import EyrieMedia
import Foundation

/// What `eyrie bench INPUT …` is asked to do.
public struct BenchOptions: Sendable {
  /// Who else is measured.
  public enum Peer: String, Sendable, CaseIterable {
    /// Ultralytics' Python predictor.
    case ultralytics
  }

  /// The inputs, the model and how it is run. What it would publish is replaced.
  public var run: RunOptions
  /// How many times the inputs are played side by side.
  public var copies = 1
  /// How many rounds, each of which measures everything once.
  public var rounds = 5
  /// How long inference alone and the pipeline run in each round, in seconds.
  public var seconds = 5.0
  /// Whether to run 1, 4 and 16 sources too.
  public var scaling = false
  /// Who else is measured on the same input; nil for nobody.
  public var peer: Peer?
  /// The Python that has Ultralytics.
  public var python = "python3"
  /// What Ultralytics runs; nil for the model itself.
  public var weights: String?
  /// This program, for measurements in processes of their own; nil finds it.
  var executable: String?

  /// The defaults for a run.
  public init(_ run: RunOptions) {
    self.run = run
  }

  /// As many sources as are played.
  var sourceCount: Int { run.inputs.count * copies }

  /// Checks what can be checked without opening anything.
  /// - Throws: `EyrieFailure` of kind usage that names the option.
  func validate() throws(EyrieFailure) {
    guard (1...1_000).contains(rounds) else {
      throw EyrieFailure(.usage, "--rounds \(rounds): must be between 1 and 1000")
    }
    guard seconds >= 0.01, seconds < 100_000 else {
      throw EyrieFailure(.usage, "--seconds \(seconds): must be between 0.01 and 100000")
    }
    guard (1...256).contains(copies), sourceCount <= 256 else {
      throw EyrieFailure(.usage, "--sources \(copies): 1 to 256 sources can be played")
    }
    try run.validate()
    if let live = run.inputs.map({ MediaInput($0) }).first(where: \.isLive) {
      throw EyrieFailure(.usage, "\(live): is live; a benchmark plays files, as fast as they go")
    }
    guard peer != nil || weights == nil else {
      throw EyrieFailure(.usage, "--weights: says what --against runs, which is missing")
    }
    guard peer == nil || sourceCount == 1 else {
      throw EyrieFailure(.usage, "--against: compares one source, and there are \(sourceCount)")
    }
    if let weights, !FileManager.default.fileExists(atPath: weights) {
      throw EyrieFailure(.usage, "--weights \(weights): there is no such file")
    }
  }

  /// The run of the pipeline: the events are made and encoded, as for a subscriber, and written to nowhere.
  var pipeline: RunOptions {
    var options = run
    options.inputs = Array(repeating: run.inputs, count: copies).flatMap(\.self)
    options.source = nil
    options.publish = nil
    options.summary = nil
    options.annotate = nil
    options.jsonl = "/dev/null"
    options.loop = true
    options.duration = seconds
    return options
  }
}

extension EyrieFailure {
  /// A benchmark was stopped before its first round was complete.
  static let nothingMeasured = EyrieFailure(.stopped, "stopped before anything was measured")
}
