import EyriePipeline
import Foundation

/// The state of a run in one line of a terminal.
struct ProgressLine: CustomStringConvertible {
  let progress: RunReporter.Progress

  var description: String {
    let share = progress.fraction.map { String(format: "%3.0f %%  ", $0 * 100) } ?? ""
    return share + "frames \(progress.frames)  FPS \(String(format: "%.1f", progress.fps))  "
      + "detections \(progress.detections)  dropped \(progress.dropped)"
  }
}
