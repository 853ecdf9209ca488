import EyrieEvents
import EyrieVision
import Foundation

/// Times the parts of a frame that grow with its objects, 100 of them, beside the limit that each has; and beside
/// Foundation's encoder, which is why there is another one.
struct PartTimes {
  struct Line {
    let name: String
    let milliseconds: Double
    let limit: Double?
  }

  /// The parts take turns, and the least time of all turns counts: whatever else the machine does only adds to it.
  private static let turns = 60
  private static let callsInTurn = 20

  static func run() throws -> [Line] {
    let busy = try BusyFrame()
    var parts: [(name: String, limit: Double?, body: () throws -> Void)] = []
    for element in TensorElement.allCases {
      let tensor = busy.bytes(element)
      var decoder = DetectionDecoder(settings: busy.settings)
      var result = DetectionResult(detections: [], drops: DetectionDrops())
      try decoder.decode(
        tensor.span.bytes, element: element, head: busy.head, transform: busy.transform, into: &result)
      guard result.detections.count == BusyFrame.objects else {
        throw MeasureError("\(result.detections.count) objects were found, not \(BusyFrame.objects)")
      }
      parts.append(
        (
          "head and suppression, \(element.rawValue)", 0.5,
          {
            try decoder.decode(
              tensor.span.bytes, element: element, head: busy.head, transform: busy.transform, into: &result)
          }
        ))
    }
    let event = try busy.event()
    var encoder = EventEncoder()
    parts.append(("event, EventEncoder", 0.1, { _ = encoder.encode(.detections(event)) }))
    let mirror = EncodableEvent(event)
    let foundation = JSONEncoder()
    parts.append(("event, JSONEncoder", nil, { _ = try foundation.encode(mirror) }))

    var least = [Double](repeating: .infinity, count: parts.count)
    for _ in 0..<turns {
      for (index, part) in parts.enumerated() {
        let start = ContinuousClock.now
        for _ in 0..<callsInTurn { try part.body() }
        let time = (ContinuousClock.now - start) / .milliseconds(1) / Double(callsInTurn)
        least[index] = min(least[index], time)
      }
    }
    return zip(parts, least).map { Line(name: $0.name, milliseconds: $1, limit: $0.limit) }
  }
}

/// What `DetectionsEvent` would be if its JSON came from `Codable`.
private struct EncodableEvent: Encodable {
  struct Object: Encodable {
    let class_id: Int
    let label: String
    let confidence: Double
    let box: EyrieEvents.Box
    let box_normalized: EyrieEvents.Box
    let track_id: Int?
  }

  let schema = "eyrie.event/1"
  let type = "detections"
  let run_id: String
  let source: String
  let sequence: UInt64
  let frame: Int
  let pts_ns: Int64
  let captured_at: String
  let clock: EyrieEvents.ClockSource
  let latency_ms: Double?
  let width: Int
  let height: Int
  let model: String
  let detections: [Object]
  let dropped: [String: [String: Int]]

  init(_ event: DetectionsEvent) {
    run_id = event.runID
    source = event.source.value
    sequence = event.sequence
    frame = event.frame
    pts_ns = event.presentationTime
    captured_at = event.capturedAt.description
    clock = event.clock
    latency_ms = event.latency
    width = event.width
    height = event.height
    model = event.model
    detections = event.detections.map {
      Object(
        class_id: $0.classID, label: $0.label, confidence: $0.confidence, box: $0.box,
        box_normalized: $0.boxNormalized, track_id: $0.trackID)
    }
    dropped = ["resize": ["queue_full": event.dropped["resize", "queue_full"]]]
  }
}
