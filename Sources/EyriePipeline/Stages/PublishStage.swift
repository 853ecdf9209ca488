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
  struct Settings: Sendable {
    let runID: String
    let source: SourceID
    let modelName: String
    let labels: ClassLabels
  }

  /// What it has measured so far.
  struct Measurements: Sendable {
    var frames = 0
    var detections = 0
    var detectionsByLabel: [String: Int] = [:]
    var boxesDropped: [String: Int] = [:]
    var eventsByType: [String: Int] = [:]
    var eventsLost = 0
    var latency = LatencyHistogram()
    var rate = RateMeter()
    var pictureSize: (width: Int, height: Int)?
    var presentationTime: (first: Int64, last: Int64)?
  }

  nonisolated let executor = ThreadExecutor(name: "publish")
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  nonisolated let settings: Settings
  private var publisher: EventPublisher?
  private var context: ZeroMQContext?
  private var lines: JSONLinesWriter?
  private var encoder = EventEncoder()
  private var sequencer = EventSequencer()
  private var losses: @Sendable () -> [String: [String: Int]] = { [:] }
  private var state: StreamState?
  private var connectedSession = 0
  private var lostSession = 0
  private(set) var measurements = Measurements()

  init(_ settings: Settings) {
    self.settings = settings
  }

  /// Opens the sinks.
  /// - Parameter stop: ends a wait for subscribers.
  /// - Returns: the endpoint that subscribers connect to, if there is one.
  func open(endpoint: String?, jsonl: String?, stop: StopSignal) throws(EventError) -> String? {
    if let endpoint {
      let context = try ZeroMQContext()
      let publisher = try EventPublisher(endpoint, context: context)
      stop.onRequest { [interrupter = publisher.interrupter] in interrupter.interrupt() }
      self.context = context
      self.publisher = publisher
    }
    if let jsonl { lines = try JSONLinesWriter(path: jsonl) }
    return publisher?.endpoint
  }

  /// Waits for subscriptions, so that the first events are not lost to subscribers that are just connecting.
  /// - Returns: whether there are so many; false after the timeout or a stop.
  func waitForSubscriptions(_ count: Int, timeout: Duration?) throws(EventError) -> Bool {
    try publisher?.waitForSubscriptions(count, timeout: timeout) ?? true
  }

  /// Tells where the counts of lost frames are read that every event carries.
  func countLosses(with losses: @escaping @Sendable () -> [String: [String: Int]]) {
    self.losses = losses
  }

  func consume(_ item: DetectedFrame) async throws(StageFailure) {
    let frame = item.source.frame
    let details: [String: DetailValue] = ["width": .integer(frame.width), "height": .integer(frame.height)]
    // A frame of a connection that is lost by now changes no state any more.
    if item.source.session > max(connectedSession, lostSession) {
      connectedSession = item.source.session
      let message = connectedSession == 1 ? "the first frame was decoded" : "the source is back"
      try send(stream: .connected, message: message, details: details)
    }
    if let size = measurements.pictureSize, size != (frame.width, frame.height) {
      let message = "the picture changed from \(size.width)×\(size.height) to \(frame.width)×\(frame.height)"
      try send(stream: .formatChanged, message: message, details: details)
    }
    let now = ContinuousClock.now
    let latency = now - item.source.arrival
    record(item, latency: latency, at: now)
    let event = DetectionsEvent(
      runID: settings.runID, source: settings.source,
      sequence: sequencer.next(.detections, from: settings.source), frame: frame.index,
      presentationTime: frame.ptsNanoseconds,
      capturedAt: WallTime(nanoseconds: Int64(frame.capturedAt.timeIntervalSince1970 * 1e9)), clock: .arrival,
      latency: latency / .milliseconds(1), width: frame.width, height: frame.height,
      model: settings.modelName,
      detections: item.result.detections.map { detection(from: $0, in: frame.width, frame.height) },
      dropped: drops())
    try send(.detections(event))
  }

  func finish() async throws(StageFailure) {
    do throws(EventError) {
      try lines?.flush()
    } catch {
      throw .fatal(error)
    }
  }

  /// Publishes a change of the source's state.
  func send(
    stream state: StreamState, message: String, details: [String: DetailValue] = [:]
  ) throws(StageFailure) {
    self.state = state
    let event = StreamEvent(
      runID: settings.runID, source: settings.source,
      sequence: sequencer.next(.stream, from: settings.source),
      capturedAt: .now(), state: state, message: message, details: details)
    try send(.stream(event))
  }

  /// Publishes that the source was lost, or could not be opened, and when it will be tried again.
  func report(_ loss: SourceLoss) throws(StageFailure) {
    lostSession = loss.session
    try send(
      stream: .reconnecting, message: loss.message,
      details: [
        "reason": .text(loss.reason), "attempt": .integer(loss.attempt),
        "retry_in_s": .number(loss.pause / .seconds(1)),
      ])
  }

  /// Publishes the counters, which are the heartbeat too.
  func sendStats(
    uptime: Duration, fps: Double?, frames: FrameCounts, queues: [String: QueueDepth]
  ) throws(StageFailure) {
    let event = StatsEvent(
      runID: settings.runID, source: settings.source, sequence: sequencer.next(.stats, from: settings.source),
      capturedAt: .now(), state: state, uptime: uptime / .seconds(1), fps: fps, frames: frames,
      dropped: drops(), queues: queues)
    try send(.stats(event))
  }

  /// Publishes the end of the source, if it ever began, and closes the events file.
  /// - Throws: `StageFailure.fatal` when the events file lacks something; it is closed all the same.
  func end(_ state: StreamState, message: String) throws(StageFailure) {
    defer { lines = nil }
    if self.state != nil {
      try send(stream: state, message: message, details: ["frames": .integer(measurements.frames)])
    }
    do throws(EventError) {
      try lines?.close()
    } catch {
      throw .fatal(error)
    }
  }

  /// Closes the publisher; waits up to 2 s for subscribers that have not taken everything yet.
  func close() throws(EventError) {
    // The counts are read from the graph, which holds this stage: the circle would keep both, and their threads.
    losses = { [:] }
    publisher?.close()
    publisher = nil
    try context?.close()
    context = nil
  }

  // MARK: -

  private func send(_ event: Event) throws(StageFailure) {
    guard publisher != nil || lines != nil else { return }
    let encoded = encoder.encode(event)
    measurements.eventsByType[event.type.rawValue, default: 0] += 1
    do throws(EventError) {
      if let publisher, try publisher.publish(encoded) == .highWaterMark {
        measurements.eventsLost += 1
      }
      try lines?.write(encoded)
    } catch {
      throw .fatal(error)
    }
  }

  private func record(_ item: DetectedFrame, latency: Duration, at now: ContinuousClock.Instant) {
    let frame = item.source.frame
    measurements.frames += 1
    measurements.detections += item.result.detections.count
    for detection in item.result.detections {
      measurements.detectionsByLabel[settings.labels[detection.classID], default: 0] += 1
    }
    for (reason, count) in item.result.drops.byReason where count > 0 {
      measurements.boxesDropped[reason, default: 0] += count
    }
    measurements.latency.record(latency)
    measurements.rate.record(at: now)
    measurements.pictureSize = (frame.width, frame.height)
    let first = measurements.presentationTime?.first ?? frame.ptsNanoseconds
    measurements.presentationTime = (first, frame.ptsNanoseconds)
  }

  /// Lost frames by stage, and candidate boxes that the detector gave up.
  private func drops() -> DropCounts {
    var drops = DropCounts(losses())
    for (reason, count) in measurements.boxesDropped {
      drops.add(count, stage: "detect", reason: "boxes_" + reason)
    }
    return drops
  }

  private func detection(from found: EyrieVision.Detection, in width: Int, _ height: Int)
    -> EyrieEvents.Detection
  {
    EyrieEvents.Detection(
      classID: found.classID, label: settings.labels[found.classID], confidence: Double(found.confidence),
      box: EyrieEvents.Box(
        x: Double(found.box.x), y: Double(found.box.y), width: Double(found.box.width),
        height: Double(found.box.height)),
      pictureWidth: width, pictureHeight: height)
  }
}

extension DetectionDrops {
  /// The counts under their names in events and summaries.
  var byReason: [(reason: String, count: Int)] {
    [
      ("non_finite", nonFinite), ("empty", empty), ("invalid_class", invalidClass),
      ("outside_picture", outsidePicture), ("truncated", truncated),
    ]
  }
}
