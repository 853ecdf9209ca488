import Foundation
import Synchronization

/// A serial executor on a thread of its own, for actors that block in C: reading a socket, decoding, scaling,
/// sending. Such a call never holds a thread of Swift's cooperative pool.
///
/// An actor takes one as `nonisolated let executor` and answers `executor.asUnownedSerialExecutor()` from
/// `unownedExecutor`; it must keep the executor as long as itself. The thread ends when the executor is
/// released and its last job has run.
///
/// As a task executor it keeps a whole task on the thread (`ThreadBound`). Without that a task that waited is resumed
/// on the pool, which allocates for each job, and changes to the thread only from there.
public final class ThreadExecutor: SerialExecutor, TaskExecutor {
  private let queue = JobQueue()

  /// Starts the thread.
  /// - Parameter name: shown by debuggers and `top -H`; Linux keeps the first 15 bytes.
  public init(name: String) {
    let queue = queue
    let thread = Thread {
      nameCurrentThread(name)
      queue.runJobs()
    }
    // FFmpeg's demuxers and swscale use deep stacks on odd input; the default of a secondary thread is 512 KiB.
    thread.stackSize = 2 << 20
    thread.start()
  }

  deinit {
    queue.close()
  }

  /// Runs a job after those that are queued. Called by the Swift runtime.
  public func enqueue(_ job: consuming ExecutorJob) {
    queue.append(
      JobQueue.Entry(
        job: UnownedJob(job), executor: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor()))
  }

  /// What the actor answers from `unownedExecutor`.
  public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
    UnownedSerialExecutor(ordinary: self)
  }
}

/// The jobs of one thread. Apart from the executor, so that the thread does not keep its own executor alive.
private final class JobQueue: Sendable {
  struct Entry {
    let job: UnownedJob
    let executor: UnownedSerialExecutor
    let taskExecutor: UnownedTaskExecutor
  }

  private struct State {
    var jobs: [Entry] = []
    var isClosed = false
  }

  private let state = Mutex(State())
  private let wake = DispatchSemaphore(value: 0)

  func append(_ entry: Entry) {
    state.withLock { $0.jobs.append(entry) }
    wake.signal()
  }

  func close() {
    state.withLock { $0.isClosed = true }
    wake.signal()
  }

  func runJobs() {
    while true {
      wake.wait()
      let (next, isClosed) = state.withLock { state -> (Entry?, Bool) in
        (state.jobs.isEmpty ? nil : state.jobs.removeFirst(), state.isClosed)
      }
      if let next {
        // Whichever way it came, this thread is where the actor's work is done one after the other.
        next.job.runSynchronously(isolatedTo: next.executor, taskExecutor: next.taskExecutor)
      } else if isClosed {
        return
      }
    }
  }
}
