public import EyrieEvents
import Foundation

/// The events that a run wrote with `--jsonl`.
public struct EventLog: Sendable {
  /// All of them, in order.
  public let all: [Event]

  /// Reads a file; every line must be an event.
  public init(path: String) throws {
    let decoder = EventDecoder()
    all = try Data(contentsOf: URL(fileURLWithPath: path)).split(separator: UInt8(ascii: "\n"))
      .map { try decoder.decode(Array($0)) }
  }

  /// Those with detections, in order.
  public var detections: [DetectionsEvent] {
    all.compactMap { event in
      if case .detections(let detections) = event { detections } else { nil }
    }
  }

  /// Changes of the stream's state, in order.
  public var stream: [StreamEvent] {
    all.compactMap { event in
      if case .stream(let change) = event { change } else { nil }
    }
  }
}
