public import EyrieGraph
import EyrieInference
import EyrieMedia

/// Measures how much of the speed of bare inference the whole pipeline keeps.
///
/// Both are measured in one process, in turns, so that what else the machine does weighs on both alike. Only
/// their ratio means something.
public struct BenchRun: Sendable {
  /// What was measured.
  public struct Report: Sendable, Codable, Equatable {
    /// One turn: inference alone, then the pipeline.
    public struct Round: Sendable, Codable, Equatable {
      /// Inferences a second of the library's own asynchronous loop.
      public var rawFps: Double
      /// Frames a second of the pipeline.
      public var pipelineFps: Double
      /// The second over the first.
      public var ratio: Double
    }
    /// The resident set after each step.
    public struct Memory: Sendable, Codable, Equatable {
      var start: ResidentMemory
      var compiled: ResidentMemory
      var pipeline: ResidentMemory
      var peakMb: Double
    }
    /// Names this form of the report.
    public var schema = "eyrie.bench/1"
    /// The video, without credentials.
    public var input: String
    /// The model as it ran.
    public var model: RunSummary.Model
    /// The turns.
    public var rounds: [Round] = []
    /// The median of the rounds' ratios.
    public var ratio = 0.0
    /// What the process held.
    public var memory: Memory
  }

  private let options: RunOptions
  private let input: String
  private let rounds: Int
  private let secondsPerTurn: Double

  /// - Parameters:
  ///   - options: what to run; it publishes nothing.
  ///   - rounds: how many turns, at least 1.
  ///   - secondsPerTurn: how long each half of a turn takes.
  public init(_ options: RunOptions, rounds: Int, secondsPerTurn: Double) throws(EyrieFailure) {
    guard (1...1_000).contains(rounds) else {
      throw EyrieFailure(.usage, "--rounds \(rounds): must be between 1 and 1000")
    }
    guard secondsPerTurn > 0, secondsPerTurn < 100_000 else {
      throw EyrieFailure(.usage, "--seconds \(secondsPerTurn): must be a positive number of seconds")
    }
    try options.validate()
    guard options.inputs.count == 1, let input = options.inputs.first else {
      throw EyrieFailure(.usage, "a benchmark plays one input; name one")
    }
    self.options = options
    self.input = input
    self.rounds = rounds
    self.secondsPerTurn = secondsPerTurn
  }

  /// Runs all turns.
  /// - Parameters:
  ///   - stop: ends it from any thread; the turns that are complete are reported.
  ///   - log: takes a line after each turn.
  /// - Throws: `EyrieFailure`: a wrong option, input or model, or a stop before the first turn was complete.
  public func run(stop: StopSignal, log: @Sendable (String) -> Void) async throws(EyrieFailure) -> Report {
    var memory = Report.Memory(
      start: .current(), compiled: ResidentMemory(), pipeline: ResidentMemory(), peakMb: 0)
    var pipelineOptions = options
    pipelineOptions.loop = true
    pipelineOptions.duration = secondsPerTurn
    var report: Report?
    // A wrong input is to be reported before the first measurement.
    _ = try await Inspection.probe(input, decode: false, stop: stop)
    for number in 1...rounds {
      let raw = try await measureInference(&memory, stop: stop)
      if stop.isRequested { break }
      let summary: RunSummary
      do throws(EyrieFailure) {
        summary = try await DetectionRun(pipelineOptions).run(
          stop: StopSignal(linkedTo: stop), reporter: .silent)
      } catch {
        if error.kind == .stopped { break }
        throw error
      }
      if stop.isRequested { break }
      memory.pipeline = .current()
      memory.peakMb = summary.rssPeakMb
      let pipeline = summary.fps.mean ?? 0
      let round = Report.Round(
        rawFps: raw, pipelineFps: pipeline, ratio: pipeline / max(raw, .leastNonzeroMagnitude))
      log("round \(number): \(BenchTable.line(round))")
      guard let model = summary.models.first else { break }
      var made = report ?? Report(input: MediaInput(input).description, model: model, memory: memory)
      made.rounds.append(round)
      made.memory = memory
      report = made
    }
    guard var report else { throw EyrieFailure(.stopped, "stopped before anything was measured") }
    let ratios = report.rounds.map(\.ratio).sorted()
    report.ratio = ratios[ratios.count / 2]
    return report
  }

  /// Bare inference in a session of its own, which is gone before the pipeline makes its own.
  private func measureInference(_ memory: inout Report.Memory, stop: StopSignal) async throws(EyrieFailure)
    -> Double
  {
    let session: InferenceSession
    do throws(ModelError) {
      let proof = try await withBlockingThread(named: "model") { () throws(ModelError) in
        try ModelProof(options.model, expecting: .detect, by: .system)
      }
      session = try await proof.session(by: .system, options: options.compileOptions)
    } catch {
      throw EyrieFailure(.usage, "\(error)")
    }
    memory.compiled = .current()
    let loop = RawInferenceLoop(session: session)
    // The first inferences touch memory for the first time.
    _ = try await loop.run(for: .seconds(min(0.5, secondsPerTurn)), stop: stop)
    return try await loop.run(for: .seconds(secondsPerTurn), stop: stop)
  }
}

extension BenchRun.Report {
  /// The report as indented JSON, without a line break at the end.
  public func json() throws(EyrieFailure) -> String {
    String(decoding: try JSONFile.encode(self).dropLast(), as: UTF8.self)
  }
}
