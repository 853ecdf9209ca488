import EyrieEvents
import Foundation

/// Events for the tests, and what several of them need.
enum Sample {
  static let runID = "6f1c2f0e"
  static let time = WallTime(nanoseconds: 1_769_850_487_123_456_789)

  static func source(_ name: String = "cam1") throws -> SourceID { try SourceID(name) }

  static func detection(_ label: String = "person", confidence: Double = 0.91, box: Box? = nil) -> Detection {
    Detection(
      classID: 0, label: label, confidence: confidence,
      box: box ?? Box(x: 10.126, y: 20, width: 30.5, height: 40), pictureWidth: 640, pictureHeight: 360)
  }

  static func detections(
    _ source: String = "cam1", sequence: UInt64 = 0, _ detections: [Detection] = [detection()],
    damaged: Bool? = nil
  ) throws -> Event {
    .detections(
      DetectionsEvent(
        runID: runID, source: try SourceID(source), sequence: sequence, frame: Int(clamping: sequence),
        presentationTime: 33_366_667, capturedAt: time, clock: .arrival, latency: 12.3456, width: 640,
        height: 360, model: "yolov8n", damaged: damaged, detections: detections,
        dropped: DropCounts(["decode": ["drop_oldest": 3]])))
  }

  static func stream(_ source: String = "cam1", sequence: UInt64 = 0, state: StreamState = .connected) throws
    -> Event
  {
    .stream(
      StreamEvent(
        runID: runID, source: try SourceID(source), sequence: sequence, capturedAt: time, state: state,
        message: "opened in 12 ms",
        details: [
          "width": .integer(640), "codec": .text("h264"), "rate": .number(29.97), "live": .flag(true),
          "duration": .null,
        ]))
  }

  static func stats(_ source: String = "cam1", sequence: UInt64 = 0) throws -> Event {
    .stats(
      StatsEvent(
        runID: runID, source: try SourceID(source), sequence: sequence, capturedAt: time, state: .connected,
        uptime: 61.5, fps: 29.97, frames: FrameCounts(decoded: 100, inferred: 98, published: 97),
        dropped: DropCounts(["publish": ["high_water_mark": 1]]),
        queues: ["resize": QueueDepth(depth: 1, capacity: 4)]))
  }

  /// A payload as a JSON object, by a parser that is not ours.
  static func json(_ event: Event) throws -> [String: Any] {
    var encoder = EventEncoder()
    return try object(encoder.encode(event).payload)
  }

  static func object(_ payload: [UInt8]) throws -> [String: Any] {
    guard let object = try JSONSerialization.jsonObject(with: Data(payload)) as? [String: Any] else {
      throw CocoaError(.coderReadCorrupt)
    }
    return object
  }

  /// A path that nobody else uses, short enough for a socket.
  static func path(_ suffix: String) -> String {
    FileManager.default.temporaryDirectory.path + "/ee-\(UInt32.random(in: 0 ... .max))\(suffix)"
  }
}
