import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieMedia
import Foundation

/// What a run is to do: where pictures come from, which detectors look at them, and where events go. The options
/// of a command and a pipeline file both end in one of these.
public struct RunPlan: Sendable {
  var sources: [SourcePlan]
  var detectors: [DetectorPlan]
  /// Those that a stage takes from come before it.
  var objectStages: [ObjectStagePlan] = []
  var sinks: [SinkPlan]
  /// Stop after this many seconds; nil for no limit.
  public var duration: Double?
  /// Where to write the summary as JSON; nil for nowhere. `/dev/stdout` will do.
  public var summary: String?

  /// Keeps compiled models in a directory for the next start.
  public mutating func keepCompiledModels(in directory: String) {
    for index in detectors.indices { detectors[index].compile.cacheDirectory = directory }
    for index in objectStages.indices {
      guard case .look(var look) = objectStages[index].work else { continue }
      look.compile.cacheDirectory = directory
      objectStages[index].work = .look(look)
    }
  }

  /// Whether events, summary or picture go to stdout, where nothing else should then be printed.
  public var usesStandardOutput: Bool { OutputPaths(self).includesStandardOutput }
}

/// One input, and how it is read.
struct SourcePlan: Sendable {
  /// How a source that failed or ended is tried again.
  struct Reconnect: Sendable {
    var backoff = Backoff.live
    /// How many attempts in a row may fail; nil for no limit.
    var maxAttempts: Int?
  }

  /// Its name in events and topics.
  let id: SourceID
  let input: MediaInput
  var reading = VideoReader.Options()
  var pacing = RunOptions.Pacing.max
  var loop = false
  var maxFrames: Int?
  /// After how long without any change a picture counts as frozen; nil for never.
  var frozenAfter: Duration?
  /// nil: the end of the input is the end of the source, and its failure is final.
  var reconnect: Reconnect?
  /// By which a soak does harm to it; nil for none.
  var faults: SourceFaults?

  /// Whether frames come when they come, and not when they are asked for.
  var hasOwnPace: Bool { input.isLive || pacing == .realtime }
}

extension RunPlan {
  /// Lets files decode on several threads where cores are left over: a detector on many cores takes more frames than
  /// one thread decodes. Half of the cores at most, for inference needs more than decoding; and four, for each thread
  /// holds a frame. On few cores more threads only cost: see `VideoReader.Options.decoderThreads`.
  mutating func shareCores(_ cores: Int = ProcessInfo.processInfo.activeProcessorCount) {
    let share = min(4, cores / (2 * max(1, sources.count)))
    guard share > 1 else { return }
    for index in sources.indices
    where !sources[index].hasOwnPace && sources[index].reading.decoderThreads == 0 {
      sources[index].reading.decoderThreads = share
    }
  }
}

/// A detector with what brings pictures to its size.
struct DetectorPlan: Sendable {
  let name: String
  /// The model package, a directory or a single file.
  let model: String
  /// Whether a pipeline file asks for it, and not options.
  var isOfFile = false
  /// The sizes that it is compiled for come from the next two.
  var compile = CompileOptions()
  /// nil takes the model's own: as it is, or the longer side of it.
  var inputSize: DetectorInputSize?
  /// Whether a model with open height and width takes the least rectangle that holds the picture.
  var rect = true
  /// nil takes what the model says, as in the next four; else the default.
  var confidence: Double?
  var iou: Double?
  var classAgnostic: Bool?
  /// Labels of which boxes suppress one another within each group.
  var groups: [[String]]?
  var maxDetections: Int?
  /// The labels to keep; nil keeps all.
  var classes: [String]?
  /// The least confidence by label, instead of `confidence`.
  var classConfidence: [String: Double] = [:]
  /// Detections with less than their least confidence, but more than this, are for a tracker; nil where there is none.
  var weakConfidence: Double?
  /// It looks at each frame of a source of which the number is a multiple of this.
  var every = 1
  var resizers: [ResizePlan] = []
}

extension DetectorPlan {
  /// What a setting is called where it was made, for messages: a key of the pipeline file, or an option.
  func key(_ name: String) -> String {
    isOfFile ? YAMLTree.path(YAMLTree.path("stages", self.name), name) : "--\(name.replacing("_", with: "-"))"
  }

