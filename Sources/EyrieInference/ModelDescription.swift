/// Everything the runtime knows about one model: read from its package, from the metadata its
/// exporter left, or inferred from its shapes (then ``notes`` says what and why).
///
/// Encodes to the JSON that `eyrie model inspect` prints, with the field names of the package
/// schema `eyrie.model/1`.
public struct ModelDescription: Sendable, Codable, Equatable {
  /// A name for people and for events: the package's, else the file's without its extension.
  public var name: String
  /// What the model does.
  public var task: ModelTask
  /// The format of the model file.
  public var format: ModelFormat
  /// The number format of the weights; `nil` when neither metadata nor file tell.
  public var precision: ModelPrecision?
  /// The path of the file a backend opens (`.xml`, `.onnx`, `.mlpackage`).
  public var path: String
  /// The files of the model, the one at ``path`` first.
  public var files: [ModelFile]
  /// Where the model came from, as far as it says.
  public var source: ModelSource
  /// What the model takes.
  public var input: ModelInput
  /// What the model gives.
  public var output: ModelOutput
  /// How its detections are to be suppressed. Only meaningful for ``ModelTask/detect``.
  public var nms: SuppressionSettings
  /// How the converter checked the model; `nil` where nobody says.
  public var validation: ModelValidation?
  /// What the converter measured, as it wrote it.
  public var benchmark: JSONValue?
  /// What only matters to Core ML.
  public var coreml: CoreMLSettings?
  /// When the package was made, ISO 8601.
  public var createdAt: String?
  /// The versions of the programs that made it, as the converter wrote them.
  public var tools: JSONValue?
  /// The directory of the package, to which ``files`` and the golden file are relative; `nil` for a model
  /// without `conversion_metadata.json`.
  public var packageDirectory: String?
  /// What was inferred rather than read, one sentence each, for people.
  public var notes: [String]

  /// Describes a model.
  public init(
    name: String, task: ModelTask, format: ModelFormat, precision: ModelPrecision? = nil, path: String,
    files: [ModelFile] = [], source: ModelSource = ModelSource(), input: ModelInput, output: ModelOutput,
    nms: SuppressionSettings = SuppressionSettings(), validation: ModelValidation? = nil,
    coreml: CoreMLSettings? = nil, packageDirectory: String? = nil, notes: [String] = []
  ) {
    self.name = name
    self.task = task
    self.format = format
    self.precision = precision
    self.path = path
    self.files = files
    self.source = source
    self.input = input
    self.output = output
    self.nms = nms
    self.validation = validation
    self.coreml = coreml
    self.packageDirectory = packageDirectory
    self.notes = notes
  }

  enum CodingKeys: String, CodingKey {
    case name, task, format, precision, path, files, source, input, output, nms, validation, benchmark, coreml
    case createdAt = "created_at"
    case tools
    case packageDirectory = "package_directory"
    case notes
  }
}

/// One file of a model.
public struct ModelFile: Sendable, Codable, Equatable {
  /// Relative to the package directory, or to the directory of the model file.
  public var path: String
  /// Lower-case hexadecimal SHA-256 as the package states it; `nil` when it does not. Checked on load.
  public var sha256: String?

  /// Describes a file.
  public init(
    path: String, sha256: String? = nil
  ) {
    self.path = path
    self.sha256 = sha256
  }
}

/// Where a model came from.
public struct ModelSource: Sendable, Codable, Equatable {
  /// The name of the original, for example a checkpoint's or a repository's.
  public var name: String?
  /// The SHA-256 of the original file.
  public var sha256: String?
  /// What it was trained or exported with.
  public var framework: String?
  /// The version of that framework.
  public var version: String?
  /// The licence as the model states it, for example `AGPL-3.0 License (https://…)`.
  public var license: String?

  /// Describes a source.
  public init(
    name: String? = nil, sha256: String? = nil, framework: String? = nil, version: String? = nil,
    license: String? = nil
  ) {
    self.name = name
    self.sha256 = sha256
    self.framework = framework
    self.version = version
    self.license = license
  }
}
