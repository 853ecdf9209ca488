import EyrieEvents
import EyrieGraph
import EyrieMedia
import EyrieVision
import Foundation

/// Makes the event of each frame, encodes it once and hands it to every sink of events; measures rate and
/// latency where results leave.
///
/// Sending and writing can block, and a ZeroMQ socket belongs to one thread: the actor has its own.
actor PublishStage: SinkStage {
  /// What it has published so far.
  struct Counts: Sendable {
    var byType: [String: Int] = [:]
    /// Events that a full queue of a slow subscriber lost.
    var lost = 0
  }

  /// What subscribers were told of a source.
  private struct SourceRecord {
    var state: StreamState?
    var connectedSession = 0
    var lostSession = 0
    var format: VideoFormat?
    var isOver: Bool { state == .ended || state == .failed }
  }

  nonisolated let executor = ThreadExecutor(name: "publish")
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// As in the graph.
  nonisolated let name: String
  private let runID: String
  private let meter: RunMeter
  /// The detectors whose results are measured here: each by one stage only, however many it leads to.
  private let measured: Set<String>
  private var publishers: [EventPublisher] = []
  private var context: ZeroMQContext?
  private var lines: [JSONLinesWriter] = []
  private var encoder = EventEncoder()
  private var sequencer = EventSequencer()
  private var records: [SourceID: SourceRecord] = [:]
  // The memory of the last event's lists: by the time of the next one, nobody else holds them.
  private var detections: [EyrieEvents.Detection] = []
  private var dropped = DropCounts()
  private(set) var counts = Counts()

  /// - Parameters:
  ///   - name: as in the graph.
  ///   - runID: as in events.
  ///   - meter: where frames of all sources are counted.
  ///   - measured: the detectors whose results are counted here.
  init(name: String, runID: String, meter: RunMeter, measured: Set<String>) {
    self.name = name
    self.runID = runID
    self.meter = meter
    self.measured = measured
  }

  // MARK: - Sinks

  /// Opens a socket.
  /// - Parameter stop: ends a wait for subscribers.
  /// - Returns: the endpoint that subscribers connect to.
  func open(endpoint: String, stop: StopSignal) throws(EventError) -> String {
    let context: ZeroMQContext
    if let open = self.context { context = open } else { context = try ZeroMQContext() }
    self.context = context
    let publisher = try EventPublisher(endpoint, context: context)
    stop.onRequest { [interrupter = publisher.interrupter] in interrupter.interrupt() }
    publishers.append(publisher)
    return publisher.endpoint
  }

  /// Opens a file of events.
  func open(jsonl path: String) throws(EventError) {
    lines.append(try JSONLinesWriter(path: path))
  }

  /// Waits for subscriptions, so that the first events are not lost to subscribers that are just connecting.
  /// - Returns: whether there are so many; false after the timeout or a stop.
  func waitForSubscriptions(
    _ count: Int, at endpoint: String, timeout: Duration?
  ) throws(EventError) -> Bool {
    try publishers.first { $0.endpoint == endpoint }?.waitForSubscriptions(count, timeout: timeout) ?? true
  }

  // MARK: - Frames

  func consume(_ item: DetectedFrame) async throws(StageFailure) {
    let frame = item.source.frame
    let source = item.source.source
    let format = frame.format
    var record = records[source.id] ?? SourceRecord()
    // A frame of a connection that is lost by now changes no state any more.
    if item.source.session > max(record.connectedSession, record.lostSession) {
      record.connectedSession = item.source.session
      let message = record.connectedSession == 1 ? "the first frame was decoded" : "the source is back"
      try send(stream: .connected, of: source.id, message: message, details: format.details, &record)
    }
    if let before = record.format, before != format {
      try send(
        stream: .formatChanged, of: source.id, message: format.change(from: before), details: format.details,
        &record)
    }
    record.format = format
    records[source.id] = record
    let now = ContinuousClock.now
    let latency = now - item.source.arrival
    if measured.contains(item.detector.name) {
      source.record(item, latency: latency, at: now)
      meter.record(item, latency: latency, at: now)
    }
    detections.removeAll(keepingCapacity: true)
    for object in item.objects { detections.append(detection(from: object, of: item.detector, frame)) }
    source.readLosses(into: &dropped)
    let event = DetectionsEvent(
      runID: runID, source: source.id, sequence: sequencer.next(.detections, from: source.id),
      frame: frame.index, presentationTime: frame.ptsNanoseconds,
      capturedAt: WallTime(nanoseconds: Int64(frame.capturedAt.timeIntervalSince1970 * 1e9)),
      clock: frame.captureClock == .source ? .rtcp : .arrival,
      latency: latency / .milliseconds(1), width: frame.width, height: frame.height,
      model: item.detector.model, damaged: frame.isCorrupt ? true : nil,
      predicted: item.isInferred ? nil : true, tracksReset: item.tracksReset,
      detections: detections, embedding: item.embedding, dropped: dropped)
    try send(.detections(event))
  }

  func finish() async throws(StageFailure) {
    do throws(EventError) {
      for file in lines { try file.flush() }
    } catch {
      throw .fatal(error)
    }
  }

  // MARK: - Sources

  /// Publishes what happens to a source.
  func report(_ change: SourceChange, of source: SourceID) throws(StageFailure) {
    var record = records[source] ?? SourceRecord()
    switch change {
    case .lost(let loss):
      record.lostSession = loss.session
      try send(
        stream: .reconnecting, of: source, message: loss.message,
        details: [
          "reason": .text(loss.reason), "attempt": .integer(loss.attempt),
          "retry_in_s": .number(loss.pause / .seconds(1)),
        ], &record)
    case .frozen(let duration):
      let seconds = duration / .seconds(1)
      let shown = String(format: "%.1f", seconds)
      try send(
        stream: .frozen, of: source, message: "the picture has not changed for \(shown) s",
        details: ["unchanged_s": .number(seconds)], &record)
    case .moving:
      let details = record.format?.details ?? [:]
      try send(
        stream: .connected, of: source, message: "the picture changes again", details: details, &record)
    }
    records[source] = record
  }

  /// Publishes the counters of a source, which are the heartbeat too.
  func sendStats(
    of source: RunningSource, uptime: Duration, fps: Double?, queues: [String: QueueDepth]
  ) throws(StageFailure) {
    let counts = source.counts
    source.readLosses(into: &dropped)
    let event = StatsEvent(
      runID: runID, source: source.id, sequence: sequencer.next(.stats, from: source.id), capturedAt: .now(),
      state: records[source.id]?.state, uptime: uptime / .seconds(1), fps: fps,
      frames: FrameCounts(decoded: counts.decoded, inferred: counts.inferred, published: counts.published),
      dropped: dropped, queues: queues)
    try send(.stats(event))
  }

  /// Publishes the end of a source, once. One that never began has no end, but it may have failed.
  func end(_ source: RunningSource, _ end: RunningSource.End) throws(StageFailure) {
    var record = records[source.id] ?? SourceRecord()
    guard !record.isOver else { return }
    let details: [String: DetailValue] = ["frames": .integer(source.results.frames)]
    switch end {
    case .ended(let message):
      guard record.state != nil else { return }
      try send(stream: .ended, of: source.id, message: message, details: details, &record)
    case .failed(let message):
      try send(stream: .failed, of: source.id, message: message, details: details, &record)
    }
    records[source.id] = record
  }

  // MARK: - The end

  /// Closes the files.
  /// - Throws: `EventError` when a file lacks something; it is closed all the same.
  func closeFiles() throws(EventError) {
    defer { lines = [] }
    for file in lines { try file.close() }
  }

  /// Closes the sockets; waits up to 2 s for subscribers that have not taken everything yet.
  func close() throws(EventError) {
    for publisher in publishers { publisher.close() }
    publishers = []
    try context?.close()
    context = nil
  }

  // MARK: -

  private func send(
    stream state: StreamState, of source: SourceID, message: String, details: [String: DetailValue],
    _ record: inout SourceRecord
  ) throws(StageFailure) {
    record.state = state
    let event = StreamEvent(
      runID: runID, source: source, sequence: sequencer.next(.stream, from: source), capturedAt: .now(),
      state: state, message: message, details: details)
    try send(.stream(event))
  }

  private func send(_ event: Event) throws(StageFailure) {
    guard !publishers.isEmpty || !lines.isEmpty else { return }
    let encoded = encoder.encode(event)
    counts.byType[event.type.rawValue, default: 0] += 1
    do throws(EventError) {
      for publisher in publishers where try publisher.publish(encoded) == .highWaterMark { counts.lost += 1 }
      for file in lines { try file.write(encoded) }
    } catch {
      throw .fatal(error)
    }
  }

  private func detection(
    from object: FoundObject, of detector: DetectorIdentity, _ frame: VideoFrame
  ) -> EyrieEvents.Detection {
    let found = object.detection
    return EyrieEvents.Detection(
      classID: found.classID, label: detector.labels[found.classID], confidence: Double(found.confidence),
      box: EyrieEvents.Box(
        x: Double(found.box.x), y: Double(found.box.y), width: Double(found.box.width),
        height: Double(found.box.height)),
      pictureWidth: frame.width, pictureHeight: frame.height, trackID: object.trackID,
      predicted: object.isPredicted ? true : nil, classifications: object.classifications,
      embedding: object.embedding)
  }
}

extension VideoFormat {
  fileprivate var details: [String: DetailValue] {
    [
      "width": .integer(width), "height": .integer(height), "codec": .text(codec),
      "pixel_format": .text(pixelFormat), "full_range": .flag(isFullRange),
    ]
  }

  /// One line for people.
  fileprivate func change(from before: VideoFormat) -> String {
    if (width, height) != (before.width, before.height) {
      return "the picture changed from \(before.width)×\(before.height) to \(width)×\(height)"
    }
    return "the stream changed from \(before.summary) to \(summary)"
  }
}

extension DetectionDrops {
  /// Calls `body` for each reason that has a count, with its name in summaries and that in events.
  func forEachReason(_ body: (_ name: String, _ eventName: String, _ count: Int) -> Void) {
    if nonFinite > 0 { body("non_finite", "boxes_non_finite", nonFinite) }
    if empty > 0 { body("empty", "boxes_empty", empty) }
    if invalidClass > 0 { body("invalid_class", "boxes_invalid_class", invalidClass) }
    if outsidePicture > 0 { body("outside_picture", "boxes_outside_picture", outsidePicture) }
    if truncated > 0 { body("truncated", "boxes_truncated", truncated) }
  }
}
