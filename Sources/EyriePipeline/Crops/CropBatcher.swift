import EyrieGraph
import EyrieInference
import Synchronization

/// Gathers the crops of any frames and sources into batches, and takes them through a model. Safe from any thread.
///
/// A batch goes when it is full, or when its first crop has waited for `batchTimeout`. Crops that nobody waits for
/// any more are left out.
final class CropBatcher: Sendable {
  struct Counts: Sendable, Equatable {
    var batches = 0
    /// Crops that went through the model.
    var crops = 0
  }

  private struct State {
    var queue: [CropTicket] = []
    /// Given when there are so many crops.
    var calls: [Int: (minimum: Int, signal: StopSignal)] = [:]
    var lastCall = 0
    var counts = Counts()
  }

  /// So many batches may wait for each that is under way.
  private static let batchesAhead = 4

  private let session: InferenceSession
  private let head: CropHead
  private let batchTimeout: Duration
  /// Takes what went wrong with crops of this model, here or before they came here.
  let onFailure: @Sendable (_ reason: String, _ message: String) -> Void
  private let state = Mutex(State())

  /// - Parameters:
  ///   - batchTimeout: how long a crop waits for others to go with it.
  ///   - onFailure: takes what went wrong, for each batch that failed.
  init(
    session: InferenceSession, head: CropHead, batchTimeout: Duration,
    onFailure: @escaping @Sendable (_ reason: String, _ message: String) -> Void
  ) {
    self.session = session
    self.head = head
    self.batchTimeout = batchTimeout
    self.onFailure = onFailure
  }

  var counts: Counts { state.withLock(\.counts) }

  func submit(_ tickets: [CropTicket]) {
    guard !tickets.isEmpty else { return }
    let signals = state.withLock { state -> [StopSignal] in
      state.queue += tickets
      let met = state.calls.filter { $0.value.minimum <= state.queue.count }
      for key in met.keys { state.calls[key] = nil }
      return met.values.map(\.signal)
    }
    for signal in signals { signal.request() }
  }

  /// Whether a crop that is sent now has a chance not to be late. Those of files wait as long as it takes.
  var hasRoom: Bool {
    let most = session.batch * session.requestCount * Self.batchesAhead
    return state.withLock { state in
      if state.queue.count < most { return true }
      state.queue.removeAll { $0.outcome != nil }
      return state.queue.count < most
    }
  }

  /// Works until the task is cancelled: as many batches at once as there are infer requests. Then whoever still waits
  /// gets nothing.
  func run() async {
    await withDiscardingTaskGroup { group in
      for _ in 0..<session.requestCount { group.addTask { await self.work() } }
    }
    let rest = state.withLock { state in
      defer { state.queue = [] }
      return state.queue
    }
    for ticket in rest { ticket.settle(.failed(CropLoss.shutdown)) }
  }

  private func work() async {
    guard let request = try? await session.acquire() else { return }
    while !Task.isCancelled {
      await wait(for: 1, until: nil)
      if let first = state.withLock({ $0.queue.first?.since }) {
        await wait(for: session.batch, until: first + batchTimeout)
        await infer(takeBatch(), on: request)
      }
    }
  }

  /// Waits until there are so many crops, the time is over, or the task is cancelled.
  private func wait(for minimum: Int, until deadline: ContinuousClock.Instant?) async {
    let signal = StopSignal()
    let call = state.withLock { state -> Int? in
      if state.queue.count >= minimum { return nil }
      state.lastCall += 1
      state.calls[state.lastCall] = (minimum, signal)
      return state.lastCall
    }
    guard let call else { return }
    await signal.wait(until: deadline)
    state.withLock { $0.calls[call] = nil }
  }

  private func takeBatch() -> [(ticket: CropTicket, pixels: CropPixels)] {
    var batch: [(CropTicket, CropPixels)] = []
    while batch.count < session.batch,
      let next = state.withLock({ $0.queue.isEmpty ? nil : $0.queue.removeFirst() })
    {
      if let pixels = next.takePixels() { batch.append((next, pixels)) }
    }
    return batch
  }

  private func infer(_ batch: [(ticket: CropTicket, pixels: CropPixels)], on request: RequestLease) async {
    guard !batch.isEmpty else { return }
    do {
      let size = session.inputByteSize
      request.withInput { input in
        for (index, crop) in batch.enumerated() {
          let place = UnsafeMutableRawBufferPointer(rebasing: input[index * size..<(index + 1) * size])
          place.copyMemory(from: UnsafeRawBufferPointer(crop.pixels.bytes))
        }
      }
      try await request.infer(count: batch.count)
      let results = try head.results(of: request, count: batch.count)
      state.withLock { state in
        state.counts.batches += 1
        state.counts.crops += batch.count
      }
      for (crop, result) in zip(batch, results) {
        crop.ticket.settle(result.map { .result($0) } ?? .failed(CropLoss.notFinite))
      }
      if results.contains(nil) {
        onFailure(CropLoss.notFinite, "the model gave a number that is not finite")
      }
    } catch {
      for crop in batch { crop.ticket.settle(.failed(CropLoss.inferenceFailed)) }
      onFailure(CropLoss.inferenceFailed, "\(error)")
    }
  }
}
