/// How the converter checked a package before it wrote it.
public struct ModelValidation: Sendable, Codable, Equatable {
  /// What the model was compared with, for people.
  public var reference: String?
  /// The inputs that were compared, as the converter wrote them.
  public var inputs: JSONValue?
  /// The largest difference from the reference: one number, or one for each output.
  public var maxAbsError: JSONValue?
  /// How far decisions (top-1, top-5, boxes) agreed, as the converter wrote it.
  public var agreement: JSONValue?
  /// Whether the converter's check passed. A model of which this is false is not run.
  public var passed: Bool?
  /// The file with an input and the outputs that belong to it, relative to the package; see ``Golden``.
  public var golden: String?

  /// Describes a check.
  public init(
    reference: String? = nil, inputs: JSONValue? = nil, maxAbsError: JSONValue? = nil,
    agreement: JSONValue? = nil, passed: Bool? = nil, golden: String? = nil
  ) {
    self.reference = reference
    self.inputs = inputs
    self.maxAbsError = maxAbsError
    self.agreement = agreement
    self.passed = passed
    self.golden = golden
  }

  enum CodingKeys: String, CodingKey {
    case reference, inputs
    case maxAbsError = "max_abs_error"
    case agreement, passed, golden
  }
}

/// What a package says to Core ML.
public struct CoreMLSettings: Sendable, Codable, Equatable {
  /// The processors that a model may run on, in the names of coremltools.
  public enum ComputeUnits: String, Sendable, Codable, CaseIterable {
    case all = "ALL"
    case cpuAndGPU = "CPU_AND_GPU"
    case cpuOnly = "CPU_ONLY"
    case cpuAndNeuralEngine = "CPU_AND_NE"
  }

  /// Where to run the model; `nil` leaves it to Core ML.
  public var computeUnits: ComputeUnits?
  /// The oldest system that runs the model, such as `iOS15` or `macOS12`.
  public var minimumDeploymentTarget: String?
  /// Whether the converter arranged the model for the Neural Engine.
  public var aneOptimized: Bool?
  /// Which operations suit the Neural Engine, as the converter wrote it.
  public var aneReport: JSONValue?

  /// Describes the settings.
  public init(
    computeUnits: ComputeUnits? = nil, minimumDeploymentTarget: String? = nil, aneOptimized: Bool? = nil,
    aneReport: JSONValue? = nil
  ) {
    self.computeUnits = computeUnits
    self.minimumDeploymentTarget = minimumDeploymentTarget
    self.aneOptimized = aneOptimized
    self.aneReport = aneReport
  }

  enum CodingKeys: String, CodingKey {
    case computeUnits = "compute_units"
    case minimumDeploymentTarget = "minimum_deployment_target"
    case aneOptimized = "ane_optimized"
    case aneReport = "ane_report"
  }
}
