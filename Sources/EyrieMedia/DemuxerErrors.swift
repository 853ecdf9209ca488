import CFFmpeg
import Foundation

/// Counts what a container's reader complains about without returning an error: it skips damage, and only
/// FFmpeg's log tells. Likewise the packets that did not arrive over RTP.
///
/// The log is one for the whole process, its callback gets no context of ours, and demuxers log on the
/// thread that calls them. So the counter of the running call is kept in the thread.
final class DemuxerErrors {
  private var count = 0
  private var losses = 0
  private static let current: pthread_key_t = {
    var key = pthread_key_t()
    pthread_key_create(&key, nil)
    return key
  }()

  /// Runs a call into a demuxer and counts for it.
  func collect<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    let outer = pthread_getspecific(Self.current)
    pthread_setspecific(Self.current, Unmanaged.passUnretained(self).toOpaque())
    defer { pthread_setspecific(Self.current, outer) }
    return try body()
  }

  /// The number since the last call.
  func take() -> Int {
    defer { count = 0 }
    return count
  }

  /// How often packets were missing in a stream over RTP since the last call.
  func takeLosses() -> Int {
    defer { losses = 0 }
    return losses
  }

  /// How FFmpeg's RTP receiver begins the line on a gap in the sequence numbers; it does nothing else about it.
  private static let lossLine: StaticString = "RTP: missed"

  /// Called for every line of FFmpeg's log, with its format as it stands in the source.
  static func note(_ object: UnsafeMutableRawPointer?, level: Int32, format: UnsafePointer<CChar>?) {
    let isLoss =
      level == AV_LOG_WARNING
      && format.map {
        strncmp(
          $0, UnsafeRawPointer(lossLine.utf8Start).assumingMemoryBound(to: CChar.self),
          lossLine.utf8CodeUnitCount) == 0
      }
        ?? false
    guard level <= AV_LOG_ERROR || isLoss, let object,
      // Whatever logs begins with a pointer to its class. Only containers count.
      object.load(as: UnsafePointer<AVClass>?.self) == avformat_get_class(),
      let counter = pthread_getspecific(current)
    else { return }
    let errors = Unmanaged<DemuxerErrors>.fromOpaque(counter).takeUnretainedValue()
    if isLoss { errors.losses += 1 } else { errors.count += 1 }
  }
}
