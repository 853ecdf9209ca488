#if canImport(CoreML)
  import CoreML
  import Foundation

  /// Runs Core ML models, on Apple systems.
  public enum CoreMLBackend {
    /// How many requests there are unless somebody says otherwise: one runs while the next is filled.
    private static let usualRequestCount = 2

    /// Compiles a loaded model for this machine and loads it for the processors that its package names.
    ///
    /// Core ML chooses the arithmetic itself, and the input has one size: of the options, the number of requests
    /// counts. Each request has a model of its own, for an `MLModel` may be used by one thread at a time.
    /// - Throws: ``ModelError`` when an option does not fit the model, or Core ML fails.
    public static func compile(
      _ description: ModelDescription, options: CompileOptions = CompileOptions()
    ) async throws(ModelError) -> InferenceSession {
      try description.checkRunnable()
      var model = description
      try check(options, &model)
      let compiled = try await CompiledCoreMLModel(description.path)
      let count = options.requestCount ?? usualRequestCount
      let result = await withCheckedContinuation { continuation in
        // Loading blocks for a while: not for a thread of Swift's pool.
        let thread = Thread { [model] in
          continuation.resume(
            returning: Result { () throws(ModelError) in try load(compiled, model, requests: count) })
        }
        thread.name = "model load"
        thread.start()
      }
      return try result.get()
    }

    private static func load(
      _ compiled: CompiledCoreMLModel, _ model: ModelDescription, requests count: Int
    ) throws(ModelError) -> InferenceSession {
      let units = model.coreml?.computeUnits ?? .all
      var requests: [any InferenceRequest] = []
      for _ in 0..<count {
        let loaded = try CoreMLModel(compiled, description: model, computeUnits: units)
        requests.append(NamedOutputRequest(loaded, description: model))
      }
      return InferenceSession(
        model: model, deviceName: "Core ML, \(units.rawValue)",
        executedPrecision: model.coreMLPrecision, requests: requests)
    }

    private static func check(_ options: CompileOptions, _ model: inout ModelDescription) throws(ModelError) {
      guard model.format == .coreml else {
        throw ModelError(.unsupportedFormat, model.path, "is no Core ML model")
      }
      if let count = options.requestCount, !(1...256).contains(count) {
        throw ModelError(
          .invalidOption, model.path, "a request count of \(count) is not possible; 1 to 256 are")
      }
      try options.checkBatch(model.path)
      try options.checkPrecision(of: model)
      if options.batch > 1 {
        model.notes.append(CompileOptions.onePictureNote(options.batch, "its input is one image"))
      }
      let width = options.inputWidth ?? model.input.width
      let height = options.inputHeight ?? model.input.height
      guard width == model.input.width, height == model.input.height else {
        throw ModelError(
          .invalidOption, model.path,
          "an input of \(width)×\(height) was asked for, but the model is fixed at "
            + "\(model.input.width)×\(model.input.height)")
      }
      if ![.auto, .int8, model.coreMLPrecision].contains(options.precision) {
        model.notes.append(
          "\(options.precision.rawValue) was asked for, but Core ML chooses the arithmetic itself: "
            + "\(model.coreMLPrecision.rawValue) for this model")
      }
    }
  }
#endif
