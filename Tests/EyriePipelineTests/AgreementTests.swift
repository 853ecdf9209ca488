import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieTestSupport
import Foundation
import Testing

@testable import EyriePipeline

/// What an independent detector says of the same videos with the same models. Thousands of frames: these run in
/// release, where the build is optimised.
@Suite(
  "Agreement with an independent reference",
  .enabled(if: isOptimised, "runs in release: swift test -c release"))
struct AgreementTests {
  static let sharedVideos = ["car-detection", "one-by-one-person-detection"]
  static let hasShared = SharedMaterial.isPresent

  @Test(
    "of YOLOv8n at f32: 99.5 % found, 0.5 % extra",
    .enabled(if: hasShared, Comment(rawValue: SharedMaterial.absence)), arguments: sharedVideos)
  func atFullPrecision(video: String) async throws {
    let found = try await detect(video, precision: .f32)
    let figures = try Agreement(found, reference: reference(video, "swscale"), least: 0.3)
    print("f32 against swscale reference, \(video): \(figures)")
    print(
      "f32 against cv2 reference, \(video): \(try Agreement(found, reference: reference(video, "cv2"), least: 0.3))"
    )
    #expect(figures.recall >= 0.995)
    #expect(figures.extra <= 0.005)
  }

  @Test(
    "of YOLOv8n at the default precision: 98 % found, 3 % extra",
    .enabled(if: hasShared, Comment(rawValue: SharedMaterial.absence)), arguments: sharedVideos)
  func atDefaultPrecision(video: String) async throws {
    let found = try await detect(video, precision: .auto)
    let figures = try Agreement(found, reference: reference(video, "swscale"), least: 0.3)
    print("default precision against swscale reference, \(video): \(figures)")
    #expect(figures.recall >= 0.98)
    #expect(figures.extra <= 0.03)
  }

  @Test(
    "of the demo's model on the demo's video: 99.5 % found, 0.5 % extra",
    .enabled(if: SharedMaterial.hasDemo, "needs the demo's model and video: make test fetches them"))
  func demo() async throws {
    let scratch = try Scratch()
    var options = RunOptions(input: SharedMaterial.demoVideo, model: SharedMaterial.demoModel)
    options.precision = .f32
    options.jsonl = scratch.path("events.jsonl")
    _ = try await DetectionRun(options).run(stop: StopSignal(), reporter: .silent)
    let found = try EventLog(path: scratch.path("events.jsonl")).detections
    let path = SharedMaterial.package
      .appendingPathComponent("converters/tests/reference/bikes.yolov3-tiny.jsonl").path
    let figures = try Agreement(found, reference: Agreement.Reference(path: path), least: 0.3)
    print("f32 against the reference, demo: \(figures)")
    #expect(figures.recall >= 0.995)
    #expect(figures.extra <= 0.005)
  }

  private func reference(_ video: String, _ kind: String) throws -> Agreement.Reference {
    try Agreement.Reference(
      path: SharedMaterial.path("reference/expected/\(video).yolov8n-int8.\(kind).jsonl"))
  }

  private func detect(_ video: String, precision: ExecutionPrecision) async throws -> [DetectionsEvent] {
    let scratch = try Scratch()
    var options = RunOptions(
      input: SharedMaterial.path("media/\(video).mp4"),
      model: SharedMaterial.path("models/yolov8n_int8_openvino_model"))
    options.precision = precision
    options.jsonl = scratch.path("events.jsonl")
    let summary = try await DetectionRun(options).run(stop: StopSignal(), reporter: .silent)
    let events = try EventLog(path: scratch.path("events.jsonl")).detections
    #expect(summary.frames.decoded == events.count)
    return events
  }
}

#if DEBUG
  let isOptimised = false
#else
  let isOptimised = true
#endif

/// How far two detectors say the same: partners are of one class with IoU ≥ 0.85, each used once.
struct Agreement: CustomStringConvertible {
  struct Reference {
    struct Frame: Decodable {
      struct Found: Decodable {
        let class_id: Int
        let confidence: Double
        let box: [Double]
      }
      let frame: Int
      let detections: [Found]
    }
    let frames: [Frame]

    init(path: String) throws {
      frames = try Data(contentsOf: URL(fileURLWithPath: path)).split(separator: UInt8(ascii: "\n"))
        .map { try JSONDecoder().decode(Frame.self, from: $0) }
    }
  }

  private struct Item {
    let classID: Int
    let confidence: Double
    let box: [Double]
  }

  private var wanted = 0
  private var matched = 0
  private var given = 0
  private var unmatched = 0

  /// The share of the reference's detections that have a partner.
  var recall: Double { wanted == 0 ? 1 : Double(matched) / Double(wanted) }
  /// The share of the found detections that have none.
  var extra: Double { given == 0 ? 0 : Double(unmatched) / Double(given) }

  var description: String {
    "found \(matched) of \(wanted) (\(recall)), extra \(unmatched) of \(given) (\(extra))"
  }

  init(_ events: [DetectionsEvent], reference: Reference, least: Double) throws {
    try #require(events.count == reference.frames.count)
    for (event, frame) in zip(events, reference.frames) {
      #expect(event.frame == frame.frame)
      let found = event.detections.map {
        Item(
          classID: $0.classID, confidence: $0.confidence,
          box: [$0.box.x, $0.box.y, $0.box.width, $0.box.height])
      }
      let expected = frame.detections.map {
        Item(classID: $0.class_id, confidence: $0.confidence, box: $0.box)
      }
      let forward = Self.partners(of: expected.filter { $0.confidence >= least }, among: found)
      wanted += forward.asked
      matched += forward.met
      let backward = Self.partners(of: found.filter { $0.confidence >= least }, among: expected)
      given += backward.asked
      unmatched += backward.asked - backward.met
    }
  }

  private static func partners(of items: [Item], among others: [Item]) -> (asked: Int, met: Int) {
    var used: Set<Int> = []
    var met = 0
    for item in items {
      let best = others.indices.filter { !used.contains($0) && others[$0].classID == item.classID }
        .max { overlap(others[$0].box, item.box) < overlap(others[$1].box, item.box) }
      if let best, overlap(others[best].box, item.box) >= 0.85 {
        used.insert(best)
        met += 1
      }
    }
    return (items.count, met)
  }

  private static func overlap(_ a: [Double], _ b: [Double]) -> Double {
    let width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    let height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    guard width > 0, height > 0 else { return 0 }
    return width * height / (a[2] * a[3] + b[2] * b[3] - width * height)
  }
}
