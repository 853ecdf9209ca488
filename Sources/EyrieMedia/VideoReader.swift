import CFFmpeg

/// Reads the pictures of one video, one after the other, at the pace of the caller.
///
/// It blocks and is not thread-safe: one owner at a time, on a thread that may block. Another thread
/// stops it through its `MediaInterrupt`. Interlaced video is delivered as whole frames, both fields
/// woven together as they are stored; nothing is deinterlaced.
public final class VideoReader {
  /// How to read.
  public struct Options: Sendable {
    /// Threads of the decoder. 0 chooses: one up to 1920×1088 (a second costs 13 to 26 % more CPU time
    /// on H.264 and a frame of delay, and the other cores are wanted for inference), two above. Those of files decode a
    /// frame each. Those of live sources share each frame where it has slices, so that none is held back, unless a
    /// number is given here.
    public var decoderThreads: Int
    /// How long opening and probing may take. A pipe that has no writer yet is waited for regardless.
    public var openTimeout: Duration
    /// How long a read may wait for data. `nil`: 10 s for URLs and cameras, without limit for files and pipes.
    public var readTimeout: Duration?
    /// What carries the pictures of an RTSP stream.
    public var rtspTransport: RTSPTransport
    /// What becomes of frames that show damage.
    public var damagedFrames: DamagedFrames
    /// Delivers each Nth frame only: those with an index of 0, N, 2N … Values below 1 count as 1.
    public var every = 1
    /// Delivers at most so many frames a second, by their time, on an even grid; of those that `every` leaves.
    /// `nil`, and what is no positive number, is no limit.
    public var maxFPS: Double?
    /// For cameras and broadcasts: as little delay as can be, at the price of what a network reorders over UDP.
    /// Without effect on files.
    public var lowLatency = false
    /// Where to decode. Where that cannot be, the CPU does, and `VideoReader.notes` says why.
    public var hardware = HardwareDecoding.none
    var openDevice = HardwareDevice.open
    var credentials = Credentials()

    /// The defaults suit files and most cameras.
    public init(
      decoderThreads: Int = 0, openTimeout: Duration = .seconds(8), readTimeout: Duration? = nil,
      rtspTransport: RTSPTransport = .tcp, damagedFrames: DamagedFrames = .flag
    ) {
      self.decoderThreads = decoderThreads
      self.openTimeout = openTimeout
      self.readTimeout = readTimeout
      self.rtspTransport = rtspTransport
      self.damagedFrames = damagedFrames
    }
  }

  /// What the input is. Sizes, pixel format and codec are those of the latest picture, from the first on.
  public private(set) var description: MediaDescription
  /// How many frames were left out because of `Options.every` and `Options.maxFPS`. Most of them are not even
  /// decoded if no other picture refers to them and it is certain which they are; that changes nothing of those
  /// delivered.
  public private(set) var skippedFrames = 0
  /// What was done otherwise than asked for, one line each, none twice: why pictures are decoded in software.
  /// One may come in mid-stream.
  public private(set) var notes: [String] = []
  /// What was wrong so far, by kind.
  public var warnings: [MediaWarning] { warningCounter.summary }

  /// How many damaged frames were left out, as `Options.damagedFrames` says.
  public var droppedDamaged: Int { warningCounter[.corruptFrameDropped] }
  /// How many of the `skippedFrames` of this connection were not decoded.
  var undecodedFrames: Int { session?.undecodedCount ?? 0 }

  private let input: MediaInput
  private let options: Options
  private let interrupt: MediaInterrupt
  /// `nil` while disconnected.
  private var session: DecodeSession?
  private var timeline: Timeline
  private var warningCounter = WarningCounter()
  private var frameCount = 0
  private var selection: FrameSelection
  /// Whether the next frame is the first after a `reconnect`.
  private var isReconnected = false
  /// The latest of the arrivals of the frames so far.
  private var latestArrival: PacketLedger.Arrival?
  /// That of the latest frame.
  private var format: VideoFormat?
  /// The frame decoded while opening.
  private var pending: VideoFrame?

  /// Opens the input, chooses its video stream and makes the decoder ready.
  ///
  /// The first picture of a file is decoded here: only that shows its true size, pixel format and
  /// orientation, and whether it can be decoded at all. Of a live source only where the header does not
  /// tell enough.
  /// - Throws: `MediaError`, naming the reason: see `MediaError.Reason`.
  public init(
    _ input: MediaInput, options: Options = Options(), interrupt: MediaInterrupt = MediaInterrupt()
  ) throws(MediaError) {
    self.input = input
    self.options = options
    self.interrupt = interrupt
    selection = FrameSelection(every: options.every, maxFPS: options.maxFPS)
    let session = try DecodeSession(input, options: options, interrupt: interrupt)
    self.session = session
    timeline = Timeline(session.clock)
    description = session.description(of: nil)
    noteDecoding()
    let isIncomplete = description.video.pixelFormat == nil || description.video.codedWidth == nil
    // A live source may take long to its first picture, and its header usually suffices.
    guard session.isRewindable || isIncomplete else { return }
    session.deadline = .now + options.openTimeout
    pending = try nextFrame()
    session.deadline = nil
  }

