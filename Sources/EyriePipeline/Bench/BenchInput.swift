import EyrieGraph
import EyrieMedia

/// One of the files that a benchmark plays, and what decoding it costs. The closures of blocking work make readers
/// of their own, since a reader belongs to one thread.
struct BenchInput: Sendable {
  let input: MediaInput
  private let reading: VideoReader.Options
  let codec: String
  let width: Int
  let height: Int

  /// Opens the file, and makes sure that it can be played in a loop.
  /// - Throws: `EyrieFailure`, as a run.
  init(_ input: MediaInput, _ reading: VideoReader.Options, stop: StopSignal) async throws(EyrieFailure) {
    self.input = input
    self.reading = reading
    let format = try await Self.blocking(stop) { interrupt throws(MediaError) in
      let reader = try VideoReader(input, options: reading, interrupt: interrupt)
      let frame = try reader.nextFrame()
      try reader.rewind()
      return frame?.format
    }
    guard let format else { throw EyrieFailure(.run, "\(input): has no picture") }
    (codec, width, height) = (format.codec, format.width, format.height)
  }

  /// CPU time of the process to decode one frame, in milliseconds, while nothing else is done: the frame threads of
  /// the decoder are in it.
  ///
  /// It plays what the pipeline will play in its turn, so many frames from the start, again and again. Opening is not
  /// counted, but going back to the start is where the file is shorter: the pipeline does that too.
  func decodeCpuMs(frames: Int, for duration: Duration, stop: StopSignal) async throws(EyrieFailure) -> Double
  {
    try await Self.blocking(stop) { [input, reading] interrupt throws(MediaError) in
      let start = ContinuousClock.now
      var (cpu, count) = (0.0, 0)
      repeat {
        let reader = try VideoReader(input, options: reading, interrupt: interrupt)
        // The first one is decoded while opening.
        _ = try reader.nextFrame()
        let cpuAtStart = CPUClock.process()
        for _ in 0..<frames where !stop.isRequested {
          if try Self.next(reader) == nil { break }
          count += 1
        }
        cpu += CPUClock.process() - cpuAtStart
      } while ContinuousClock.now - start < duration && !stop.isRequested && count > 0
      return cpu * 1_000 / Double(max(1, count))
    }
  }

  /// The first frames, as many as there is room for: at most 32, and 64 MiB of 4:2:0.
  func firstFrames(stop: StopSignal) async throws(EyrieFailure) -> [VideoFrame] {
    let bytes = max(1, width * height * 3 / 2)
    let count = min(32, max(2, (64 << 20) / bytes))
    return try await Self.blocking(stop) { [input, reading] interrupt throws(MediaError) in
      let reader = try VideoReader(input, options: reading, interrupt: interrupt)
      var frames: [VideoFrame] = []
      while frames.count < count, !stop.isRequested, let frame = try reader.nextFrame() {
        frames.append(frame)
      }
      return frames
    }
  }

  private static func next(_ reader: VideoReader) throws(MediaError) -> VideoFrame? {
    if let frame = try reader.nextFrame() { return frame }
    try reader.rewind()
    return try reader.nextFrame()
  }

  private static func blocking<Value: Sendable>(
    _ stop: StopSignal, _ work: @escaping @Sendable (MediaInterrupt) throws(MediaError) -> Value
  ) async throws(EyrieFailure) -> Value {
    let interrupt = MediaInterrupt()
    let own = StopSignal(linkedTo: stop)
    own.onRequest { interrupt.fire() }
    do throws(MediaError) {
      return try await withBlockingThread(named: "decode") { () throws(MediaError) in try work(interrupt) }
    } catch {
      if stop.isRequested { throw EyrieFailure.nothingMeasured }
      throw EyrieFailure(.run, "\(error)")
    }
  }
}
