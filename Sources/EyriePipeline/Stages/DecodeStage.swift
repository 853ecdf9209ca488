import EyrieGraph
import EyrieMedia
import Foundation

/// Opens one input and emits its frames in presentation order.
///
/// Demuxing and decoding block in FFmpeg, so the actor runs on a thread of its own; a stop interrupts a
/// blocked read.
actor DecodeStage: SourceStage {
  struct Settings: Sendable {
    let source: String
    let input: MediaInput
    var pacing = RunOptions.Pacing.max
    var loop = false
    var maxFrames: Int?
  }

  nonisolated let executor: ThreadExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let settings: Settings
  private let interrupt = MediaInterrupt()
  private var reader: VideoReader?
  private(set) var warnings: [String] = []

  init(_ settings: Settings) {
    self.settings = settings
    executor = ThreadExecutor(name: "decode")
  }

  /// Opens the input, so that a wrong one is reported before anything else starts.
  /// - Returns: what the input is.
  func open(stop: StopSignal) throws(MediaError) -> MediaDescription {
    stop.onRequest { [interrupt] in interrupt.fire() }
    let reader = try VideoReader(settings.input, interrupt: interrupt)
    self.reader = reader
    return reader.description
  }

  func run(_ context: SourceContext<SourceFrame>) async throws {
    if reader == nil { _ = try open(stop: context.stop) }
    guard let reader else { return }
    defer {
      warnings = reader.warnings.map { "\($0.kind.rawValue) × \($0.count)" }
      self.reader = nil
    }
    // Opening reads ahead. A file's first frames then wait for the model and for subscribers, which is no
    // latency of theirs; a camera's really are that old.
    let begin = settings.input.isLive ? nil : ContinuousClock.now
    var pacer = Pacer()
    var emitted = 0
    while !context.stop.isRequested, emitted < settings.maxFrames ?? .max {
      let start = ContinuousClock.now
      guard let frame = try nextFrame(of: reader, stop: context.stop) else { return }
      context.recordService(ContinuousClock.now - start)
      var arrival = begin.map { max($0, frame.arrival) } ?? frame.arrival
      if settings.pacing == .realtime {
        guard let due = await pacer.wait(for: frame.ptsNanoseconds, stop: context.stop) else { return }
        arrival = due
      }
      let item = SourceFrame(source: settings.source, frame: frame, arrival: arrival)
      guard await context.emit(item) else { return }
      emitted += 1
    }
  }

  /// The next frame, from the start again where the input loops; nil at the end or when the run stops.
  private func nextFrame(of reader: VideoReader, stop: StopSignal) throws(MediaError) -> VideoFrame? {
    do throws(MediaError) {
      if let frame = try reader.nextFrame() { return frame }
      guard settings.loop else { return nil }
      try reader.rewind()
      return try reader.nextFrame()
    } catch {
      // The stop interrupts a blocked read: that is no failure.
      if stop.isRequested { return nil }
      throw error
    }
  }
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
