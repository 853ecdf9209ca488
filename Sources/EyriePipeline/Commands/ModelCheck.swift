import EyrieGraph
public import EyrieInference

/// `eyrie model check`: proves that a package is what was packed, and that on this machine it gives the results it
/// was packed with.
public struct ModelCheck: Sendable {
  /// What was found.
  public struct Report: Sendable, Codable, Equatable {
    /// Names this form of the report.
    public var schema = "eyrie.model_check/1"
    /// The name of the model.
    public var model: String
    /// The package.
    public var path: String
    /// How many files were compared with their SHA-256.
    public var filesCompared = 0
    /// What is damaged; nil for nothing. A damaged package is not run.
    public var damage: String?
    /// Whether the converter's own check passed; nil where it does not say. A model that failed it is not run.
    public var validationPassed: Bool?
    /// What the converter compared the model with.
    public var validationReference: String?
    /// The golden file's input and outputs, in one arithmetic after the other.
    public var replays: [GoldenReport] = []
    /// Whether nothing is wrong.
    public var passed = false

    /// What is wrong, in one line; nil when it passed.
    public var failure: String? {
      if passed { return nil }
      if let damage { return damage }
      if validationPassed == false {
        return "\(path): the converter's own check failed: validation.passed is false; convert it again"
      }
      let differences = replays.compactMap(\.failure).joined(separator: "; ")
      return
        "\(path): the model does not give the results it was packed with, \(differences); convert it again"
    }
  }

  private let path: String
  private let precision: ExecutionPrecision?
  private let backend: ModelBackend

  /// - Parameters:
  ///   - path: a model package.
  ///   - precision: the arithmetic to run it in; nil for f32 and then for what `eyrie run` takes by itself.
  public init(_ path: String, precision: ExecutionPrecision? = nil) {
    self.init(path, precision: precision, backend: .system)
  }

  init(_ path: String, precision: ExecutionPrecision?, backend: ModelBackend) {
    self.path = path
    self.precision = precision
    self.backend = backend
  }

  /// Checks the files, then the results.
  /// - Parameter log: takes a line for each thing worth knowing.
  /// - Returns: what was found, also when the package failed.
  /// - Throws: `EyrieFailure` when there is nothing to check: no package, no golden file, a format that runs on
  ///   other systems only.
  public func run(log: @Sendable (String) -> Void) async throws(EyrieFailure) -> Report {
    do throws(ModelError) {
      let model = try await withBlockingThread(named: "model") { () throws(ModelError) in
        try backend.load(path, nil)
      }
      var report = Report(model: model.name, path: path)
      report.filesCompared = model.files.count { $0.sha256?.utf8.count == 64 }
      report.validationPassed = model.validation?.passed
      report.validationReference = model.validation?.reference
      if report.validationPassed == false { return report }
      try model.checkRunnable()
      let golden = try await withBlockingThread(named: "model") { () throws(ModelError) in
        try Golden.load(for: model)
      }
      guard let golden else {
        throw ModelError(
          .noGolden, path, "has no golden file to check it by; convert it with eyrie-convert to get one")
      }
      report.replays = try await replay(golden, model, log)
      report.passed = report.replays.allSatisfy(\.passed)
      return report
    } catch {
      switch error.code {
      case .corrupt: return Report(model: path, path: path, damage: error.description)
      case .backend: throw EyrieFailure(.run, "\(error)")
      default: throw EyrieFailure(.usage, "\(error)")
      }
    }
  }

  private func replay(
    _ golden: Golden, _ model: ModelDescription, _ log: @Sendable (String) -> Void
  ) async throws(ModelError) -> [GoldenReport] {
    for note in model.notes { log("model \(model.name): \(note)") }
    var reports: [GoldenReport] = []
    // Core ML chooses the arithmetic itself.
    let usual: [ExecutionPrecision] = model.format == .coreml ? [.auto] : [.f32, .auto]
    for wanted in precision.map({ [$0] }) ?? usual {
      var options = CompileOptions()
      options.precision = wanted
      let session = try await backend.compile(model, golden.options(options))
      for note in session.model.notes.dropFirst(model.notes.count) { log("model \(model.name): \(note)") }
      let executed = session.executedPrecision
      if reports.contains(where: { $0.precision == executed }) { continue }
      guard golden.hasTolerance(for: executed) else {
        log(
          "model \(model.name): the golden file states no tolerance for \(executed.rawValue): not compared in it"
        )
        continue
      }
      reports.append(try await golden.replay(on: session))
    }
    if reports.isEmpty {
      throw ModelError(
        .noGolden, golden.path,
        "states no tolerance for the arithmetic that was asked for; try --precision f32")
    }
    return reports
  }
}

extension ModelCheck.Report {
  /// The report as indented JSON, without a line break at the end.
  public func json() throws(EyrieFailure) -> String {
    String(decoding: try JSONFile.encode(self).dropLast(), as: UTF8.self)
  }
}
