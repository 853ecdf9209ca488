/// Why a model could not be loaded or compiled. One line that names the file, the reason and, where
/// there is one, the way out.
public struct ModelError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kind of a failure, for callers that act on it.
  public enum Code: String, Sendable {
    /// Nothing exists at the path, or it may not be read.
    case unreadable
    /// A directory without a model, or with several.
    case noSingleModel
    /// A file type Eyrie does not run, or not on this system.
    case unsupportedFormat
    /// Metadata that contradicts the schema or the model; the message names the key.
    case invalidMetadata
    /// A damaged or incomplete model file.
    case corrupt
    /// A sound model whose inputs or outputs Eyrie does not know how to use; the message names the shape.
    case unsupportedModel
    /// A model that does something else than what was asked for.
    case wrongTask
    /// An option the model or the device cannot fulfil.
    case invalidOption
    /// A model that, by its converter's own check, does not give the results it should.
    case failedValidation
    /// A package without a golden file, or one that cannot judge what was asked for.
    case noGolden
    /// A model that does not give the results that its package's golden file has for the same input.
    case failedGolden
    /// The inference library failed.
    case backend
  }

  /// The kind of the failure.
  public let code: Code
  /// The file or directory it is about.
  public let path: String
  /// The reason, without the path.
  public let reason: String

  /// Makes an error. Meant for backends and for those who check models.
  public init(_ code: Code, _ path: String, _ reason: String) {
    self.code = code
    self.path = path
    self.reason = reason
  }

  /// `PATH: REASON` in one line.
  public var description: String { oneLine("\(path): \(reason)") }
}

/// Why one inference failed.
public struct InferenceError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The reason in one line.
  public let description: String

  /// Makes an error from a reason. Meant for implementations of ``InferenceRequest``.
  public init(_ reason: String) {
    description = oneLine(reason)
  }
}

/// Replaces control characters (a label or path may hold any) so that a message stays one line and
/// cannot drive a terminal.
func oneLine(_ text: String) -> String {
  var result = String.UnicodeScalarView()
  for scalar in text.unicodeScalars {
    let isControl = scalar.properties.generalCategory == .control
    if isControl || scalar == "\u{2028}" || scalar == "\u{2029}" {
      if result.last != " " { result.append(" ") }
    } else {
      result.append(scalar)
    }
  }
  return String(result)
}
