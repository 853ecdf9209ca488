public import EyrieGraph
public import EyrieInference
public import EyrieMedia

/// What `eyrie run INPUT …` is asked to do.
public struct RunOptions: Sendable {
  /// How fast a file is played.
  public enum Pacing: String, Sendable, CaseIterable {
    /// As its timestamps say, like a camera.
    case realtime
    /// As fast as the graph takes the frames.
    case max
  }

  /// What happens when the input fails or ends.
  public enum Reconnection: String, Sendable, CaseIterable {
    /// A camera or a broadcast is opened again, for ever; anything else ends.
    case auto
    /// Any address is opened again, for ever: also HTTP.
    case always
    /// Its end is the end of the source, and its failure is final.
    case never
  }

  /// Paths or addresses; they share the detector.
  public var inputs: [String]
  /// The model package, a directory or a single file.
  public var model: String
  /// The name of a single source in events and topics; nil takes it from the input.
  public var source: String?
  /// The ZeroMQ endpoint to publish on; nil publishes nothing.
  public var publish: String?
  /// How many subscribers to wait for before the first frame; 0 waits a moment for one.
  public var waitSubscribers = 0
  /// The arithmetic that inference uses.
  public var precision = ExecutionPrecision.auto
  /// The size a dynamic model runs at; nil takes the model's own.
  public var inputSize: DetectorInputSize?
  /// Whether a dynamic model runs at the least rectangle of whole strides that holds the picture at the wanted longer
  /// side, as Ultralytics' `rect`, and not at a square. It finds the same in less time.
  public var rect = true
  /// A directory in which compiled models are kept for the next start; nil keeps none.
  public var modelCache: String?
  /// How many inferences may be under way at once; nil takes one more than the device
  /// runs at once.
  public var requests: Int?
  /// The least confidence of a detection, 0…1; nil takes the model's own, else 0.25.
  public var confidence: Double?
  /// The IoU above which the weaker of two boxes is suppressed, 0…1; nil takes the model's own, else 0.45.
  public var iou: Double?
  /// The labels to keep; nil keeps all.
  public var classes: [String]?
  /// Whether boxes of different classes suppress one another; nil takes the model's own, else false.
  public var classAgnostic: Bool?
  /// The most detections of a frame; nil takes the model's own, else 300.
  public var maxDetections: Int?
  /// Whether objects get identities.
  public var track = false
  /// A classifier that looks at each object: a model package; nil for none.
  public var classify: String?
  /// An embedding model that looks at each object: a model package; nil for none.
  public var embed: String?
  /// Stop after this many frames of each input; nil for no limit.
  public var maxFrames: Int?
  /// Detect on each Nth frame only. With `track`, the frames between are decoded too, and say where tracks are.
  public var every = 1
  /// The most frames a second of an input that are detected on, by their timestamps; nil for no limit.
  public var maxFPS: Double?
  /// Where to decode.
  public var hardware = HardwareDecoding.none
  /// Threads of each decoder; nil chooses.
  public var decoderThreads: Int?
  /// Whether buffers of live inputs are kept as short as they can be.
  public var lowLatency = false
  /// What becomes of frames that show damage.
  public var damagedFrames = DamagedFrames.flag
  /// Stop after this many seconds; nil for no limit.
  public var duration: Double?
  /// How fast a file is played.
  public var pacing = Pacing.max
  /// What happens when frames come faster than they are taken; nil lets files wait and live streams drop.
  public var overflow: OverflowPolicy?
  /// Whether to start a file again at its end.
  public var loop = false
  /// What happens when the input fails or ends.
  public var reconnect = Reconnection.auto
  /// What carries the pictures of an RTSP stream.
  public var rtspTransport = RTSPTransport.tcp
  /// How many seconds opening the input may take.
  public var openTimeout = 8.0
  /// How many seconds a read may wait; nil for 10 with addresses, and without limit with files and pipes.
  public var readTimeout: Double?
  /// Where to write the summary as JSON; nil for nowhere. `/dev/stdout` will do, for this and the next two.
  public var summary: String?
  /// Where to write the events, one a line; nil for nowhere.
  public var jsonl: String?
  /// Where to write a picture of a few frames with their boxes; nil for nowhere.
  public var annotate: String?

  /// The defaults for inputs and a model.
  public init(inputs: [String], model: String) {
    self.inputs = inputs
    self.model = model
  }

  /// The defaults for an input and a model.
  public init(input: String, model: String) {
    self.init(inputs: [input], model: model)
  }

