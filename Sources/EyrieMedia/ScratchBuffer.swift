import CFFmpeg

/// Memory that grows when needed and is kept, aligned as swscale likes it.
final class ScratchBuffer {
  private(set) var bytes: UnsafeMutablePointer<UInt8>?
  private var capacity = 0

  deinit { av_free(bytes) }

  /// At least `count` bytes, with undefined content; `nil` if memory runs out.
  func reserve(_ count: Int) -> UnsafeMutablePointer<UInt8>? {
    if count > capacity || bytes == nil {
      av_free(bytes)
      bytes = av_malloc(count)?.assumingMemoryBound(to: UInt8.self)
      capacity = bytes == nil ? 0 : count
    }
    return bytes
  }
}
