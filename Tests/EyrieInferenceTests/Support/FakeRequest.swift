import Synchronization

@testable import EyrieInference

/// A request whose runs end when the test says so.
final class FakeRequest: InferenceRequest {
  private let memory: Memory
  private let state = Mutex(State())

  private struct State {
    var isReleased = false
    var waiting: CheckedContinuation<Void, Never>?
  }

  /// `@unchecked Sendable` because the pointer is immutable, and the pool lends the bytes to one owner.
  private final class Memory: @unchecked Sendable {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 12, alignment: 16)
    deinit { bytes.deallocate() }
  }

  init() { memory = Memory() }

  var input: UnsafeMutableRawBufferPointer { memory.bytes }

  func infer(count: Int) async throws(InferenceError) {
    await withCheckedContinuation { continuation in
      let isReleased = state.withLock { state in
        if !state.isReleased { state.waiting = continuation }
        return state.isReleased
      }
      if isReleased { continuation.resume() }
    }
  }

  /// Ends the run in flight, or the next one.
  func finish() {
    let waiting = state.withLock { state in
      state.isReleased = true
      defer { state.waiting = nil }
      return state.waiting
    }
    waiting?.resume()
  }

  var isRunning: Bool { state.withLock { $0.waiting != nil } }

  func output(_ index: Int) throws(InferenceError) -> TensorView {
    guard index == 0 else { throw InferenceError("no output \(index)") }
    return TensorView(elementType: .u8, shape: [1, 12], bytes: UnsafeRawBufferPointer(memory.bytes))
  }
}

extension InferenceSession {
  /// A session of requests that do nothing.
  static func fake(_ requests: sending [FakeRequest]) -> InferenceSession {
    let model = ModelDescription(
      name: "fake", task: .detect, format: .onnx, path: "fake.onnx",
      input: ModelInput(name: "images", width: 2, height: 2),
      output: ModelOutput(
        kind: .yoloGrid, names: ["output0"], labels: ["a"], classCount: 1, shape: [1, 5, 21],
        layout: .featuresFirst))
    return InferenceSession(
      model: model, deviceName: "fake", executedPrecision: .f32, requests: requests)
  }
}

/// Lets other tasks go on until a condition holds.
func until(_ condition: () -> Bool) async {
  while !condition() { await Task.yield() }
}
