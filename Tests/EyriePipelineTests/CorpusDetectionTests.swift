import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieTestSupport
import Foundation
import Testing

@testable import EyriePipeline

/// Constant-output models: the JSON beside each says which boxes must come out, for five sizes of frame.
@Suite(
  "The detection corpus", .enabled(if: SharedMaterial.isPresent, Comment(rawValue: SharedMaterial.absence)))
struct CorpusDetectionTests {
  struct Case: Decodable {
    struct Result: Decodable {
      struct Settings: Decodable {
        let conf: Double
        let iou: Double
        let agnostic: Bool
        let max_det: Int
      }
      struct Frame: Decodable {
        let frame_wh: [Int]
        let detections: [Expected]
      }
      let settings: Settings
      let count: Int
      let frames: [Frame]?
    }
    struct Expected: Decodable {
      let box: [Double]
      let score: Double
      let cls: Int
    }
    let results: [Result]?
  }

  /// Every model with expectations for frames; the locator needs pictures, and has a test of its own.
  static let models: [String] = {
    let folder = SharedMaterial.path("corpus/models")
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return files.filter { $0.hasSuffix(".onnx") && !$0.hasPrefix("crop_") && !$0.hasPrefix("locator") }
      .map { String($0.dropLast(5)) }.filter { name in
        (try? load(name))?.results?.contains { $0.frames != nil } == true
      }
      .sorted()
  }()

  private static func load(_ name: String) throws -> Case {
    let path = SharedMaterial.path("corpus/models/\(name).json")
    return try JSONDecoder().decode(Case.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
  }

  @Test("gives the right boxes in pixels of the frame", arguments: models)
  func boxes(name: String) async throws {
    let scratch = try Scratch()
    for result in try Self.load(name).results ?? [] {
      for frame in result.frames ?? [] {
        let (width, height) = (frame.frame_wh[0], frame.frame_wh[1])
        let picture = scratch.path("\(width)x\(height).ppm")
        try await Clip.blackPicture(picture, width: width, height: height)
        var options = RunOptions(input: picture, model: SharedMaterial.path("corpus/models/\(name).onnx"))
        options.precision = .f32
        options.confidence = result.settings.conf
        options.iou = result.settings.iou
        options.classAgnostic = result.settings.agnostic
        options.maxDetections = result.settings.max_det
        options.jsonl = scratch.path("events.jsonl")
        _ = try await DetectionRun(options).run(stop: StopSignal(), reporter: .silent)
        let events = try EventLog(path: scratch.path("events.jsonl")).detections
        let event = try #require(events.first)
        #expect(events.count == 1)
        #expect(event.width == width)
        #expect(event.height == height)
        compare(
          event.detections, frame, isWhole: result.count <= 20,
          "\(name) \(width)×\(height) \(result.settings)")
      }
    }
  }

  /// - Parameter isWhole: whether the frame lists all its detections; long lists are cut.
  private func compare(
    _ found: [EyrieEvents.Detection], _ frame: Case.Result.Frame, isWhole: Bool, _ label: String
  ) {
    if isWhole { #expect(found.count == frame.detections.count, "\(label)") }
    for expected in frame.detections {
      let partner = found.contains { candidate in
        let box = candidate.box
        let edges = [box.x, box.y, box.x + box.width, box.y + box.height]
        return candidate.classID == expected.cls && abs(candidate.confidence - expected.score) < 2e-3
          && zip(edges, expected.box).allSatisfy { abs($0 - $1) < 0.51 }
      }
      #expect(partner, "\(label): nothing found for class \(expected.cls) at \(expected.box)")
    }
  }

  @Test(
    "refuses what is no detector", arguments: [("classifier_as_detector", "1000"), ("truncated", "damaged")])
  func refusals(name: String, hint: String) async throws {
    let scratch = try Scratch()
    let picture = scratch.path("black.ppm")
    try await Clip.blackPicture(picture, width: 64, height: 64)
    let options = RunOptions(input: picture, model: SharedMaterial.path("corpus/models/\(name).onnx"))
    let failure = await #expect(throws: EyrieFailure.self) {
      try await DetectionRun(options).run(stop: StopSignal(), reporter: .silent)
    }
    #expect(failure?.description.contains(hint) == true)
    #expect(failure?.description.contains(name) == true)
  }

  struct Rectangles: Decodable {
    let boxes_xyxy: [String: [Double]]
  }

  static let locatorFiles: [(file: String, width: Int, height: Int, frames: Int)] = CorpusTable.rows
    .filter { $0.family == "locator" }
    .compactMap { row in
      guard let display = row.check["display"]?.split(separator: "x").compactMap({ Int($0) }),
        display.count == 2,
        let frames = row.check["frames"].flatMap({ Int($0) })
      else { return nil }
      return (row.file, display[0], display[1], frames)
    }

  @Test("finds known rectangles where they are shown", arguments: locatorFiles)
  func locator(file: String, width: Int, height: Int, frames: Int) async throws {
    let scratch = try Scratch()
    let json = SharedMaterial.path("corpus/expected/rects_\(width)x\(height).json")
    let truth = try JSONDecoder().decode(Rectangles.self, from: Data(contentsOf: URL(fileURLWithPath: json)))
    var options = RunOptions(
      input: SharedMaterial.path("corpus/\(file)"),
      model: SharedMaterial.path("corpus/models/locator_640.onnx"))
    options.jsonl = scratch.path("events.jsonl")
    _ = try await DetectionRun(options).run(stop: StopSignal(), reporter: .silent)
    let events = try EventLog(path: scratch.path("events.jsonl")).detections
    #expect(events.count == frames)
    let tolerance = 1.5 / min(640 / Double(width), 640 / Double(height))
    for event in events {
      #expect(event.width == width)
      #expect(event.height == height)
      #expect(event.detections.map(\.classID).sorted() == [0, 1, 2])
      for detection in event.detections where (0..<3).contains(detection.classID) {
        let expected = truth.boxes_xyxy[["red", "green", "blue"][detection.classID]] ?? []
        let box = detection.box
        let edges = [box.x, box.y, box.x + box.width, box.y + box.height]
        #expect(expected.count == 4)
        #expect(zip(edges, expected).allSatisfy { abs($0 - $1) <= tolerance }, "\(edges) is not \(expected)")
      }
    }
  }
}
