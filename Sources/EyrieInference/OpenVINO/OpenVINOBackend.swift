/// How a model is to be compiled. The defaults suit a pipeline that wants frames per second.
public struct CompileOptions: Sendable, Equatable {
  /// What the device is to be tuned for.
  public enum Performance: String, Sendable, Codable, CaseIterable {
    /// As many frames a second as possible: several requests side by side.
    case throughput
    /// Each frame as soon as possible: all cores on one request.
    case latency
  }

  /// The arithmetic to run in.
  public var precision: ExecutionPrecision = .auto
  /// What to tune for.
  public var performance: Performance = .throughput
  /// How many requests to make; `nil` for as many as the device runs at once, and `spareRequests`.
  public var requestCount: Int?
  /// How many requests there are beyond those that the device runs at once. With one, the next input is written
  /// while all others compute: more frames a second, of which each waits longer for its turn.
  public var spareRequests = 1
  /// How many threads compute; `nil` for the device's choice, all cores.
  public var threadCount: Int?
  /// How many requests compute side by side; `nil` for the device's choice.
  public var streamCount: Int?
  /// The input width in pixels to run at, for a model with dynamic size.
  public var inputWidth: Int?
  /// The input height in pixels to run at, for a model with dynamic size.
  public var inputHeight: Int?
  /// The most pictures that a request takes at once, 1 to 256. A model whose file cannot take several runs with
  /// one: ``InferenceSession/batch`` says so.
  ///
  /// It saves less than one would think. On two cores with AVX-512 BF16 a picture costs ViT-B/16 183 ms of CPU time
  /// alone and 177 in a batch of 8 with two requests side by side, 203 and 182 with one on all cores.
  public var batch = 1
  /// A directory in which compiled models are kept for the next start; `nil` keeps none. It is made if need be. One that
  /// cannot be used is left alone: the model is compiled as usual. What was damaged in it is not used.
  public var cacheDirectory: String?

  /// Makes the default options.
  public init() {}

  /// - Throws: ``ModelError`` where no model can take so many pictures at once.
  func checkBatch(_ path: String) throws(ModelError) {
    // More is a typing error, and would exhaust memory before it fails.
    guard (1...256).contains(batch) else {
      throw ModelError(.invalidOption, path, "a batch of \(batch) is not possible; 1 to 256 are")
    }
  }

  /// - Throws: ``ModelError`` where integers are asked of a model that has none.
  func checkPrecision(of model: ModelDescription) throws(ModelError) {
    guard precision == .int8, model.precision != .int8 else { return }
    throw ModelError(
      .invalidOption, model.path,
      "int8 was asked for, but the model is not quantised; convert it with --precision int8")
  }

  /// What ``ModelDescription/notes`` say where several pictures at once were asked for and cannot be had.
  static func onePictureNote(_ batch: Int, _ reason: String) -> String {
    "a batch of \(batch) was asked for, but the model is run with one picture at a time: \(reason)"
  }
}

/// Runs OpenVINO IR and ONNX models on the CPU.
public enum OpenVINOBackend {
  private static let device = "CPU"

  /// Compiles a loaded model. Blocks, for seconds with a large one: not for a thread of Swift's pool.
  /// - Throws: ``ModelError`` when an option does not fit the model, or OpenVINO fails.
  public static func compile(
    _ description: ModelDescription, options: CompileOptions = CompileOptions()
  ) throws(ModelError) -> InferenceSession {
    try check(options, description)
    let core = try OpenVINOCore.get()
    var model = description
    try resize(&model.input, options, path: description.path)
    let size = (height: model.input.height, width: model.input.width)
    let shape = model.input.layout.shape(width: size.width, height: size.height)
    var prepared = try PreparedModel.read(description.path, input: shape, with: core)
    guard prepared.outputs.indices.contains(model.output.index) else {
      throw ModelError(.unsupportedModel, description.path, "has changed since it was loaded")
    }
    model.output.shape = prepared.outputs[model.output.index].shape
    if options.batch > 1 {
      var reason = ""
      if let open = try prepared.taking(options.batch, input: shape, with: core, reason: &reason) {
        prepared = open
      } else {
        model.notes.append(CompileOptions.onePictureNote(options.batch, reason))
      }
    }

    let withPreprocessing = try prepared.model.takingBytes(model.input)
    let wanted = hint(for: options.precision, core: core)
    let compiled = try compile(withPreprocessing, of: model, options, precision: wanted, with: core)
    let executed = compiled.property("INFERENCE_PRECISION_HINT").flatMap(ExecutionPrecision.init) ?? wanted
    if ![.auto, .int8, executed].contains(options.precision) {
      model.notes.append(
        "\(options.precision.rawValue) was asked for, but this \(device) runs the model in \(executed.rawValue)"
      )
    }
    let optimal = compiled.property("OPTIMAL_NUMBER_OF_INFER_REQUESTS").flatMap { Int($0) } ?? 1
    // A spare one pays since a request is also held while it is filled and while its output
    // is read. The pipeline keeps 0.91 of the speed of bare inference with 3 requests on two cores, 0.88 with 2.
    let count = options.requestCount ?? optimal + max(0, options.spareRequests)
    var requests: [any InferenceRequest] = []
    for _ in 0..<count {
      requests.append(
        try OpenVINORequest(model: compiled, width: size.width, height: size.height, prepared: prepared))
    }
    let name = core.property("FULL_DEVICE_NAME", of: device) ?? device
    return InferenceSession(
      model: model, deviceName: name, executedPrecision: executed, requests: requests,
      batch: prepared.batch)
  }

