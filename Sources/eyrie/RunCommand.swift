import ArgumentParser
import EyrieGraph
import EyrieMedia
import EyriePipeline
import Foundation

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Detect objects in a video and publish the events.",
    discussion: """
      EXAMPLES
        eyrie run street.mp4 --model models/yolov3-tiny --publish tcp://127.0.0.1:5555
        eyrie run street.mp4 --model yolov8n_openvino_model --classes person,car --jsonl events.jsonl
        eyrie run rtsp://user:p%40ss@camera/live --model models/yolov3-tiny --publish tcp://127.0.0.1:5555

        eyrie run entrance.mp4 yard.mp4 --model models/yolov3-tiny --jsonl events.jsonl
        eyrie run entrance.mp4 --model models/yolo-v8n-openvino --track --classify models/vit-openvino --jsonl events.jsonl
        eyrie run pipelines/file.yaml --duration 60

      What a pipeline file says cannot be overridden: beside it go only --summary and --duration.

      A summary table goes to stdout, everything else to stderr. SIGINT and SIGTERM stop the input and
      deliver what is in flight, within 3 seconds; a second signal ends at once.
      """)

  @Argument(
    help: ArgumentHelp(
      "A pipeline file (.yaml); or video files, images, image sequences (img_%03d.png) and addresses.",
      valueName: "input"))
  var inputs: [String]

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "A model package, an exported model directory, an .xml or an .onnx file.", valueName: "dir|file"))
  var model: String?

  @Option(
    help: ArgumentHelp(
      "The name of the source in events; taken from the input if not given.", valueName: "name"))
  var source: String?

  @Option(
    help: ArgumentHelp(
      "Publish events on this ZeroMQ endpoint, such as tcp://127.0.0.1:5555 or ipc:///tmp/eyrie.",
      valueName: "endpoint"))
  var publish: String?

  @Option(
    help: ArgumentHelp(
      "Wait for this many subscriptions (one for each topic of each subscriber) before the first frame (default: 0).",
      valueName: "n"))
  var waitSubscribers: Int?

  @OptionGroup var inference: InferenceOptions

  @Option(
    help: ArgumentHelp("Keep compiled models in this directory, for a faster next start.", valueName: "dir"))
  var modelCache: String?

  @Option(
    help: ArgumentHelp(
      "The least confidence of a detection, 0…1 (default: the model's, else 0.25).", valueName: "0…1"))
  var confidence: Double?

  @Option(
    help: ArgumentHelp(
      "Suppress the weaker of two boxes above this IoU, 0…1 (default: the model's, else 0.45).",
      valueName: "0…1"))
  var iou: Double?

  @Option(help: ArgumentHelp("Keep only these labels, separated by commas.", valueName: "labels"))
  var classes: String?

  @Flag(help: "Let boxes of different classes suppress one another.")
  var classAgnostic = false

  @Option(
    help: ArgumentHelp("The most detections of a frame (default: the model's, else 300).", valueName: "n"))
  var maxDetections: Int?

  @Flag(help: "Track objects: each gets an identity that it keeps from frame to frame.")
  var track = false

  @Option(
    help: ArgumentHelp(
      "Look at each object with this classifier (with --track: once, and not in every frame).",
      valueName: "dir|file"))
  var classify: String?

  @Option(
    help: ArgumentHelp(
      "Add an embedding of each object, by this model (such as CLIP).", valueName: "dir|file"))
  var embed: String?

  @Option(help: ArgumentHelp("Stop after this many frames.", valueName: "n"))
  var maxFrames: Int?

  @Option(
    help: ArgumentHelp(
      "Detect on each Nth frame only (default: 1); with --track, the others say where objects should be.",
      valueName: "n"))
  var every: Int?

  @Option(
    name: .customLong("max-fps"),
    help: ArgumentHelp("Detect on so many frames a second of an input at most.", valueName: "fps"))
  var maxFPS: Double?

  @Option(help: "Where to decode: none (the CPU, the default), auto, vaapi, cuda or videotoolbox.")
  var hardware: HardwareDecoding?

  @Option(help: ArgumentHelp("Threads of each decoder (default: chosen by size and cores).", valueName: "n"))
  var decoderThreads: Int?

  @Flag(help: "Keep the buffers of live inputs as short as they can be.")
  var lowLatency = false

  @Option(help: "Frames damaged by loss: flag (say so in their events, the default) or drop.")
  var damagedFrames: DamagedFrames?

  @Option(help: ArgumentHelp("Stop after this many seconds.", valueName: "s"))
  var duration: Double?

  @Option(
    help: "Play a file at the pace of its timestamps (realtime) or as fast as it goes (max, the default).")
  var pacing: RunOptions.Pacing?

  @Option(
    help: ArgumentHelp(
      "When frames come too fast: suspend (wait), dropOldest or dropNewest (default: files wait, live streams drop the oldest).",
      valueName: "policy"))
  var overflow: OverflowPolicy?

  @Flag(help: "Start a file again at its end.")
  var loop = false

  @Option(
    help:
      "What happens when the input fails or ends: auto (live inputs reconnect, the default), always or never."
  )
  var reconnect: RunOptions.Reconnection?

  @Option(help: "What carries an RTSP stream: tcp (the default), udp, or auto (udp first).")
  var rtspTransport: RTSPTransport?

  @Option(help: ArgumentHelp("How long opening the input may take (default: 8).", valueName: "s"))
  var openTimeout: Double?

  @Option(
    help: ArgumentHelp(
      "How long a read may wait for data (default: addresses 10, files and pipes no limit).", valueName: "s"))
  var readTimeout: Double?

  @Option(help: ArgumentHelp("Write a summary as JSON; - is stdout.", valueName: "file"))
  var summary: String?

  @Option(help: ArgumentHelp("Write the events, one a line; - is stdout.", valueName: "file"))
  var jsonl: String?

  @Option(help: ArgumentHelp("Write a JPEG picture of a few frames with their boxes.", valueName: "file"))
  var annotate: String?

  func run() async throws {
    let signals = SignalStop.shared
    let reporter = RunReporter(
      log: { Terminal.log($0) },
      progress: Terminal.hasInteractiveErrorOutput ? Self.showProgress : nil)
    let plan = try plan()
    let outcome = try await DetectionRun(plan).run(stop: signals.stop, reporter: reporter)
    Terminal.clearProgress()
    let table = Terminal.printable(SummaryTable(outcome).description)
    if plan.usesStandardOutput { Terminal.log(table) } else { try Terminal.result(table) }
    if outcome.leftBehind > 0, let code = signals.exitCode { throw ExitCode(code) }
  }

  @Sendable private static func showProgress(_ progress: RunReporter.Progress) {
    Terminal.showProgress(ProgressLine(progress: progress).description)
  }

  /// A dash is stdout, as everywhere.
  private static func place(_ argument: String?) -> String? { argument == "-" ? "/dev/stdout" : argument }

  private func plan() throws(EyrieFailure) -> RunPlan {
    if let file = inputs.first(where: PipelineFile.isNamed) { return try plan(of: file) }
    guard let model else {
      throw EyrieFailure(.usage, "--model is missing: name a model package or file (see 'eyrie run --help')")
    }
    var options = RunOptions(inputs: inputs, model: model)
    options.source = source
    options.publish = publish
    if let waitSubscribers { options.waitSubscribers = waitSubscribers }
    inference.apply(to: &options)
    options.modelCache = modelCache
    options.confidence = confidence
    options.iou = iou
    options.classes = classes?.split(separator: ",", omittingEmptySubsequences: false)
      .map { $0.trimmingCharacters(in: .whitespaces) }
    options.classAgnostic = classAgnostic ? true : nil
    options.maxDetections = maxDetections
    options.track = track
    options.classify = classify
    options.embed = embed
    options.maxFrames = maxFrames
    options.duration = duration
    if let every { options.every = every }
    options.maxFPS = maxFPS
    if let hardware { options.hardware = hardware }
    options.decoderThreads = decoderThreads
    options.lowLatency = lowLatency
    if let damagedFrames { options.damagedFrames = damagedFrames }
    if let pacing { options.pacing = pacing }
    options.overflow = overflow
    options.loop = loop
    if let reconnect { options.reconnect = reconnect }
    if let rtspTransport { options.rtspTransport = rtspTransport }
    if let openTimeout { options.openTimeout = openTimeout }
    options.readTimeout = readTimeout
    options.summary = Self.place(summary)
    options.jsonl = Self.place(jsonl)
    options.annotate = Self.place(annotate)
    return try RunPlan(options)
  }

  /// A pipeline file says everything itself, but for what is a matter of this one run.
  private func plan(of file: String) throws(EyrieFailure) -> RunPlan {
    if inputs.count > 1 {
      throw EyrieFailure(
        .usage, "\(file): a pipeline file names its inputs itself; nothing else goes beside it")
    }
    let fixed: [(option: String, isGiven: Bool)] =
      [
        ("--model", model != nil), ("--source", source != nil), ("--publish", publish != nil),
        ("--wait-subscribers", waitSubscribers != nil), ("--confidence", confidence != nil),
        ("--iou", iou != nil), ("--classes", classes != nil), ("--class-agnostic", classAgnostic),
        ("--max-detections", maxDetections != nil), ("--track", track),
        ("--classify", classify != nil), ("--embed", embed != nil), ("--max-frames", maxFrames != nil),
        ("--pacing", pacing != nil), ("--overflow", overflow != nil), ("--loop", loop),
        ("--reconnect", reconnect != nil), ("--rtsp-transport", rtspTransport != nil),
        ("--open-timeout", openTimeout != nil), ("--read-timeout", readTimeout != nil),
        ("--every", every != nil), ("--max-fps", maxFPS != nil), ("--low-latency", lowLatency),
        ("--hardware", hardware != nil), ("--decoder-threads", decoderThreads != nil),
        ("--damaged-frames", damagedFrames != nil), ("--jsonl", jsonl != nil),
        ("--annotate", annotate != nil),
      ] + inference.given
    if let other = fixed.first(where: \.isGiven) {
      throw EyrieFailure(
        .usage,
        "\(other.option): does not go with a pipeline file, which says everything itself: set it there")
    }
    let pipeline = try PipelineFile.open(file, environment: ProcessInfo.processInfo.environment)
    var plan = try pipeline.plan()
    plan.duration = duration
    if let modelCache { plan.keepCompiledModels(in: modelCache) }
    plan.summary = Self.place(summary)
    return plan
  }
}
