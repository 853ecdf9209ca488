import CAllocationCounter
import EyrieGraph
import EyriePipeline
import Synchronization

/// Counts the heap allocations of a whole run while it is in its stride: a real video, a real model, events to a
/// socket and to a file.
struct FrameAllocations {
  /// What was counted.
  struct Outcome {
    /// Frames whose events were made meanwhile.
    let frames: Int
    let sites: [AllocationSite]
  }

  let input: String
  let model: String
  var track = false
  /// Whether frames that come too fast are dropped and counted, as a camera's are, and do not wait.
  var dropsFrames = false
  var classify: String?
  var warmUp = 200
  var frames = 400
  /// How many return addresses tell two places apart.
  var depth = 1

  private enum Phase {
    case warmingUp
    case recording(since: Int)
    case over(frames: Int)
  }

  func run() async throws -> Outcome {
    var options = RunOptions(input: input, model: model)
    options.track = track
    if dropsFrames { options.overflow = .dropOldest }
    options.classify = classify
    options.jsonl = "/dev/null"
    options.publish = "tcp://127.0.0.1:*"
    options.loop = !input.hasPrefix("testsrc")
    let stop = StopSignal()
    let phase = Mutex(Phase.warmingUp)
    let reporter = RunReporter(log: { _ in }) { progress in
      phase.withLock { phase in
        switch phase {
        case .warmingUp where progress.frames >= warmUp:
          phase = .recording(since: progress.frames)
          allocation_recording_begin(Int32(clamping: depth))
        case .recording(let begin) where progress.frames >= begin + frames:
          allocation_recording_end()
          phase = .over(frames: progress.frames - begin)
          stop.request()
        default: break
        }
      }
    }
    _ = try await DetectionRun(options).run(stop: stop, reporter: reporter)
    guard case .over(let frames) = phase.withLock({ $0 }) else {
      throw MeasureError("\(input): too short: it ended before \(warmUp) + \(self.frames) frames")
    }
    return Outcome(frames: frames, sites: AllocationSite.recorded())
  }
}
