extension ModelDescription {
  static let whereCoreMLRuns =
    "runs on macOS and other Apple systems; convert the model for this one too: eyrie-convert … --target openvino"

  /// Checks that nothing known from the outset speaks against running the model here. Describing it is always
  /// possible.
  /// - Throws: ``ModelError``: the converter's own check failed, or the format needs another system.
  public func checkRunnable() throws(ModelError) {
    if validation?.passed == false {
      let error = validation?.maxAbsError.flatMap(Self.text).map { " (max_abs_error \($0))" } ?? ""
      throw ModelError(
        .failedValidation, packageDirectory ?? path,
        "its converter found that it does not give the results of the original\(error): validation.passed is "
          + "false; convert it again")
    }
    #if !canImport(CoreML)
      if format == .coreml {
        throw ModelError(.unsupportedFormat, path, "is a Core ML model, which \(Self.whereCoreMLRuns)")
      }
    #endif
  }

  /// The arithmetic of a Core ML model, which its file fixes: only what was converted in float32 is computed in
  /// it, everywhere else half precision takes part.
  var coreMLPrecision: ExecutionPrecision { precision == .float32 ? .f32 : .f16 }

  private static func text(_ value: JSONValue) -> String? {
    switch value {
    case .integer(let number): "\(number)"
    case .number(let number): "\(number)"
    default: nil
    }
  }
}
