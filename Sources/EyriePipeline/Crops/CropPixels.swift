import Synchronization

/// The pixels of one crop: bytes in RGB order, rows without gaps, as a model takes them.
///
/// `@unchecked Sendable` because its memory is written before it is handed on, and read by one owner at a time.
final class CropPixels: @unchecked Sendable {
  let bytes: UnsafeMutableRawBufferPointer
  private let pool: CropPixelPool

  fileprivate init(_ bytes: UnsafeMutableRawBufferPointer, pool: CropPixelPool) {
    self.bytes = bytes
    self.pool = pool
  }

  deinit { pool.giveBack(bytes) }
}

/// Lends memory for crops of one size, and keeps some for the next.
final class CropPixelPool: Sendable {
  /// Frames with more objects than this are rare: what they need beyond is freed.
  private static let mostIdle = 64

  /// `@unchecked Sendable` because what is idle belongs to nobody else.
  private struct Idle: @unchecked Sendable {
    var buffers: [UnsafeMutableRawBufferPointer] = []
  }

  private let byteCount: Int
  private let idle = Mutex(Idle())

  init(byteCount: Int) {
    self.byteCount = byteCount
  }

  deinit {
    for buffer in idle.withLock({ $0.buffers }) { buffer.deallocate() }
  }

  /// Memory with undefined content.
  func take() -> CropPixels {
    let kept = idle.withLock { $0.buffers.popLast() }
    return CropPixels(kept ?? .allocate(byteCount: byteCount, alignment: 64), pool: self)
  }

  fileprivate func giveBack(_ bytes: UnsafeMutableRawBufferPointer) {
    let isKept = idle.withLock { idle in
      guard idle.buffers.count < Self.mostIdle else { return false }
      idle.buffers.append(bytes)
      return true
    }
    if !isKept { bytes.deallocate() }
  }
}
