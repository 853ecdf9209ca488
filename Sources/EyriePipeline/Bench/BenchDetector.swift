import EyrieGraph
import EyrieInference

/// The detector as a run would have it, for measuring its parts alone. All that the benchmark knows of how a run
/// makes its detector is here.
struct BenchDetector: Sendable {
  /// One for each size at which pictures are looked at.
  let sessions: [InferenceSession]
  private let detector: RunningDetector

  /// Compiles the model.
  /// - Parameters:
  ///   - loaded: by the plan of the run that will be measured.
  ///   - inputs: what it will look at.
  /// - Throws: `EyrieFailure` of kind usage.
  init(
    _ loaded: LoadedDetector, for inputs: [BenchInput], by backend: ModelBackend
  ) async throws(EyrieFailure) {
    let pictures = inputs.map { PixelSize(width: $0.width, height: $0.height) }
    detector = try await loaded.compile(by: backend, for: pictures) { _ in }
    sessions = detector.sessions.all
  }

  /// Which of the sessions pictures of a size go through.
  func session(width: Int, height: Int) -> Int {
    let fit = try? detector.sessions.fit(width: width, height: height)
    return sessions.firstIndex { $0 === fit?.session } ?? 0
  }

  /// What brings frames to the size of a session.
  func resize() -> ResizeStage { ResizeStage(sessions: detector.sessions) }
}
