/// The numbers of a tensor in memory of its own, densely packed in row-major order.
///
/// `@unchecked Sendable` because the memory is written by the initialiser only.
final class DenseTensor: @unchecked Sendable {
  let elementType: ElementType
  let shape: [Int]
  private let memory: UnsafeMutableRawBufferPointer

  /// Copies numbers that need not lie densely.
  /// - Parameters:
  ///   - shape: the length of each axis, outermost first.
  ///   - strides: how many elements lie between two neighbours along each axis.
  ///   - source: the memory that holds them.
  /// - Throws: ``InferenceError`` when an element would lie outside of it.
  init(
    _ elementType: ElementType, shape: [Int], strides: [Int], copying source: UnsafeRawBufferPointer
  ) throws(InferenceError) {
    let size = elementType.byteSize
    func refuse() -> InferenceError {
      InferenceError(
        "a tensor of shape \(shapeText(shape)) and strides \(strides) does not lie in its \(source.count) bytes"
      )
    }
    guard size > 0, shape.count == strides.count, let count = elementCount(shape),
      let byteCount = elementCount(shape, times: size)
    else { throw refuse() }
    // The last element, in elements from the first. Of a tensor without elements there is none.
    var last = 0
    for (length, stride) in zip(shape, strides) where count > 0 {
      let step = stride.multipliedReportingOverflow(by: length - 1)
      let sum = last.addingReportingOverflow(step.partialValue)
      guard stride >= 0, !step.overflow, !sum.overflow else { throw refuse() }
      last = sum.partialValue
    }
    guard count == 0 || last < source.count / size else { throw refuse() }
    self.elementType = elementType
    self.shape = shape
    memory = .allocate(byteCount: byteCount, alignment: 16)
    if count > 0 { copy(source, strides: strides, size: size) }
  }

  /// Takes over numbers.
  init(shape: [Int], _ values: [Float]) {
    elementType = .f32
    self.shape = shape
    memory = .allocate(byteCount: values.count * 4, alignment: 16)
    values.withUnsafeBytes { memory.copyMemory(from: $0) }
  }

  deinit { memory.deallocate() }

  /// Valid as long as this object.
  var view: TensorView {
    TensorView(elementType: elementType, shape: shape, bytes: UnsafeRawBufferPointer(memory))
  }

  private func copy(_ source: UnsafeRawBufferPointer, strides: [Int], size: Int) {
    // The innermost axes that lie densely are copied in one go.
    var run = 1
    var outer = shape.count
    while outer > 0, strides[outer - 1] == run || shape[outer - 1] == 1 {
      run *= shape[outer - 1]
      outer -= 1
    }
    var position = [Int](repeating: 0, count: outer)
    var offset = 0
    var written = 0
    while true {
      let bytes = UnsafeRawBufferPointer(rebasing: source[(offset * size)..<((offset + run) * size)])
      UnsafeMutableRawBufferPointer(rebasing: memory[written..<written + bytes.count]).copyMemory(from: bytes)
      written += bytes.count
      var axis = outer - 1
      while axis >= 0 {
        position[axis] += 1
        offset += strides[axis]
        if position[axis] < shape[axis] { break }
        offset -= strides[axis] * shape[axis]
        position[axis] = 0
        axis -= 1
      }
      if axis < 0 { return }
    }
  }
}
