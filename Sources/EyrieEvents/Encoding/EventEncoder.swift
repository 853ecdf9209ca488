/// An event in the form in which it leaves: a topic and a JSON document.
public struct EncodedEvent: Sendable, Equatable {
  /// The topic, `<type>/<source>/`.
  public let topic: String
  /// One JSON document in UTF-8, without a line feed in it or at its end.
  public let payload: [UInt8]

  /// A payload under a topic; for payloads that `EventEncoder` did not make.
  public init(topic: String, payload: [UInt8]) {
    self.topic = topic
    self.payload = payload
  }
}

/// Turns events into JSON after the schema `eyrie.event/1`.
///
/// Rounding: boxes to 2 decimals of a pixel, normalised boxes to 6, confidences to 5, embeddings to
/// 16-bit floats or 6 decimals, times and rates to 3. A number that is not finite never reaches the JSON: a detection whose box
/// or confidence is not finite, or a classification whose confidence is not, is left out and counted
/// in `dropped` under stage `encode`, reason `not_finite`; any other such number is null, and so is
/// an embedding that holds one, or one that is too large for a 16-bit float.
///
/// The buffer is reused: an `EncodedEvent` that is let go before the next call costs no allocation
/// for its payload. One owner at a time.
public struct EventEncoder: Sendable {
  private var writer = JSONWriter()
  private var notFinite: [SourceID: Int] = [:]
  private var topics = TopicTable()

  /// An encoder for one run.
  public init() {}

  /// Encodes an event. Never fails: what JSON cannot say is left out as described above.
  public mutating func encode(_ event: Event) -> EncodedEvent {
    writer.reset()
    writer.beginObject()
    writer.key("schema")
    writer.string(eventSchema)
    writer.key("type")
    writer.string(event.type.rawValue)
    writer.key("run_id")
    writer.string(event.runID)
    writer.key("source")
    writer.string(event.source.value)
    writer.key("sequence")
    writer.integer(event.sequence)
    switch event {
    case .detections(let event): write(event)
    case .stream(let event): write(event)
    case .stats(let event): write(event)
    }
    writer.endObject()
    return EncodedEvent(topic: topics.topic(of: event), payload: writer.bytes)
  }

  private mutating func write(_ event: DetectionsEvent) {
    writer.key("frame")
    writer.integer(event.frame)
    writer.key("pts_ns")
    writer.integer(event.presentationTime)
    write(event.capturedAt)
    writer.key("clock")
    writer.string(event.clock.rawValue)
    write("latency_ms", event.latency)
    writer.key("width")
    writer.integer(event.width)
    writer.key("height")
    writer.integer(event.height)
    writer.key("model")
    writer.string(event.model)
    if let damaged = event.damaged {
      writer.key("damaged")
      writer.bool(damaged)
    }
    if let predicted = event.predicted {
      writer.key("predicted")
      writer.bool(predicted)
    }
    if let reset = event.tracksReset {
      writer.key("tracks_reset")
      writer.string(reset.rawValue)
    }
    writer.key("detections")
    writer.beginArray()
    for detection in event.detections { write(detection, from: event.source) }
    writer.endArray()
    if let embedding = event.embedding {
      writer.key("embedding")
      write(embedding)
    }
    write(event.dropped, of: event.source)
  }

  private mutating func write(_ detection: Detection, from source: SourceID) {
    guard detection.box.isFinite, detection.boxNormalized.isFinite, detection.confidence.isFinite else {
      notFinite[source, default: 0] += 1
      return
    }
    writer.beginObject()
    writer.key("class_id")
    writer.integer(detection.classID)
    writer.key("label")
    writer.string(detection.label)
    writer.key("confidence")
    writer.number(detection.confidence, decimals: 5)
    writer.key("box")
    write(detection.box, decimals: 2)
    writer.key("box_normalized")
    write(detection.boxNormalized, decimals: 6)
    if let trackID = detection.trackID {
      writer.key("track_id")
      writer.integer(trackID)
    }
    if let predicted = detection.predicted {
      writer.key("predicted")
      writer.bool(predicted)
    }
    if let classifications = detection.classifications {
      writer.key("classifications")
      writer.beginArray()
      for classification in classifications { write(classification, from: source) }
      writer.endArray()
    }
    if let embedding = detection.embedding {
      writer.key("embedding")
      write(embedding)
    }
    writer.endObject()
  }

