import CFFmpeg

/// Draws a test pattern, frame by frame, as FFmpeg asks for its bytes.
final class TestPatternSource: ByteSource {
  private(set) var io: UnsafeMutablePointer<AVIOContext>
  var mayWaitForWriter: Bool { false }
  private let pattern: TestPattern
  private let ioGuard: IOGuard
  private let background: [UInt8]
  private var bytes: [UInt8]
  private var position = 0
  private var index = -1
  private static let bufferBytes: Int32 = 1 << 18

  init(_ pattern: TestPattern, input: String, guard ioGuard: IOGuard) throws(MediaError) {
    guard let buffer = av_malloc(Int(Self.bufferBytes)),
      let io = avio_alloc_context(
        buffer.assumingMemoryBound(to: UInt8.self), Self.bufferBytes, 0, nil,
        { opaque, bytes, count in
          guard let opaque, let bytes else { return FFmpeg.error(EINVAL) }
          return Unmanaged<TestPatternSource>.fromOpaque(opaque).takeUnretainedValue().read(
            into: bytes, count: Int(count))
        }, nil, nil)
    else { throw MediaError(.outOfMemory, input, "out of memory while opening") }
    self.pattern = pattern
    self.ioGuard = ioGuard
    self.io = io
    background = pattern.background
    bytes = pattern.header
    io.pointee.opaque = Unmanaged.passUnretained(self).toOpaque()
  }

  deinit {
    // FFmpeg may have replaced the buffer by a larger one.
    av_freep(&io.pointee.buffer)
    var handle: UnsafeMutablePointer<AVIOContext>? = io
    avio_context_free(&handle)
  }

  private func read(into target: UnsafeMutablePointer<UInt8>, count: Int) -> Int32 {
    if ioGuard.mustStop { return EYRIE_ERROR_EXIT }
    if position == bytes.count { drawNext() }
    let length = min(count, bytes.count - position)
    bytes.withUnsafeBufferPointer { source in
      guard let base = source.baseAddress else { return }
      target.update(from: base + position, count: length)
    }
    position += length
    return Int32(length)
  }

  private func drawNext() {
    if index < 0 { bytes = background } else { fill(pattern.square(index), with: nil) }
    index += 1
    fill(pattern.square(index), with: 235)
    position = 0
  }

  /// Fills a rectangle of luma with a value, or with what lies behind.
  private func fill(_ area: (rows: Range<Int>, columns: Range<Int>), with value: UInt8?) {
    for row in area.rows {
      for column in area.columns {
        let offset = pattern.offset(row: row, column: column)
        bytes[offset] = value ?? background[offset]
      }
    }
  }
}
