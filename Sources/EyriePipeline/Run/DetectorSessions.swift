import EyrieInference
import EyrieVision
import Synchronization

/// A detector's model, compiled for each of the sizes at which it looks at pictures. Safe from any task.
///
/// A model of one size has one session. One with open height and width has one for each rectangle that its sources
/// need, up to `mostSizes`; pictures beyond those go through a square. What is known before the run is compiled
/// before it. A size that shows up later (a camera, a change in mid-stream) is compiled beside the run by ``run()``,
/// and until that is done its frames go through the session that shows them largest: nobody waits.
final class DetectorSessions: Sendable {
  /// How a picture is looked at.
  struct Fit: Sendable {
    let session: InferenceSession
    /// From the pixels of the displayed picture to those of the session's input.
    let transform: PictureTransform
    /// Whether that stays so. If not, ask again with the next frame.
    let isFinal: Bool
  }

  typealias Compile = @Sendable (PixelSize) async throws(ModelError) -> InferenceSession

  /// Each costs the memory of its weights and activations (some 55 MiB for YOLOv8n on two cores), and cameras have few
  /// aspects.
  static let mostSizes = 4

  /// How many inferences may be under way in all sessions together.
  let slots: SlotPool
  /// The model at the size that was compiled first.
  let model: ModelDescription
  private let sizing: DetectorSizing
  private let compile: Compile
  private let log: @Sendable (String) -> Void
  private let state: Mutex<State>
  private let wanted: (sizes: AsyncStream<PixelSize>, give: AsyncStream<PixelSize>.Continuation)

  private struct State {
    /// Never empty.
    var sessions: [PixelSize: InferenceSession]
    /// What all sessions were that ever were, in the order in which they were compiled.
    var history: [RunSummary.Model]
    var pending: Set<PixelSize> = []
    /// Sizes that the model turned out not to have.
    var failed: Set<PixelSize> = []
    var needsSquare = false

    /// That of a model with one size.
    var only: InferenceSession { sessions.values[sessions.values.startIndex] }
  }

  /// - Parameters:
  ///   - first: what messages are about; it says how many inferences may be under way.
  ///   - others: of other sizes.
  ///   - sizing: how pictures get their size.
  ///   - failed: sizes that the model turned out not to have.
  ///   - compile: makes a session of another size.
  ///   - log: takes a line when that was done.
  init(
    _ first: InferenceSession, _ others: [InferenceSession] = [], sizing: DetectorSizing,
    failed: Set<PixelSize> = [],
    log: @escaping @Sendable (String) -> Void = { _ in }, compile: @escaping Compile
  ) {
    model = first.model
    self.sizing = sizing
    self.compile = compile
    self.log = log
    slots = SlotPool(count: first.requestCount)
    let all = [first] + others
    state = Mutex(
      State(
        sessions: Dictionary(all.map { ($0.inputSize, $0) }) { first, _ in first },
        history: all.map { RunSummary.Model($0) }, failed: failed))
    let (sizes, give) = AsyncStream.makeStream(of: PixelSize.self)
    wanted = (sizes, give)
  }

  /// A model of one size.
  convenience init(_ session: InferenceSession) {
    self.init(session, sizing: DetectorSizing(fixed: session.model.input)) { _ throws(ModelError) in session }
  }

  /// The sessions that there are now, the smallest input first.
  var all: [InferenceSession] {
    state.withLock {
      $0.sessions.values.sorted { ($0.inputByteSize, $0.inputWidth) < ($1.inputByteSize, $1.inputWidth) }
    }
  }

  /// What was compiled so far, in that order, whether it is still in use or not.
  var history: [RunSummary.Model] { state.withLock(\.history) }

  /// Chooses the session for a picture.
  /// - Parameters:
  ///   - width: of the picture as displayed, in pixels.
  ///   - height: likewise.
  func fit(width: Int, height: Int) throws(VisionError) -> Fit {
    guard let rectangle = sizing.rectangle else {
      let session = state.withLock(\.only)
      let transform = try PictureTransform(
        sizing.mode, sourceWidth: width, sourceHeight: height, modelWidth: session.inputWidth,
        modelHeight: session.inputHeight)
      return Fit(session: session, transform: transform, isFinal: true)
    }
    let own = try rectangle.transform(width: width, height: height)
    let size = PixelSize(width: own.modelWidth, height: own.modelHeight)
    let (session, isFinal) = state.withLock {
      choose(size, picture: PixelSize(width: width, height: height), &$0)
    }
    if session.inputSize == size { return Fit(session: session, transform: own, isFinal: isFinal) }
    let transform = try PictureTransform(
      .letterbox, sourceWidth: width, sourceHeight: height, modelWidth: session.inputWidth,
      modelHeight: session.inputHeight)
    return Fit(session: session, transform: transform, isFinal: isFinal)
  }

  private func choose(
    _ size: PixelSize, picture: PixelSize, _ state: inout State
  ) -> (session: InferenceSession, isFinal: Bool) {
    let square = sizing.square
    if let session = state.sessions[size] {
      state.needsSquare = state.needsSquare || size == square
      return (session, true)
    }
    let rectangles = Set(state.sessions.keys).union(state.pending).subtracting([square])
    let isRefused =
      state.failed.contains(size) || rectangles.count >= Self.mostSizes && !rectangles.contains(size)
    let target = isRefused ? square : size
    if target == square { state.needsSquare = true }
    if let session = state.sessions[target] { return (session, true) }
    let meanwhile = state.sessions.values.max { Self.isSmaller($0, $1, for: picture) } ?? state.only
    if state.failed.contains(target) { return (meanwhile, true) }
    if state.pending.insert(target).inserted { wanted.give.yield(target) }
    return (meanwhile, false)
  }

  /// Whether a picture is smaller in one session than in another, or takes more work at the same size.
  private static func isSmaller(
    _ left: InferenceSession, _ right: InferenceSession, for picture: PixelSize
  ) -> Bool {
    func gain(_ session: InferenceSession) -> Double {
      min(
        Double(session.inputWidth) / Double(max(1, picture.width)),
        Double(session.inputHeight) / Double(max(1, picture.height)))
    }
    let (leftGain, rightGain) = (gain(left), gain(right))
    return leftGain == rightGain ? left.inputByteSize > right.inputByteSize : leftGain < rightGain
  }

  /// Compiles what comes to be wanted, until the task is cancelled.
  func run() async {
    for await size in wanted.sizes {
      let result: Result<InferenceSession, ModelError>
      do throws(ModelError) {
        result = .success(try await compile(size))
      } catch {
        result = .failure(error)
      }
      if Task.isCancelled { return }
      state.withLock { add(size, result, &$0) }
      switch result {
      case .success: log("model \(model.name): compiled for \(size)")
      case .failure(let error):
        log("model \(model.name): cannot be compiled for \(size), goes on at another size: \(error.reason)")
      }
    }
  }

  private func add(_ size: PixelSize, _ result: Result<InferenceSession, ModelError>, _ state: inout State) {
    state.pending.remove(size)
    guard case .success(let session) = result else {
      state.failed.insert(size)
      return
    }
    state.sessions[size] = session
    state.history.append(RunSummary.Model(session))
    // It was there for sources whose size was not known yet. Its memory goes with the last frame in it.
    if size != sizing.square, !state.needsSquare { state.sessions[sizing.square] = nil }
  }
}

extension InferenceSession {
  var inputSize: PixelSize { PixelSize(width: inputWidth, height: inputHeight) }
}
