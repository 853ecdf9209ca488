import CFFmpeg
import Synchronization

/// Lends FFmpeg's frame structures, and keeps those that come back for the next pictures. Safe from any thread.
final class PicturePool: Sendable {
  /// More than a graph holds; what a burst needs beyond is freed.
  private static let mostIdle = 64

  /// `@unchecked Sendable` because what is idle belongs to nobody else.
  private struct Idle: @unchecked Sendable {
    var pictures: [UnsafeMutablePointer<AVFrame>] = []
  }

  private let idle = Mutex(Idle())

  deinit {
    for picture in idle.withLock({ $0.pictures }) { FFmpeg.free(picture) }
  }

  /// An empty one; `nil` if memory runs out.
  func take() -> UnsafeMutablePointer<AVFrame>? {
    idle.withLock { $0.pictures.popLast() } ?? av_frame_alloc()
  }

  /// Lets go of its pixels and takes it back.
  func giveBack(_ picture: UnsafeMutablePointer<AVFrame>) {
    av_frame_unref(picture)
    let isKept = idle.withLock { idle in
      guard idle.pictures.count < Self.mostIdle else { return false }
      idle.pictures.append(picture)
      return true
    }
    if !isKept { FFmpeg.free(picture) }
  }
}
