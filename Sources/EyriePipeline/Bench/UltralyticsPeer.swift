import EyrieGraph
import EyrieInference
import EyrieVision
import Foundation

/// Ultralytics' Python predictor on the same video, in a process of its own.
///
/// As a user would run it: `YOLO(…).predict(source, stream=True, imgsz=…, device="cpu", verbose=False)` with the
/// thresholds of Eyrie's run; threads and rectangles as it chooses. It reads the next frame beside inference, and runs
/// OpenVINO with the latency hint, one inference at a time: neither can be chosen.
struct UltralyticsPeer: Sendable {
  /// Frames before the clock starts: the first ones touch memory and fill caches.
  static let warmUpFrames = 20

  private struct Request: Encodable {
    var model: String
    var source: String?
    var size: Int
    var confidence: Double
    var iou: Double
    var seconds: Double
    var warmup = UltralyticsPeer.warmUpFrames
  }

  private struct Answer: Decodable {
    var versions: [String: String]?
    var missing: String?
    var error: String?
    var frames: Int?
    var seconds: Double?
    var detections: Int?
  }

  private let python: String
  private let folder: URL
  private let request: Request
  /// What it runs, for the report.
  let modelName: String
  /// Of it and of what it stands on.
  let versions: [String: String]

  /// Finds Ultralytics, and lays the model out as it wants it.
  /// - Parameters:
  ///   - options: what to compare.
  ///   - detector: the model as Eyrie runs it.
  ///   - inputSize: the longer side of the model's input as it runs, in pixels.
  ///   - folder: where temporary files go; it exists, and somebody else removes it.
  /// - Throws: `EyrieFailure` of kind usage: how to install it, or that it cannot run the model.
  init(
    _ options: BenchOptions, detector: LoadedDetector, inputSize: Int, folder: URL, stop: StopSignal
  ) async throws(EyrieFailure) {
    self.folder = folder
    python = options.python
    let settings = detector.setup.settings
    modelName = options.weights ?? detector.proof.model.name
    let model: String
    if let weights = options.weights {
      model = URL(fileURLWithPath: weights).path
    } else {
      model = try Self.layOut(detector.proof.model, in: folder)
    }
    request = Request(
      model: model,
      size: inputSize, confidence: Double(settings.confidence), iou: Double(settings.iou),
      seconds: options.seconds)
    let answer = try await Self.ask(python, request, in: folder, stop: stop)
    if let missing = answer.missing {
      throw EyrieFailure(
        .usage,
        "--against ultralytics: \(python) does not have it (\(missing)): 'pip install ultralytics openvino' into a "
          + "virtual environment, and name its Python with --python")
    }
    guard let versions = answer.versions else { throw Self.garbage(python, "no versions") }
    self.versions = versions
  }

  /// Plays the video.
  func measure(_ source: String, stop: StopSignal) async throws(EyrieFailure) -> PeerReport.Sample {
    var request = request
    request.source =
      FileManager.default.fileExists(atPath: source) ? URL(fileURLWithPath: source).path : source
    let (answer, result) = try await Self.run(python, request, in: folder, stop: stop)
    guard let frames = answer.frames, let seconds = answer.seconds, frames > 0, seconds > 0, seconds.isFinite
    else { throw Self.garbage(python, "no frames") }
    return PeerReport.Sample(
      fps: Double(frames) / seconds, peakMb: result.peakMb,
      detectionsPerFrame: Double(answer.detections ?? 0) / Double(frames))
  }

  private static func ask(
    _ python: String, _ request: Request, in folder: URL, stop: StopSignal
  ) async throws(EyrieFailure) -> Answer {
    try await run(python, request, in: folder, stop: stop).answer
  }

  /// What plays the video there. The binary carries it, so that it needs no file beside it.
  private static var script: String { String(decoding: PackageResources.ultralytics_py, as: UTF8.self) }

