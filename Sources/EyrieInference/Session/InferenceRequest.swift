/// One slot that can run a model: memory for one or several pictures, an asynchronous run, output tensors.
///
/// This is the seam between Eyrie and an inference library. A backend makes a fixed set of requests
/// and hands them to an ``InferenceSession``, which lends each to one owner at a time; a request may
/// therefore rely on never being used by two tasks at once.
public protocol InferenceRequest: AnyObject, Sendable {
  /// The memory of the input tensor: bytes in RGB order, `height × width × 3`, rows without gaps, for
  /// ``InferenceSession/batch`` pictures one after the other. Its address stays the same for the life of the
  /// request.
  var input: UnsafeMutableRawBufferPointer { get }

  /// Runs the model on the first pictures of ``input``. Returns when the outputs are there. Once begun, it
  /// finishes, even if the task is cancelled meanwhile.
  /// - Parameter count: how many pictures, from 1 to ``InferenceSession/batch``. Each output then has as many
  ///   rows: its first axis has this length.
  func infer(count: Int) async throws(InferenceError)

  /// The output with the given index in the model's order, as the last run left it. Valid until the
  /// next run.
  func output(_ index: Int) throws(InferenceError) -> TensorView
}

/// A look at a tensor that someone else owns. Valid only as long as its provider says.
public struct TensorView {
  /// The type of one element.
  public let elementType: ElementType
  /// The length of each axis, outermost first.
  public let shape: [Int]
  /// The elements, densely packed in row-major order.
  public let bytes: UnsafeRawBufferPointer

  /// Makes a view of memory that the caller keeps alive.
  public init(elementType: ElementType, shape: [Int], bytes: UnsafeRawBufferPointer) {
    self.elementType = elementType
    self.shape = shape
    self.bytes = bytes
  }

  /// What belongs to one picture of a batch: the same shape with a first axis of length 1.
  /// - Returns: `nil` where there is no such row.
  public func row(_ index: Int) -> TensorView? {
    guard let count = shape.first, index >= 0, index < count, bytes.count % count == 0 else { return nil }
    let size = bytes.count / count
    return TensorView(
      elementType: elementType, shape: [1] + shape.dropFirst(),
      bytes: UnsafeRawBufferPointer(rebasing: bytes[(index * size)..<((index + 1) * size)]))
  }
}