  /// By way of the cache, where there is to be one.
  static func compile(
    _ prepared: OpenVINOModel, of model: ModelDescription, _ options: CompileOptions,
    precision: ExecutionPrecision, with core: OpenVINOCore, pinning: CorePinning = .shared
  ) throws(ModelError) -> OpenVINOCompiledModel {
    let right = pinning.take(for: options.performance)
    let properties = properties(options, precision: precision, pins: right != nil)
    guard let directory = options.cacheDirectory else {
      return try core.compile(prepared, device: device, properties: properties, pinning: right)
    }
    let key = CompiledModelCache.key(of: model, options: options, properties: properties, device: device)
    return try CompiledModelCache(directory: directory).compile(key: key) { place throws(ModelError) in
      try core.compile(
        prepared, device: device,
        properties: properties + (place.map { [(key: "CACHE_DIR", value: $0)] } ?? []), pinning: right)
    }
  }

  private static func check(
    _ options: CompileOptions, _ description: ModelDescription
  ) throws(ModelError) {
    try description.checkRunnable()
    guard description.format != .coreml else {
      throw ModelError(
        .unsupportedFormat, description.path, "is a Core ML model, which OpenVINO does not run")
    }
    try options.checkBatch(description.path)
    try options.checkPrecision(of: description)
    // Larger numbers are typing errors, and would exhaust memory before they fail.
    let counts = [
      ("request count", options.requestCount, 256), ("thread count", options.threadCount, 1024),
      ("stream count", options.streamCount, 256),
    ]
    for (name, value, most) in counts {
      if let value, !(1...most).contains(value) {
        throw ModelError(
          .invalidOption, description.path, "a \(name) of \(value) is not possible; 1 to \(most) are")
      }
    }
  }

  /// Takes over the size asked for, if the model can be run at it.
  private static func resize(
    _ input: inout ModelInput, _ options: CompileOptions, path: String
  ) throws(ModelError) {
    let width = options.inputWidth ?? input.width
    let height = options.inputHeight ?? input.height
    guard width != input.width || height != input.height else { return }
    guard input.dynamicSpatial else {
      throw ModelError(
        .invalidOption, path,
        "an input of \(width)×\(height) was asked for, but the model is fixed at \(input.width)×\(input.height); "
          + "export it with dynamic height and width")
    }
    for (name, value) in [("width", width), ("height", height)] {
      guard (1...ExportMetadata.maximumSide).contains(value), value % input.stride == 0 else {
        let below = max(1, min(value, ExportMetadata.maximumSide) / input.stride) * input.stride
        throw ModelError(
          .invalidOption, path,
          "an input \(name) of \(value) was asked for, but it must be a multiple of the model's stride "
            + "\(input.stride), for example \(below)")
      }
    }
    input.width = width
    input.height = height
  }

  /// What to ask OpenVINO for. It is quiet about a precision that it does not have.
  private static func hint(for precision: ExecutionPrecision, core: OpenVINOCore) -> ExecutionPrecision {
    guard precision == .auto || precision == .int8 else { return precision }
    let capabilities = core.property("OPTIMIZATION_CAPABILITIES", of: device)?.split(separator: " ") ?? []
    return capabilities.contains("BF16") ? .bf16 : .f32
  }

  private static func properties(
    _ options: CompileOptions, precision: ExecutionPrecision, pins: Bool
  ) -> [(key: String, value: String)] {
    var result = [
      (key: "INFERENCE_PRECISION_HINT", value: precision.rawValue),
      (key: "PERFORMANCE_HINT", value: options.performance.rawValue.uppercased()),
    ]
    // Else it is for OpenVINO to say: it does so where the system can.
    if !pins { result.append(("ENABLE_CPU_PINNING", "NO")) }
    if let count = options.requestCount { result.append(("PERFORMANCE_HINT_NUM_REQUESTS", "\(count)")) }
    if let count = options.threadCount { result.append(("INFERENCE_NUM_THREADS", "\(count)")) }
    if let count = options.streamCount { result.append(("NUM_STREAMS", "\(count)")) }
    return result
  }
}
