import CFFmpeg
import Foundation

/// Counts what a container's reader complains about without returning an error: it skips damage, and only
/// FFmpeg's log tells.
///
/// The log is one for the whole process, its callback gets no context of ours, and demuxers log on the
/// thread that calls them. So the counter of the running call is kept in the thread.
final class DemuxerErrors {
  private var count = 0
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

  /// Called for every line of FFmpeg's log.
  static func note(_ object: UnsafeMutableRawPointer?, level: Int32) {
    guard level <= AV_LOG_ERROR, let object,
      // Whatever logs begins with a pointer to its class. Only containers count.
      object.load(as: UnsafePointer<AVClass>?.self) == avformat_get_class(),
      let counter = pthread_getspecific(current)
    else { return }
    Unmanaged<DemuxerErrors>.fromOpaque(counter).takeUnretainedValue().count += 1
  }
}