  private mutating func write(_ box: Box, decimals: Int) {
    writer.beginObject()
    writer.key("x")
    writer.number(box.x, decimals: decimals)
    writer.key("y")
    writer.number(box.y, decimals: decimals)
    writer.key("width")
    writer.number(box.width, decimals: decimals)
    writer.key("height")
    writer.number(box.height, decimals: decimals)
    writer.endObject()
  }

  private mutating func write(_ classification: Classification, from source: SourceID) {
    guard classification.confidence.isFinite else {
      notFinite[source, default: 0] += 1
      return
    }
    writer.beginObject()
    writer.key("label")
    writer.string(classification.label)
    writer.key("confidence")
    writer.number(classification.confidence, decimals: 5)
    writer.endObject()
  }

  private mutating func write(_ embedding: Embedding) {
    let greatest = embedding.encoding == .base64 ? HalfFloat.greatest : .greatestFiniteMagnitude
    guard embedding.values.allSatisfy({ abs($0) <= greatest }) else {
      writer.null()
      return
    }
    switch embedding.encoding {
    case .array:
      writer.beginArray()
      for value in embedding.values { writer.number(Double(value), decimals: 6) }
      writer.endArray()
    case .base64:
      writer.base64(embedding.values)
    }
  }

  private mutating func write(_ event: StreamEvent) {
    write(event.capturedAt)
    writer.key("state")
    writer.string(event.state.rawValue)
    writer.key("message")
    writer.string(event.message)
    writer.key("details")
    writer.beginObject()
    for (name, value) in sorted(event.details) {
      writer.key(dynamic: name)
      switch value {
      case .text(let text): writer.string(text)
      case .integer(let integer): writer.integer(integer)
      case .number(let number): writer.number(number, decimals: 6)
      case .flag(let flag): writer.bool(flag)
      case .null: writer.null()
      }
    }
    writer.endObject()
  }

  private mutating func write(_ event: StatsEvent) {
    write(event.capturedAt)
    writer.key("state")
    if let state = event.state { writer.string(state.rawValue) } else { writer.null() }
    write("uptime_s", event.uptime)
    write("fps", event.fps)
    writer.key("frames")
    writer.beginObject()
    writer.key("decoded")
    writer.integer(event.frames.decoded)
    writer.key("inferred")
    writer.integer(event.frames.inferred)
    writer.key("published")
    writer.integer(event.frames.published)
    writer.endObject()
    write(event.dropped, of: event.source)
    writer.key("queues")
    writer.beginObject()
    for (name, queue) in sorted(event.queues) {
      writer.key(dynamic: name)
      writer.beginObject()
      writer.key("depth")
      writer.integer(queue.depth)
      writer.key("capacity")
      writer.integer(queue.capacity)
      writer.endObject()
    }
    writer.endObject()
  }

  private mutating func write(_ time: WallTime) {
    writer.key("captured_at")
    time.withRFC3339 { writer.plain($0) }
  }

  private mutating func write(_ key: StaticString, _ value: Double?) {
    writer.key(key)
    if let value { writer.number(value, decimals: 3) } else { writer.null() }
  }

  private mutating func write(_ dropped: DropCounts, of source: SourceID) {
    var dropped = dropped
    if let count = notFinite[source] { dropped.add(count, stage: "encode", reason: "not_finite") }
    writer.key("dropped")
    writer.beginObject()
    var stage: String?
    for entry in dropped.entries {
      if entry.stage != stage {
        if stage != nil { writer.endObject() }
        writer.key(dynamic: entry.stage)
        writer.beginObject()
        stage = entry.stage
      }
      writer.key(dynamic: entry.reason)
      writer.integer(entry.count)
    }
    if stage != nil { writer.endObject() }
    writer.endObject()
  }

  /// By name, so that equal events are equal bytes.
  private func sorted<Value>(_ entries: [String: Value]) -> [(key: String, value: Value)] {
    entries.sorted { $0.key < $1.key }
  }
}
