import COpenVINO
import Synchronization

/// One infer request of OpenVINO.
///
/// `@unchecked Sendable` because the session lends it to one owner at a time, and the continuation,
/// which OpenVINO's thread takes, is behind a lock.
final class OpenVINORequest: InferenceRequest, @unchecked Sendable {
  private let handle: Handle
  /// Keeps the compiled model as long as any of its requests.
  private let model: OpenVINOCompiledModel
  private let pictures: OpenVINOInput
  /// The first axis of the model when it takes several pictures and only the first is used.
  private let places: Int
  /// How many pictures the last run had.
  private var count = 1
  /// Of the last output that was looked at: the next, if it is of the same shape, needs no list of its own.
  private var lastShape: [Int] = []
  /// OpenVINO keeps the address of this struct, not a copy of it.
  private let callback: UnsafeMutablePointer<ov_callback_t>
  private let waiter = Mutex<UnsafeContinuation<Void, Never>?>(nil)

  /// - Parameters:
  ///   - model: a compiled model of bytes in RGB order.
  ///   - width: of a picture.
  ///   - height: of a picture.
  ///   - prepared: what was compiled.
  init(
    model: OpenVINOCompiledModel, width: Int, height: Int, prepared: PreparedModel
  ) throws(ModelError) {
    let path = model.path
    let request = try model.makeRequest()
    let pictures =
      prepared.batch > 1
      ? try OpenVINOInput(width: width, height: height, batch: prepared.batch, path: path)
      : try OpenVINOInput(of: request, byteCount: width * height * 3, places: prepared.places, path: path)
    let callback = UnsafeMutablePointer<ov_callback_t>.allocate(capacity: 1)
    callback.initialize(to: ov_callback_t())

    handle = request
    self.model = model
    self.pictures = pictures
    places = prepared.places
    self.callback = callback

    callback.pointee = ov_callback_t(
      callback_func: { argument in
        guard let argument else { return }
        Unmanaged<OpenVINORequest>.fromOpaque(argument).takeUnretainedValue().finished()
      },
      // Unretained: `infer` keeps the request alive until the callback has come.
      args: Unmanaged.passUnretained(self).toOpaque())
    try OpenVINOStatus.check(.backend, path, "OpenVINO refuses a completion callback") {
      ov_infer_request_set_callback(request.pointer, callback)
    }
  }

  deinit {
    // Nothing runs any more: `infer` waited for the end. The request itself goes after this, and may
    // still hold the address of the callback, but does not follow it without a run.
    callback.deinitialize(count: 1)
    callback.deallocate()
  }

  /// Runs on a thread of OpenVINO: resume only.
  private func finished() {
    let continuation = waiter.withLock { waiter in
      defer { waiter = nil }
      return waiter
    }
    continuation?.resume()
  }

  var input: UnsafeMutableRawBufferPointer { pictures.bytes }

  func infer(count: Int) async throws(InferenceError) {
    var status = pictures.select(count, for: handle)
    guard status == OK else { throw failure(status) }
    self.count = count
    await withUnsafeContinuation { continuation in
      waiter.withLock { $0 = continuation }
      status = ov_infer_request_start_async(handle.pointer)
      // Nothing was started, so nobody else will resume.
      if status != OK { finished() }
    }
    guard status == OK else { throw failure(status) }
    // The callback does not say whether the run succeeded; this does, and returns at once, for OpenVINO settles
    // the outcome as soon as the callback returns.
    status = ov_infer_request_wait(handle.pointer)
    guard status == OK else { throw failure(status) }
  }

  private func dimensions(of shape: ov_shape_t) -> [Int] {
    let rank = Int(shape.rank)
    let isSame = lastShape.count == rank && (0..<rank).allSatisfy { lastShape[$0] == Int(shape.dims[$0]) }
    if !isSame { lastShape = (0..<rank).map { Int(shape.dims[$0]) } }
    return lastShape
  }

  private func failure(_ status: ov_status_e) -> InferenceError {
    InferenceError("\(model.path): inference failed: \(OpenVINOStatus.message(for: status))")
  }

  func output(_ index: Int) throws(InferenceError) -> TensorView {
    var pointer: OpaquePointer?
    guard index >= 0, ov_infer_request_get_output_tensor_by_index(handle.pointer, index, &pointer) == OK,
      let pointer
    else { throw InferenceError("\(model.path): the model has no output \(index)") }
    // The tensor object is a second reference to memory that the request owns.
    defer { ov_tensor_free(pointer) }
    var type = DYNAMIC
    var byteCount = 0
    var data: UnsafeMutableRawPointer?
    var shape = ov_shape_t()
    guard ov_tensor_get_element_type(pointer, &type) == OK,
      ov_tensor_get_byte_size(pointer, &byteCount) == OK,
      ov_tensor_get_shape(pointer, &shape) == OK
    else { throw InferenceError("\(model.path): output \(index) cannot be read") }
    defer { ov_shape_free(&shape) }
    // An empty tensor may have no memory.
    if byteCount > 0 {
      guard ov_tensor_data(pointer, &data) == OK, data != nil else {
        throw InferenceError("\(model.path): output \(index) cannot be read")
      }
    }
    var dimensions = dimensions(of: shape)
    if places > 1, dimensions.first == places {
      dimensions[0] = 1
      byteCount /= places
    }
    if pictures.batch > 1, dimensions.first != count {
      // Shapes that depend on the input show at a run only; whose row is whose cannot be told then.
      throw InferenceError(
        "\(model.path): output \(index) has the shape \(shapeText(dimensions)) for \(count) pictures: run the "
          + "model with a batch of 1")
    }
    return TensorView(
      elementType: ElementType(type), shape: dimensions,
      bytes: UnsafeRawBufferPointer(start: data, count: byteCount))
  }
}
