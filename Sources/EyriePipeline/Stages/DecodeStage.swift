import EyrieEvents
import EyrieGraph
import EyrieMedia
import Foundation

/// Opens one input and emits its frames in presentation order; where it is told to, opens the input again
/// whenever that fails or ends.
///
/// Demuxing and decoding block in FFmpeg, so the actor runs on a thread of its own; a stop interrupts a
/// blocked open or read.
actor DecodeStage: SourceStage {
  /// The reason of frames that were left out because they are damaged.
  private static let damaged = "damaged"

  nonisolated let executor: ThreadExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// What is known of the source, for everyone who asks.
  nonisolated let source: RunningSource
  /// As in the graph, for the log.
  private var stage: String { RunGraph.decoder(of: source.id.value) }
  private let plan: SourcePlan
  private let log: @Sendable (String) -> Void
  private var onChange: @Sendable (SourceChange) async -> Void = { _ in }
  private let interrupt = MediaInterrupt()
  private var followed: [StopSignal] = []
  /// Whether what interrupted a read was a stop. That of the run interrupts before it reaches the source's own.
  private var isStopping: Bool { followed.contains { $0.isRequested } }
  private var reader: VideoReader?
  private var emitted = 0
  /// The frames that the reader left out, as far as they have been counted.
  private var leftOut = (damaged: 0, skipped: 0)
  private var failuresInARow = 0
  private var stillness = FrozenPictureWatch()
  private var isFrozen = false
  /// How many of the reader's notes have been logged.
  private var notesLogged = 0
  private var lostAt: ContinuousClock.Instant?

  init(_ plan: SourcePlan, log: @escaping @Sendable (String) -> Void = { _ in }) {
    self.plan = plan
    self.log = log
    source = RunningSource(plan.id, input: plan.input, hasOwnPace: plan.hasOwnPace)
    executor = ThreadExecutor(name: "decode")
  }

  /// Tells who wants to know of what happens to the source.
  func onChange(_ onChange: @escaping @Sendable (SourceChange) async -> Void) {
    self.onChange = onChange
  }

  /// Opens the input, so that a wrong one is reported before anything else starts. What is opened again on
  /// failure is not opened here: a camera may be away, and would be kept waiting while the model is compiled.
  func open(stop: StopSignal) throws(MediaError) {
    if plan.reconnect != nil {
      try plan.input.check(plan.reading)
    } else {
      _ = try connect(stop: stop)
    }
  }

  func run(_ context: SourceContext<SourceFrame>) async throws {
    do {
      try await emitFrames(context)
    } catch {
      // Otherwise `recovery` decides.
      if plan.reconnect == nil, !(error is SeveredSource) { source.finish(.failed("\(error)")) }
      throw error
    }
  }

  private func emitFrames(_ context: SourceContext<SourceFrame>) async throws {
    if plan.faults?.isDown == true { throw SeveredSource(input: plan.input) }
    let reader: VideoReader
    do throws(MediaError) {
      reader = try connect(stop: context.stop)
    } catch {
      if isStopping { return }
      throw error
    }
    defer {
      let warnings = reader.notes + reader.warnings.map { "\($0.kind.rawValue) × \($0.count)" }
      source.update { $0.warnings = warnings }
      reader.disconnect()
    }
    // Opening reads ahead. A file's first frames then wait for the model and for subscribers, which is no
    // latency of theirs; a camera's really are that old.
    let begin = plan.input.isLive ? nil : ContinuousClock.now
    var pacer = Pacer()
    var isFirst = true
    while !context.stop.isRequested {
      if let limit = plan.maxFrames, emitted >= limit {
        return source.finish(.ended("the limit of frames was reached"))
      }
      if let order = plan.faults?.take() { try suffer(order, stop: context.stop) }
      let start = ContinuousClock.now
      let next = try nextFrame(of: reader)
      account(for: reader, context)
      guard let frame = next else {
        if isStopping { return }
        if plan.reconnect != nil { throw MediaError.ended(plan.input) }
        return source.finish(.ended("end of stream"))
      }
      context.recordService(ContinuousClock.now - start)
      if isFirst { noteConnection() }
      isFirst = false
      var arrival = begin.map { max($0, frame.arrival) } ?? frame.arrival
      if plan.pacing == .realtime {
        guard let due = await pacer.wait(for: frame.ptsNanoseconds, stop: context.stop) else { return }
        arrival = due
      }
      await watch(frame, at: arrival)
      let session = source.update { counts in
        counts.decoded += 1
        return counts.session
      }
      guard
        await context.emit(SourceFrame(frame, from: source, arrival: arrival, session: session))
      else { return }
      emitted += 1
    }
  }

  /// Does to itself what a soak asks for.
  private func suffer(_ order: SourceFaults.Order, stop: StopSignal) throws(SeveredSource) {
    switch order {
    // On the way out the connection is closed.
    case .sever: throw SeveredSource(input: plan.input)
    case .delay(let duration):
      // The thread that reads stands still, so that the socket backs up.
      let end = ContinuousClock.now + duration
      while ContinuousClock.now < end, !stop.isRequested { Thread.sleep(forTimeInterval: 0.01) }
    }
  }

  /// Tells when a picture has not changed for so long, and when it does again.
  private func watch(_ frame: VideoFrame, at time: ContinuousClock.Instant) async {
    guard let limit = plan.frozenAfter else { return }
    let still = stillness.observe(frame, at: time)
    guard (still >= limit) != isFrozen else { return }
    isFrozen.toggle()
    await onChange(isFrozen ? .frozen(for: still) : .moving)
  }

  /// Counts the frames that the reader left out.
  private func account(for reader: VideoReader, _ context: SourceContext<SourceFrame>) {
    for note in reader.notes.dropFirst(notesLogged) { log("\(stage): \(note)") }
    notesLogged = reader.notes.count
    let damaged = reader.droppedDamaged - leftOut.damaged
    let skipped = reader.skippedFrames - leftOut.skipped
    guard damaged > 0 || skipped > 0 else { return }
    leftOut = (reader.droppedDamaged, reader.skippedFrames)
    for _ in 0..<damaged { context.recordDrop(reason: Self.damaged) }
    source.update { counts in
      counts.skipped += skipped
      guard damaged > 0 else { return }
      counts.decoded += damaged
      counts.lost["decode", default: [:]][Self.damaged, default: 0] += damaged
    }
  }

  func recovery(from error: any Error, backoff: Backoff) -> SourceRecovery {
    let recovery = recovery(from: error, backoff)
    if recovery == .giveUp { source.finish(.failed("\(error)")) }
    return recovery
  }

  private func recovery(from error: any Error, _ backoff: Backoff) -> SourceRecovery {
    // How often a soak severs it says nothing of the source.
    if error is SeveredSource { return .restart(backoff, reason: SeveredSource.reason) }
    guard let error = error as? MediaError, let reconnect = plan.reconnect else { return .giveUp }
    failuresInARow += 1
    if let limit = reconnect.maxAttempts, failuresInARow > limit { return .giveUp }
    let reason = error.reason.rawValue
    switch error.recovery {
    case .soon: return .restart(backoff, reason: reason)
    case .slowly: return .restart(.patient, reason: reason)
    // What once worked may work again, when the camera has its old settings back.
    case .never:
      let hasWorked = source.counts.session > 0
      return hasWorked && error.reason != .outOfMemory ? .restart(.patient, reason: reason) : .giveUp
    }
  }

  func willRestart(_ restart: SourceRestart) async {
    lostAt = lostAt ?? .now
    let session = source.update { counts in
      counts.failures += 1
      counts.lastFailure = "\(restart.error)"
      return counts.session
    }
    let isSevered = restart.error is SeveredSource
    let reason =
      (restart.error as? MediaError)?.reason.rawValue ?? (isSevered ? SeveredSource.reason : "failed")
    isFrozen = false
    await onChange(
      .lost(
        SourceLoss(
          session: session, reason: reason, message: "\(restart.error)", attempt: restart.attempt,
          pause: restart.pause)))
  }

  /// The reader, connected: made at the first attempt, later connected again, so that indices and times go on.
  private func connect(stop: StopSignal) throws(MediaError) -> VideoReader {
    // That of the run while it is opened, its own while it runs.
    if !followed.contains(where: { $0 === stop }) {
      followed.append(stop)
      stop.onRequest { [interrupt] in interrupt.fire() }
    }
    let connected: VideoReader
    if let reader {
      if !reader.isConnected { try reader.reconnect() }
      connected = reader
    } else {
      connected = try VideoReader(plan.input, options: plan.reading, interrupt: interrupt)
      reader = connected
    }
    let description = connected.description
    source.update { $0.description = description }
    return connected
  }

  private func noteConnection() {
    let counts = source.update { counts in
      counts.session += 1
      return counts
    }
    failuresInARow = 0
    if let lostAt, IncidentLog.isWorthALine(max(1, counts.reconnects)) {
      let seconds = String(format: "%.1f", (ContinuousClock.now - lostAt) / .seconds(1))
      let times = counts.reconnects > 1 ? " (\(counts.reconnects) times by now)" : ""
      log("\(stage): \(plan.input): connected after \(seconds) s\(times)")
    }
    lostAt = nil
  }

  /// The next frame, from the start again where the input loops; nil at the end or when the run stops.
  private func nextFrame(of reader: VideoReader) throws(MediaError) -> VideoFrame? {
    do throws(MediaError) {
      if let frame = try reader.nextFrame() { return frame }
      guard plan.loop, plan.reconnect == nil else { return nil }
      try reader.rewind()
      return try reader.nextFrame()
    } catch {
      // The stop interrupts a blocked read: that is no failure.
      if isStopping { return nil }
      throw error
    }
  }
}

/// What happens to a source, besides its frames.
enum SourceChange: Sendable {
  /// It was lost, or could not be opened, and will be tried again.
  case lost(SourceLoss)
  /// Frames come, but their picture has not changed for so long.
  case frozen(for: Duration)
  /// It changes again.
  case moving
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
