import CFFmpeg
public import Foundation

/// One decoded picture. It refers to the decoder's own memory: nothing is copied, and holding frames
/// holds that memory.
///
/// `@unchecked Sendable` because the AVFrame is never written after `init`, its pixel buffers are
/// reference-counted atomically by FFmpeg, and the decoder does not write to a buffer that is referenced.
public final class VideoFrame: @unchecked Sendable {
  /// Counts the reader's frames from 0 in display order; goes on when the input is looped.
  public let index: Int
  /// Presentation time in nanoseconds: the stream's own, strictly increasing within a reader.
  public let ptsNanoseconds: Int64
  /// When the packet of this frame was read, on the monotonic clock; never before that of the frame before,
  /// since a picture that was sent ahead of its turn is not due earlier.
  public let arrival: ContinuousClock.Instant
  /// When the picture was taken, by the source's wall clock if that tells and is within a minute of ours, else
  /// the moment of `arrival` by ours. It may go back a little where one clock follows the other.
  public let capturedAt: Date
  /// Whose clock `capturedAt` is of.
  public let captureClock: CaptureClock
  /// Whether the picture can be decoded without any other.
  public let isKeyframe: Bool
  /// Whether the decoder had to conceal damage in this picture or in one that it refers to.
  public let isCorrupt: Bool

  /// What kind of picture it is: compare it with that of the frame before to notice a change.
  public let format: VideoFormat

  let geometry: PictureGeometry
  /// The stream's own time in nanoseconds, before discontinuities were joined up.
  let streamNanoseconds: Int64
  let picture: UnsafeMutablePointer<AVFrame>
  private let pool: PicturePool

  /// Takes over `picture`, which came from `pool`.
  init(
    taking picture: UnsafeMutablePointer<AVFrame>, of pool: PicturePool, index: Int, stamp: Timeline.Stamp,
    arrival: PacketLedger.Arrival, geometry: PictureGeometry, codec: String, isCorrupt: Bool
  ) {
    self.picture = picture
    self.pool = pool
    self.index = index
    ptsNanoseconds = stamp.nanoseconds
    streamNanoseconds = stamp.streamNanoseconds
    self.arrival = arrival.instant
    capturedAt = arrival.source ?? arrival.date
    captureClock = arrival.source == nil ? .arrival : .source
    self.geometry = geometry
    format = VideoFormat(of: picture, geometry: geometry, codec: codec)
    isKeyframe = eyrie_frame_is_key(picture) != 0
    self.isCorrupt = isCorrupt
  }

  deinit {
    pool.giveBack(picture)
  }

  /// Width in pixels as stored.
  public var codedWidth: Int { geometry.codedWidth }
  /// Height in pixels as stored.
  public var codedHeight: Int { geometry.codedHeight }
  /// Width in pixels as displayed: square pixels, upright.
  public var width: Int { geometry.width }
  /// Height in pixels as displayed: square pixels, upright.
  public var height: Int { geometry.height }
  /// Degrees clockwise (0, 90, 180, 270) that the stored picture must be turned to be upright, after
  /// mirroring.
  public var rotation: Int { geometry.orientation.degreesClockwise }
  /// Whether the stored picture must be mirrored left to right, before turning.
  public var isMirrored: Bool { geometry.orientation.isMirrored }
  /// Width to height of a stored pixel, such as `16:11`.
  public var sampleAspectRatio: String { geometry.aspectText }
}