  /// Chooses between frames a second and their latency by what the detector sees.
  ///
  /// A single camera gets all cores for each frame. If it gives more than can be detected, a frame that waits in a
  /// request grows old where a newer one could have taken its place: there is none to spare, and latency stays under
  /// two inference times and a frame interval. Several sources fill the cores side by side, as files do: without a
  /// request to spare a core is idle while the next frame is scaled. With one, six sources on two cores gave 85 to 91
  /// frames a second in place of 75 to 80, and none was older.
  mutating func tune(for sources: [SourcePlan]) {
    let names = Set(resizers.flatMap(\.frames).map(\.from))
    let own = sources.filter { names.contains($0.id.value) }
    guard own.count == 1, own[0].hasOwnPace else { return }
    compile.spareRequests = 0
    compile.performance = .latency
  }
}

/// What brings pictures to the size of a detector.
struct ResizePlan: Sendable {
  let name: String
  /// The edges on which frames wait; `from` names sources.
  var frames: [EdgePlan]
  /// The edge to the detector; `from` is this stage.
  var results: EdgePlan
}

/// The queue between two stages.
struct EdgePlan: Sendable {
  let from: String
  /// nil for the default.
  var capacity: Int?
  /// nil for the default.
  var overflow: OverflowPolicy?
}

/// A place where detections go.
struct SinkPlan: Sendable {
  enum Target: Sendable {
    /// Events to subscribers, after so many subscriptions.
    case zeromq(endpoint: String, waitSubscribers: Int)
    /// Events to a file, one a line.
    case jsonl(path: String)
    /// A picture of a few frames with their boxes.
    case annotate(path: String)
  }

  let name: String
  let target: Target
  /// What says so: an option or the key in a pipeline file, for messages.
  let origin: String
  /// `from` names detectors and stages behind them.
  var edges: [EdgePlan]
}

extension RunPlan {
  /// The plan of a run without a pipeline file.
  /// - Throws: `EyrieFailure` of kind usage that names the option that is wrong.
  public init(_ options: RunOptions) throws(EyrieFailure) {
    try options.validate()
    let inputs = options.inputs.map { MediaInput($0) }
    sources = []
    for (input, name) in zip(inputs, Self.names(of: inputs, asked: options.source)) {
      sources.append(
        SourcePlan(
          id: try Self.sourceID(name), input: input, reading: options.reading, pacing: options.pacing,
          loop: options.loop, maxFrames: options.maxFrames,
          reconnect: options.reconnects(to: input) ? SourcePlan.Reconnect() : nil))
    }
    var detector = DetectorPlan(name: "detect", model: options.model)
    detector.compile = options.compileOptions
    detector.inputSize = options.inputSize
    detector.rect = options.rect
    detector.confidence = options.confidence
    detector.iou = options.iou
    detector.classAgnostic = options.classAgnostic
    detector.maxDetections = options.maxDetections
    detector.classes = options.classes
    detector.every = options.track ? options.every : 1
    detector.resizers = [
      ResizePlan(
        name: "resize", frames: sources.map { EdgePlan(from: $0.id.value, overflow: options.overflow) },
        results: EdgePlan(from: "resize"))
    ]
    detector.tune(for: sources)
    detectors = [detector]
    objectStages = try Self.objectStages(options, behind: detector.name)
    let edges = [EdgePlan(from: objectStages.last?.name ?? detector.name)]
    sinks = []
    if let endpoint = options.publish {
      let target = SinkPlan.Target.zeromq(endpoint: endpoint, waitSubscribers: options.waitSubscribers)
      sinks.append(SinkPlan(name: "zeromq", target: target, origin: "--publish", edges: edges))
    }
    if let path = options.jsonl {
      sinks.append(SinkPlan(name: "jsonl", target: .jsonl(path: path), origin: "--jsonl", edges: edges))
    }
    if let path = options.annotate {
      sinks.append(
        SinkPlan(name: "annotate", target: .annotate(path: path), origin: "--annotate", edges: edges))
    }
    duration = options.duration
    summary = options.summary
    keepWeakDetections()
    shareCores()
  }

  /// The names of inputs in events: what they are called, with a number where two are called the same.
  private static func names(of inputs: [MediaInput], asked: String?) -> [String] {
    if let asked { return [asked] }
    var taken: Set<String> = []
    return inputs.map { input in
      let name = input.shortName
      var candidate = name
      var number = 2
      while !taken.insert(candidate).inserted {
        candidate = "\(name)-\(number)"
        number += 1
      }
      return candidate
    }
  }

  /// - Throws: `EyrieFailure` of kind usage.
  static func checkDuration(_ duration: Double?) throws(EyrieFailure) {
    guard let duration, !(duration > 0 && duration < 1e9) else { return }
    throw EyrieFailure(.usage, "--duration \(duration): must be a positive number of seconds")
  }

  static func sourceID(_ name: String) throws(EyrieFailure) -> SourceID {
    do throws(EventError) {
      return try SourceID(name)
    } catch {
      throw EyrieFailure(.usage, "\(error)")
    }
  }
}
