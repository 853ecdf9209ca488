import EyrieGraph
import EyrieMedia
import Foundation

/// Opens one input and emits its frames in presentation order; where it is told to, opens the input again
/// whenever that fails or ends.
///
/// Demuxing and decoding block in FFmpeg, so the actor runs on a thread of its own; a stop interrupts a
/// blocked open or read.
actor DecodeStage: SourceStage {
  struct Settings: Sendable {
    let source: String
    let input: MediaInput
    var reading = VideoReader.Options()
    var pacing = RunOptions.Pacing.max
    var loop = false
    var maxFrames: Int?
    /// Whether the end of the input is a failure, after which it is opened again.
    var reconnects = false
  }

  nonisolated let executor: ThreadExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let settings: Settings
  private let log: @Sendable (String) -> Void
  private var onLoss: @Sendable (SourceLoss) async -> Void = { _ in }
  private let interrupt = MediaInterrupt()
  private var followsStop = false
  private var reader: VideoReader?
  private var emitted = 0
  /// Counts the connections that gave a frame, from 1.
  private var session = 0
  private var lostAt: ContinuousClock.Instant?
  /// How often opening failed or the source was lost.
  private(set) var failures = 0
  /// The last of them, in words.
  private(set) var lastFailure: String?
  /// What the input is, once it has been opened.
  private(set) var description: MediaDescription?
  private(set) var warnings: [String] = []

  /// How often the source came back after it had been lost.
  var reconnects: Int { max(0, session - 1) }

  init(_ settings: Settings, log: @escaping @Sendable (String) -> Void = { _ in }) {
    self.settings = settings
    self.log = log
    executor = ThreadExecutor(name: "decode")
  }

  /// Tells who wants to know of each failed attempt and each loss.
  func onLoss(_ onLoss: @escaping @Sendable (SourceLoss) async -> Void) {
    self.onLoss = onLoss
  }

  /// Opens the input, so that a wrong one is reported before anything else starts. What is opened again on
  /// failure is not opened here: a camera may be away, and would be kept waiting while the model is compiled.
  func open(stop: StopSignal) throws(MediaError) {
    if settings.reconnects {
      try settings.input.checkAddress()
    } else {
      _ = try connect(stop: stop)
    }
  }

  func run(_ context: SourceContext<SourceFrame>) async throws {
    let reader: VideoReader
    do throws(MediaError) {
      reader = try connect(stop: context.stop)
    } catch {
      if context.stop.isRequested { return }
      throw error
    }
    defer {
      warnings = reader.warnings.map { "\($0.kind.rawValue) × \($0.count)" }
      reader.disconnect()
    }
    // Opening reads ahead. A file's first frames then wait for the model and for subscribers, which is no
    // latency of theirs; a camera's really are that old.
    let begin = settings.input.isLive ? nil : ContinuousClock.now
    var pacer = Pacer()
    var isFirst = true
    while !context.stop.isRequested, emitted < settings.maxFrames ?? .max {
      let start = ContinuousClock.now
      guard let frame = try nextFrame(of: reader, stop: context.stop) else {
        if settings.reconnects, !context.stop.isRequested { throw MediaError.ended(settings.input) }
        return
      }
      context.recordService(ContinuousClock.now - start)
      if isFirst { noteConnection() }
      isFirst = false
      var arrival = begin.map { max($0, frame.arrival) } ?? frame.arrival
      if settings.pacing == .realtime {
        guard let due = await pacer.wait(for: frame.ptsNanoseconds, stop: context.stop) else { return }
        arrival = due
      }
      let item = SourceFrame(
        source: settings.source, frame: frame, arrival: arrival, session: session)
      guard await context.emit(item) else { return }
      emitted += 1
    }
  }

  func recovery(from error: any Error, backoff: Backoff) -> SourceRecovery {
    guard let error = error as? MediaError else { return .giveUp }
    let reason = error.reason.rawValue
    switch error.recovery {
    case .soon: return .restart(backoff, reason: reason)
    case .slowly: return .restart(.patient, reason: reason)
    // What once worked may work again, when the camera has its old settings back.
    case .never:
      return session > 0 && error.reason != .outOfMemory ? .restart(.patient, reason: reason) : .giveUp
    }
  }

  func willRestart(_ restart: SourceRestart) async {
    failures += 1
    lastFailure = "\(restart.error)"
    lostAt = lostAt ?? .now
    let reason = (restart.error as? MediaError)?.reason.rawValue ?? "failed"
    await onLoss(
      SourceLoss(
        session: session, reason: reason, message: "\(restart.error)", attempt: restart.attempt,
        pause: restart.pause))
  }

  /// The reader, connected: made at the first attempt, later connected again, so that indices and times go on.
  private func connect(stop: StopSignal) throws(MediaError) -> VideoReader {
    if !followsStop {
      followsStop = true
      stop.onRequest { [interrupt] in interrupt.fire() }
    }
    if let reader {
      if !reader.isConnected { try reader.reconnect() }
      description = reader.description
      return reader
    }
    let reader = try VideoReader(settings.input, options: settings.reading, interrupt: interrupt)
    self.reader = reader
    description = reader.description
    return reader
  }

  private func noteConnection() {
    session += 1
    if let lostAt, IncidentLog.isWorthALine(session == 1 ? 1 : reconnects) {
      let seconds = String(format: "%.1f", (ContinuousClock.now - lostAt) / .seconds(1))
      let times = reconnects > 1 ? " (\(reconnects) times by now)" : ""
      log("decode: \(settings.input): connected after \(seconds) s\(times)")
    }
    lostAt = nil
  }

  /// The next frame, from the start again where the input loops; nil at the end or when the run stops.
  private func nextFrame(of reader: VideoReader, stop: StopSignal) throws(MediaError) -> VideoFrame? {
    do throws(MediaError) {
      if let frame = try reader.nextFrame() { return frame }
      guard settings.loop, !settings.reconnects else { return nil }
      try reader.rewind()
      return try reader.nextFrame()
    } catch {
      // The stop interrupts a blocked read: that is no failure.
      if stop.isRequested { return nil }
      throw error
    }
  }
}