  static let decoderThreadRange = 1...64

  /// Checks the numbers.
  /// - Throws: `EyrieFailure` of kind usage that names the option.
  public func validate() throws(EyrieFailure) {
    for (name, value) in [("--confidence", confidence), ("--iou", iou)] {
      if let value, !(0...1).contains(value) {
        throw EyrieFailure(.usage, "\(name) \(value): must be between 0 and 1")
      }
    }
    if let maxFrames, maxFrames < 1 {
      throw EyrieFailure(.usage, "--max-frames \(maxFrames): must be at least 1")
    }
    if !(1...10_000).contains(every) {
      throw EyrieFailure(.usage, "--every \(every): must be between 1 and 10000")
    }
    if let maxFPS, !(maxFPS >= 0.01 && maxFPS <= 1000) {
      throw EyrieFailure(.usage, "--max-fps \(maxFPS): must be between 0.01 and 1000 frames a second")
    }
    if let maxDetections, !(1...100_000).contains(maxDetections) {
      throw EyrieFailure(.usage, "--max-detections \(maxDetections): must be between 1 and 100000")
    }
    if let requests, !(1...256).contains(requests) {
      throw EyrieFailure(.usage, "--requests \(requests): must be between 1 and 256")
    }
    if let decoderThreads, !Self.decoderThreadRange.contains(decoderThreads) {
      throw EyrieFailure(.usage, "--decoder-threads \(decoderThreads): must be between 1 and 64")
    }
    try RunPlan.checkDuration(duration)
    for (name, value) in [("--open-timeout", openTimeout), ("--read-timeout", readTimeout ?? 1)]
    where !(value >= 0.001 && value <= 86_400) {
      throw EyrieFailure(.usage, "\(name) \(value): must be between 0.001 and 86400 seconds")
    }
    if reconnect == .always,
      let file = inputs.map({ MediaInput($0) }).first(where: { !$0.isRemote && !$0.isLive })
    {
      throw EyrieFailure(
        .usage, "--reconnect always: \(file): only an address can be opened again; --loop starts a file again"
      )
    }
    if source != nil, inputs.count > 1 {
      throw EyrieFailure(
        .usage, "--source: names one source, and there are \(inputs.count); a pipeline file names each")
    }
    if !(0...10_000).contains(waitSubscribers) {
      throw EyrieFailure(.usage, "--wait-subscribers \(waitSubscribers): must be between 0 and 10000")
    }
    if waitSubscribers > 0, publish == nil {
      throw EyrieFailure(
        .usage, "--wait-subscribers \(waitSubscribers): needs --publish, to which they connect")
    }
    if let publish, publish.hasPrefix("inproc:") {
      throw EyrieFailure(.usage, "--publish \(publish): no other process can subscribe there; use tcp or ipc")
    }
    if let classes, classes.isEmpty || classes.contains("") {
      throw EyrieFailure(
        .usage, "--classes: a label is empty; write labels separated by commas, or leave it out to keep all")
    }
    if inputs.isEmpty || inputs.contains("") {
      throw EyrieFailure(.usage, "the input is empty: name a file or an address")
    }
    for (name, model) in [("--classify", classify), ("--embed", embed)] where model?.isEmpty == true {
      throw EyrieFailure(.usage, "\(name) is empty: name a model package or file")
    }
    if model.isEmpty { throw EyrieFailure(.usage, "--model is empty: name a model package or file") }
  }

  /// Whether the input is opened again when it fails or ends.
  func reconnects(to input: MediaInput) -> Bool {
    switch reconnect {
    case .auto: input.isLive
    case .always: true
    case .never: false
    }
  }

  /// How the inputs are to be read.
  var reading: VideoReader.Options {
    var options = VideoReader.Options(
      openTimeout: .seconds(openTimeout), readTimeout: readTimeout.map { .seconds($0) },
      rtspTransport: rtspTransport, damagedFrames: damagedFrames)
    // A tracker fills in what the detector does not look at.
    options.every = track ? 1 : every
    options.maxFPS = maxFPS
    options.hardware = hardware
    options.decoderThreads = decoderThreads ?? 0
    options.lowLatency = lowLatency
    return options
  }

  /// How the model is to be compiled.
  var compileOptions: CompileOptions {
    var compile = CompileOptions()
    compile.precision = precision
    compile.requestCount = requests
    compile.cacheDirectory = modelCache
    return compile
  }
}
