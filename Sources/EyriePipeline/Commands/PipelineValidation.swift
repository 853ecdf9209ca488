import Foundation

/// `eyrie validate`: every mistake of a pipeline file at once.
public struct PipelineValidation: Sendable, Encodable {
  /// A mistake as JSON.
  public struct Mistake: Sendable, Encodable {
    /// From 1.
    public let line: Int
    /// In Unicode scalars, from 1.
    public let column: Int
    /// The path of the key; empty for the file as a whole.
    public let key: String
    /// What is wrong and what was expected.
    public let message: String
    /// The known name that was probably meant.
    @OrNull public var suggestion: String?
  }

  /// Names this form of the report.
  public let schema = "eyrie.validation/1"
  /// The file as the user named it.
  public let file: String
  /// Whether there is no mistake.
  public let valid: Bool
  /// In the order of the file.
  public let mistakes: [Mistake]

  /// For a person: a line for each mistake, or one line that says what the file holds.
  public let lines: [String]

  private enum CodingKeys: CodingKey {
    case schema, file, valid, mistakes
  }

  /// Checks a file. Nothing that it names is opened.
  /// - Parameters:
  ///   - path: a YAML file; `-` for standard input.
  ///   - environment: what `${VARIABLE}` is taken from.
  public init(_ path: String, environment: [String: String]) {
    do throws(PipelineFileError) {
      let pipeline = try PipelineFile.load(path, environment: environment)
      file = pipeline.path
      valid = true
      mistakes = []
      lines = [pipeline.summary]
    } catch {
      file = error.mistakes.first?.file ?? path
      valid = false
      mistakes = error.mistakes.map {
        Mistake(
          line: $0.line, column: $0.column, key: $0.key, message: $0.message,
          suggestion: $0.suggestion)
      }
      lines = error.mistakes.map(\.description)
    }
  }

  /// The report as JSON, without a line feed at its end.
  public func json() throws(EyrieFailure) -> String {
    String(decoding: try JSONFile.encode(self).dropLast(), as: UTF8.self)
  }

  /// What the command fails with; nil when the file is valid.
  public var failure: EyrieFailure? {
    if valid { return nil }
    return EyrieFailure(.usage, "\(file): \(mistakes.count) mistake\(mistakes.count == 1 ? "" : "s")")
  }
}
