import CFFmpeg
import Foundation

/// Reads a named pipe or a character device for FFmpeg.
///
/// FFmpeg's own `file:` protocol blocks in `open(2)` until a pipe has a writer, and in `read(2)` until it
/// has bytes, where no interrupt reaches it.
final class PipeSource: ByteSource {
  /// The byte stream to give to FFmpeg. Valid as long as this object.
  private(set) var io: UnsafeMutablePointer<AVIOContext>
  var mayWaitForWriter: Bool { true }
  private let descriptor: Int32
  private let ioGuard: IOGuard
  private static let bufferBytes: Int32 = 1 << 16
  /// How long one wait for bytes lasts before the interrupt is looked at again.
  private static let pollMilliseconds: Int32 = 10

  init(path: String, input: String, guard ioGuard: IOGuard) throws(MediaError) {
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw LocalFile.error(errno, input: input) }
    guard let buffer = av_malloc(Int(Self.bufferBytes)),
      let io = avio_alloc_context(
        buffer.assumingMemoryBound(to: UInt8.self), Self.bufferBytes, 0, nil,
        { opaque, bytes, count in
          guard let opaque, let bytes else { return FFmpeg.error(EINVAL) }
          return Unmanaged<PipeSource>.fromOpaque(opaque).takeUnretainedValue().read(
            into: bytes, count: count)
        }, nil, nil)
    else {
      close(descriptor)
      throw MediaError(.outOfMemory, input, "out of memory while opening")
    }
    self.descriptor = descriptor
    self.ioGuard = ioGuard
    self.io = io
    io.pointee.opaque = Unmanaged.passUnretained(self).toOpaque()
  }

  deinit {
    // FFmpeg may have replaced the buffer by a larger one.
    av_freep(&io.pointee.buffer)
    var handle: UnsafeMutablePointer<AVIOContext>? = io
    avio_context_free(&handle)
    close(descriptor)
  }

  private func read(into bytes: UnsafeMutablePointer<UInt8>, count: Int32) -> Int32 {
    while !ioGuard.mustStop {
      var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let ready = poll(&request, 1, Self.pollMilliseconds)
      if ready < 0, errno != EINTR { return FFmpeg.error(errno) }
      guard ready > 0 else { continue }
      // On Linux a pipe that never had a writer reports nothing; POLLHUP means that the last one left.
      let received = Foundation.read(descriptor, bytes, Int(count))
      if received > 0 { return Int32(truncatingIfNeeded: received) }
      if received == 0 { return EYRIE_ERROR_EOF }
      if errno != EAGAIN, errno != EINTR { return FFmpeg.error(errno) }
    }
    return EYRIE_ERROR_EXIT
  }
}
