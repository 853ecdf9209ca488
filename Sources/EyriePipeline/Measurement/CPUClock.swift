import Foundation

/// The CPU time that was used so far, user and system, in seconds of one core. To the nanosecond, where `getrusage`
/// may count in ticks of the scheduler.
enum CPUClock {
  /// Of all threads of this process, those that have ended too.
  static func process() -> Double { seconds(CLOCK_PROCESS_CPUTIME_ID) }

  /// Of the calling thread. Between two calls there must be no `await`, which may change the thread.
  static func thread() -> Double { seconds(CLOCK_THREAD_CPUTIME_ID) }

  private static func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    guard clock_gettime(clock, &time) == 0 else { return 0 }
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