  /// The next wanted picture in display order, or `nil` after the last one.
  ///
  /// Damaged data never ends the stream by itself: the frame is marked, or left out, and counted in
  /// `warnings`.
  /// - Throws: `MediaError` if reading fails, is interrupted or times out, or if the input ends without
  ///   a single picture. Frames decoded before a failure are delivered first.
  public func nextFrame() throws(MediaError) -> VideoFrame? {
    if let frame = pending {
      pending = nil
      return frame
    }
    do throws(MediaError) {
      while let decoded = try session?.next(&warningCounter, wants: wants) {
        for picture in decoded.skippedBefore { pass(picture) }
        if let frame = frame(decoded) { return frame }
      }
    } catch {
      passRest()
      throw error
    }
    passRest()
    return nil
  }

  /// Counts a decoded picture and gives it its time; `nil` if it is not wanted.
  private func frame(_ decoded: DecodeSession.Decoded) -> VideoFrame? {
    let duration = eyrie_frame_duration(decoded.picture)
    let ticks = decoded.picture.pointee.best_effort_timestamp
    if isReconnected, let latestArrival {
      let away = (decoded.arrival.instant - latestArrival.instant) / .nanoseconds(1)
      timeline.bridge(Int64(exactly: away.rounded()) ?? 0)
    }
    isReconnected = false
    let stamp = timeline.stamp(ticks == EYRIE_NOPTS ? nil : ticks, duration: duration)
    if let warning = stamp.warning { warningCounter.count(warning) }
    if decoded.isCorrupt { warningCounter.count(.corruptFrame) }
    // Pictures leave in another order than their packets came. None is due before its predecessor.
    var arrival = decoded.arrival
    if let latestArrival, latestArrival.instant > arrival.instant {
      (arrival.instant, arrival.date) = (latestArrival.instant, latestArrival.date)
    }
    latestArrival = arrival
    let frame = VideoFrame(
      taking: decoded.picture, of: decoded.pool, index: frameCount, stamp: stamp, arrival: arrival,
      geometry: decoded.geometry, codec: decoded.codec, isCorrupt: decoded.isCorrupt)
    frameCount += 1
    if let session, frame.format != format {
      format = frame.format
      description = session.description(of: frame)
    }
    noteDecoding()
    if selection.takes(index: frame.index, nanoseconds: frame.ptsNanoseconds) { return frame }
    skippedFrames += 1
    return nil
  }

  /// Whether the last of these pictures, which follow the latest frame, will be wanted.
  private func wants(_ pictures: [SkipPlan.Picture]) -> Bool {
    var (timeline, selection, isWanted) = (timeline, selection, true)
    for (offset, picture) in pictures.enumerated() {
      let stamp = timeline.stamp(picture.ticks, duration: picture.duration)
      isWanted = selection.takes(index: frameCount + offset, nanoseconds: stamp.nanoseconds)
    }
    return isWanted
  }

  private func noteDecoding() {
    if let note = session?.note, !notes.contains(note) { notes.append(note) }
  }

  private func passRest() {
    for picture in session?.rest() ?? [] { pass(picture) }
  }

  /// Counts a picture that was not decoded, as if it had been.
  private func pass(_ picture: SkipPlan.Picture) {
    let stamp = timeline.stamp(picture.ticks, duration: picture.duration)
    if let warning = stamp.warning { warningCounter.count(warning) }
    _ = selection.takes(index: frameCount, nanoseconds: stamp.nanoseconds)
    if let latest = latestArrival, picture.arrival.instant > latest.instant {
      latestArrival = picture.arrival
    }
    frameCount += 1
    skippedFrames += 1
  }

  /// Starts again from the first picture. Indices go on, and so does time: the next frame comes one
  /// frame duration after the last.
  /// - Throws: `MediaError` with `.notRewindable` for pipes and live streams, or whatever opening throws.
  public func rewind() throws(MediaError) {
    guard session?.isRewindable == true else {
      throw MediaError(
        .notRewindable, input.description, "cannot be read a second time; loop a file instead")
    }
    pending = nil
    // The old one goes first: two decoders at once would lift the peak of memory by one.
    self.session = nil
    // Opening afresh works for every container; seeking to the start does not (raw and broken streams).
    let session = try DecodeSession(input, options: options, interrupt: interrupt)
    self.session = session
    timeline.restart(session.clock)
  }

  /// Whether the input is open: from the beginning, until `disconnect`, and again after `reconnect`.
  public var isConnected: Bool { session != nil }

  /// Closes the connection and frees the decoder. `nextFrame` then returns `nil` until `reconnect`. Takes at
  /// most half a second, however dead the other side is.
  public func disconnect() {
    pending = nil
    session = nil
  }

  /// Connects to a live source again. Indices go on, and times go on by as much as passed meanwhile on the
  /// monotonic clock: they never go back, although the source counts from anew.
  /// - Throws: whatever opening throws; the reader is then disconnected, and `reconnect` may be tried again.
  public func reconnect() throws(MediaError) {
    disconnect()
    let session = try DecodeSession(input, options: options, interrupt: interrupt)
    self.session = session
    timeline.restart(session.clock)
    isReconnected = true
    format = nil
    description = session.description(of: nil)
  }
}