  private static func run(
    _ python: String, _ request: Request, in folder: URL, stop: StopSignal
  ) async throws(EyrieFailure) -> (answer: Answer, result: ChildProcess.Result) {
    var child = ChildProcess(program: python)
    do {
      child.arguments = [
        "-c", Self.script, String(decoding: try JSONEncoder().encode(request), as: UTF8.self),
      ]
    } catch {
      throw EyrieFailure(.run, "the request to \(python) cannot be written: \(error)")
    }
    // It is to install nothing, to fetch nothing, and to write its settings where they are removed.
    child.environment = [
      "YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true", "YOLO_VERBOSE": "false",
      "YOLO_CONFIG_DIR": folder.path,
    ]
    child.limit = .seconds(request.seconds + 300)
    let result = try await child.run(stop: stop)
    let line = ChildProcess.Result.lastLine(result.output)
    guard result.code == 0 else {
      let why = ChildProcess.Result.lastLine(result.errors)
      throw EyrieFailure(.run, "\(python): failed with code \(result.code)" + (why.isEmpty ? "" : ": \(why)"))
    }
    guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(line.utf8)) else {
      throw garbage(python, line.isEmpty ? "nothing" : "'\(line)'")
    }
    if let error = answer.error { throw EyrieFailure(.run, "Ultralytics: \(error)") }
    return (answer, result)
  }

  private static func garbage(_ python: String, _ what: String) -> EyrieFailure {
    EyrieFailure(.run, "\(python): answered with \(what); it is to be a Python that has Ultralytics")
  }

  /// An OpenVINO model in a directory as Ultralytics exports one: links to the files, and `metadata.yaml`.
  /// - Returns: what `YOLO(…)` takes.
  /// - Throws: `EyrieFailure` of kind usage when Ultralytics would read the model wrong.
  static func layOut(_ model: ModelDescription, in folder: URL) throws(EyrieFailure) -> String {
    let input = model.input
    let isOrdinary =
      input.resize == .letterbox && input.channelOrder == .rgb && input.layout == .nchw
      && !input.embeddedPreprocessing && input.mean.allSatisfy { $0 == 0 } && input.std.allSatisfy { $0 == 1 }
    guard isOrdinary, !model.output.objectness, model.output.layout != .anchorsFirst else {
      throw EyrieFailure(
        .usage,
        "\(model.path): Ultralytics would read this model wrong, since none of its exports looks like it: name "
          + "what it is to run with --weights")
    }
    guard model.format == .openvino else { return URL(fileURLWithPath: model.path).path }
    let own = URL(fileURLWithPath: model.path)
    // It tells the format by the end of the name.
    let directory = folder.appendingPathComponent("model_openvino_model")
    let metadata = directory.appendingPathComponent("metadata.yaml")
    let exported = own.deletingLastPathComponent().appendingPathComponent("metadata.yaml")
    do {
      let manager = FileManager.default
      try manager.createDirectory(at: directory, withIntermediateDirectories: true)
      for suffix in ["xml", "bin"] {
        try manager.createSymbolicLink(
          at: directory.appendingPathComponent("model.\(suffix)"),
          withDestinationURL: own.deletingPathExtension().appendingPathExtension(suffix))
      }
      if manager.fileExists(atPath: exported.path) {
        try manager.copyItem(at: exported, to: metadata)
      } else {
        // JSON is YAML.
        try JSONEncoder().encode(Metadata(model)).write(to: metadata)
      }
    } catch {
      throw EyrieFailure(.run, "\(directory.path): cannot be made: \(error.localizedDescription)")
    }
    return directory.path
  }

  /// What an export of Ultralytics says of itself.
  private struct Metadata: Encodable {
    struct Arguments: Encodable {
      let dynamic: Bool
      let nms: Bool
    }

    let description: String
    let task = "detect"
    let batch = 1
    let channels = 3
    let stride: Int
    let imgsz: [Int]
    let names: [Int: String]
    let args: Arguments

    init(_ model: ModelDescription) {
      description = model.name
      stride = model.input.stride
      imgsz = [model.input.height, model.input.width]
      names = Dictionary(
        uniqueKeysWithValues: model.output.labels.enumerated().map { ($0.offset, $0.element) })
      args = Arguments(dynamic: model.input.dynamicSpatial, nms: model.output.layout == .endToEnd)
    }
  }
}