/// A source that cannot be opened, or was lost, and will be tried again.
struct SourceLoss: Sendable {
  /// The last connection that gave a frame; 0 for none yet.
  let session: Int
  /// `MediaError.Reason` in `snake_case`.
  let reason: String
  /// One line, without credentials.
  let message: String
  /// How often in a row it has failed now, from 1.
  let attempt: Int
  /// How long until it is opened again.
  let pause: Duration
}

extension Backoff {
  /// For a live source. It is back soon after its camera, however long that was away: no pause is longer than
  /// three seconds.
  static let live = Backoff(initial: .milliseconds(250), cap: .seconds(3))
  /// For wrong credentials, which some cameras answer with a lock-out after five attempts in a row.
  static let patient = Backoff(initial: .seconds(60), cap: .seconds(300), floor: .seconds(30))
}

/// Plays frames at the pace of their timestamps.
struct Pacer {
  private var origin: (pts: Int64, time: ContinuousClock.Instant)?

  /// Waits until a frame is due. A gap of more than ten seconds, or time that goes back, starts the pace anew:
  /// a broken timestamp must not stall a run.
  /// - Returns: when the frame was due; nil when the run stopped meanwhile.
  mutating func wait(for pts: Int64, stop: StopSignal) async -> ContinuousClock.Instant? {
    let now = ContinuousClock.now
    guard let origin else {
      self.origin = (pts, now)
      return now
    }
    let due = origin.time + .nanoseconds(pts &- origin.pts)
    if due - now > .seconds(10) || pts < origin.pts {
      self.origin = (pts, now)
      return now
    }
    while !stop.isRequested {
      let left = due - ContinuousClock.now
      if left <= .zero { return due }
      // In slices, so that a stop is noticed soon.
      try? await Task.sleep(for: min(left, Duration.milliseconds(50)), tolerance: .zero, clock: .continuous)
      if Task.isCancelled { return nil }
    }
    return nil
  }
}
