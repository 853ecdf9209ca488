/// A model made ready to run: a fixed number of requests that are lent out and come back.
///
/// Every backend ends in one of these; the requests behind it differ (``InferenceRequest``). Any
/// number of tasks may use a session at once. Dropping it does not disturb runs in flight: the
/// requests and the compiled model are freed after the last lease is gone.
public final class InferenceSession: Sendable {
  /// The model as it runs here: input size and output shape are the ones in use, and ``ModelDescription/notes``
  /// includes what compiling it brought to light.
  public let model: ModelDescription
  /// The name of the device, for people.
  public let deviceName: String
  /// The arithmetic actually used for whatever the model file does not fix (quantised layers stay
  /// integer), which is not always what was asked for.
  public let executedPrecision: ExecutionPrecision
  /// How many requests there are, and so how many runs can be in flight.
  public let requestCount: Int
  /// The most pictures that a request takes at once; 1 where the model cannot take several, whatever was asked
  /// for (then ``ModelDescription/notes`` says why).
  public let batch: Int
  private let pool: LendingPool<any InferenceRequest>

  /// Makes a session of ready requests, each of which takes up to `batch` pictures. Backends and tests call
  /// this.
  public init(
    model: ModelDescription, deviceName: String, executedPrecision: ExecutionPrecision,
    requests: sending [any InferenceRequest], batch: Int = 1
  ) {
    self.model = model
    self.deviceName = deviceName
    self.executedPrecision = executedPrecision
    requestCount = requests.count
    self.batch = max(1, batch)
    pool = LendingPool(requests)
  }

  /// How many requests are free at this moment.
  public var availableCount: Int { pool.idleCount }
  /// How many tasks wait for a request at this moment.
  public var waitingCount: Int { pool.waiterCount }
  /// The width of the input in pixels.
  public var inputWidth: Int { model.input.width }
  /// The height of the input in pixels.
  public var inputHeight: Int { model.input.height }
  /// The bytes of one row of the input tensor.
  public var inputRowStride: Int { model.input.width * 3 }
  /// The bytes of one picture; the memory of a request has room for ``batch`` of them.
  public var inputByteSize: Int { inputRowStride * model.input.height }

  /// Borrows a request, waiting for a free one if need be. Those who wait are served in the order
  /// in which they came.
  /// - Throws: `CancellationError` when the task is cancelled before a request was free.
  public func acquire() async throws(CancellationError) -> RequestLease {
    RequestLease(try await pool.take(), batch: batch, pool: pool)
  }
}

/// The arithmetic a model runs in.
public enum ExecutionPrecision: String, Sendable, Codable, CaseIterable {
  /// The fastest that keeps a detector's results: bf16 where the CPU has instructions for it, else f32.
  case auto
  case f32
  case bf16
  case f16
  /// Integers where the model file is quantised, `auto` for the rest. Asked of a model that is not quantised it is
  /// refused: no runtime can quantise without pictures.
  case int8
}
