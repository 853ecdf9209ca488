import EyrieEvents
import EyrieInference
import EyrieVision

/// A stage behind detectors, which adds to what they found.
struct ObjectStagePlan: Sendable {
  enum Work: Sendable {
    /// Objects get identities.
    case track(TrackerSettings)
    /// A model looks at each object, or at the frame.
    case look(CropModelPlan)
  }

  let name: String
  var work: Work
  /// `from` names detectors and other stages of this kind.
  var edges: [EdgePlan]
}

/// A classifier or an embedding model, and what it looks at.
struct CropModelPlan: Sendable {
  enum Purpose: Sendable {
    /// So many labels at most, the best first, each with at least so much confidence.
    case classify(topK: Int, minConfidence: Double)
    case embed(EmbedDefinition.Subject, Embedding.Encoding)
  }

  /// Of the stage, for messages.
  let name: String
  /// The model package, a directory or a single file.
  let model: String
  let purpose: Purpose
  var compile = CropModelPlan.defaultCompileOptions
  /// The labels of the objects to look at; nil for all.
  var on: [String]?
  /// What is added on each side of a box, as a fraction of its width or height.
  var padding = 0.0
  /// The least width and height of a box in pixels of the displayed picture.
  var minBox = 16
  /// After how many seconds of the stream a track is looked at again; nil for never.
  var refresh: Double?
  /// How long a crop waits for others to go with it.
  var batchTimeout = Duration.milliseconds(10)
  /// How long a frame waits for a result, counted from when its crop was sent; nil for as long as it takes, but for
  /// `liveTimeout` or `trackTimeout` where a source has a pace of its own.
  var timeout: Duration?

  static let liveTimeout = Duration.seconds(1)
  /// Of a track: what comes later goes out with its later frames.
  static let trackTimeout = Duration.milliseconds(200)
  /// On two cores a ViT-B/16 gains 3 to 11 % a crop by going with others, hardly more beyond four; and meanwhile the
  /// detector has to share the cores.
  static let usualBatch = 4

  /// Whether it looks at frames and not at objects.
  var looksAtFrames: Bool {
    if case .embed(.frames, _) = purpose { true } else { false }
  }

  private static var defaultCompileOptions: CompileOptions {
    var options = CompileOptions()
    options.batch = usualBatch
    // All cores on one batch: a second one would only take them from the detector.
    options.performance = .latency
    options.requestCount = 1
    return options
  }
}

extension RunPlan {
  /// The detectors whose results a stage gives or takes, itself or by way of others.
  /// - Parameter names: of detectors and of stages behind them.
  func detectors(behind names: some Sequence<String>) -> Set<String> {
    var found: Set<String> = []
    var seen: Set<String> = []
    var open = Array(names)
    while let name = open.popLast() {
      guard seen.insert(name).inserted else { continue }
      if detectors.contains(where: { $0.name == name }) { found.insert(name) }
      open += objectStages.first { $0.name == name }?.edges.map(\.from) ?? []
    }
    return found
  }

  /// Where the results of a detector come out when all stages behind it have added to them: of several ways, the first.
  func lastStage(behind detector: String) -> String {
    var name = detector
    // A graph of stages has no cycles, but no more steps than stages either way.
    for _ in objectStages {
      guard let next = objectStages.first(where: { $0.edges.contains { $0.from == name } }) else { break }
      name = next.name
    }
    return name
  }

  /// Lets detectors keep what their trackers may need.
  mutating func keepWeakDetections() {
    for stage in objectStages {
      guard case .track(let settings) = stage.work else { continue }
      let behind = detectors(behind: [stage.name])
      for index in detectors.indices where behind.contains(detectors[index].name) {
        let low = Double(settings.lowConfidence)
        detectors[index].weakConfidence = min(detectors[index].weakConfidence ?? low, low)
      }
    }
  }

  /// The stages that the options of a command ask for, one after the other.
  static func objectStages(
    _ options: RunOptions, behind detector: String
  ) throws(EyrieFailure) -> [ObjectStagePlan] {
    var stages: [ObjectStagePlan] = []
    var last = detector
    func add(_ name: String, _ work: ObjectStagePlan.Work) {
      stages.append(ObjectStagePlan(name: name, work: work, edges: [EdgePlan(from: last)]))
      last = name
    }
    if options.track {
      do throws(VisionError) {
        add("track", .track(try TrackerSettings()))
      } catch {
        throw EyrieFailure(.usage, "--track: \(error)")
      }
    }
    func addLook(_ name: String, _ model: String, _ purpose: CropModelPlan.Purpose) {
      var look = CropModelPlan(name: name, model: model, purpose: purpose)
      // Whether the detector is quantised says nothing about this model.
      look.compile.precision = options.precision == .int8 ? .auto : options.precision
      look.compile.cacheDirectory = options.modelCache
      add(name, .look(look))
    }
    if let model = options.classify {
      addLook(
        "classify", model,
        .classify(
          topK: ClassifyDefinition.usualTopK, minConfidence: ClassifyDefinition.usualMinConfidence))
    }
    if let model = options.embed { addLook("embed", model, .embed(.crops, .base64)) }
    return stages
  }
}
