import COpenVINO

/// The memory of a request's pictures, and OpenVINO's views of it.
final class OpenVINOInput {
  /// The pictures, one after the other.
  let bytes: UnsafeMutableRawBufferPointer
  /// How many there is room for.
  var batch: Int { tensors.count }
  /// One for each number of pictures, from 1, all of the same memory. A single one is the request's own.
  private let tensors: [Handle]
  /// The number of pictures in the tensor that the request has; 0 for none of these.
  private var selected: Int
  private let isOwner: Bool

  /// A batch that takes more memory than this for its pictures is not meant.
  private static let maximumByteCount = 1 << 30

  /// Takes the request's own input tensor, which has one size.
  /// - Parameters:
  ///   - byteCount: of one picture.
  ///   - places: how many pictures the tensor has; only the first is used.
  init(of request: Handle, byteCount: Int, places: Int, path: String) throws(ModelError) {
    var pointer: OpaquePointer?
    try OpenVINOStatus.check(.backend, path, "OpenVINO cannot make an input tensor") {
      ov_infer_request_get_input_tensor(request.pointer, &pointer)
    }
    let tensor = try Handle(pointer, path, free: ov_tensor_free)
    var found = 0
    var data: UnsafeMutableRawPointer?
    try OpenVINOStatus.check(.backend, path, "OpenVINO cannot make an input tensor") {
      let status = ov_tensor_get_byte_size(tensor.pointer, &found)
      return status == OK ? ov_tensor_data(tensor.pointer, &data) : status
    }
    guard let data, found == byteCount * places else {
      throw ModelError(
        .backend, path, "OpenVINO made an input of \(found) bytes, \(byteCount * places) are needed")
    }
    data.initializeMemory(as: UInt8.self, repeating: 0, count: found)
    bytes = UnsafeMutableRawBufferPointer(start: data, count: byteCount)
    tensors = [tensor]
    selected = 1
    isOwner = false
  }

  /// Makes memory for up to `batch` pictures.
  init(width: Int, height: Int, batch: Int, path: String) throws(ModelError) {
    let size = width * height * 3
    guard size * batch <= Self.maximumByteCount else {
      throw ModelError(
        .invalidOption, path, "a batch of \(batch) pictures of \(width)×\(height) takes too much memory")
    }
    // Aligned to a cache line, as OpenVINO's own memory is: it would copy what lies otherwise.
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: size * batch, alignment: 64)
    do throws(ModelError) {
      tensors = try Self.views(of: memory, [height, width, 3], upTo: batch, path: path)
    } catch {
      memory.deallocate()
      throw error
    }
    memory.initializeMemory(as: UInt8.self, repeating: 0)
    bytes = memory
    selected = 0
    isOwner = true
  }

  deinit {
    // The request may still have a view of it, but does not follow it without a run.
    if isOwner { bytes.deallocate() }
  }

  private static func views(
    of memory: UnsafeMutableRawBufferPointer, _ picture: [Int], upTo batch: Int, path: String
  ) throws(ModelError) -> [Handle] {
    var views: [Handle] = []
    for count in 1...max(1, batch) {
      var dimensions = ([count] + picture).map(Int64.init)
      var pointer: OpaquePointer?
      try OpenVINOStatus.check(.backend, path, "OpenVINO cannot make an input tensor") {
        dimensions.withUnsafeMutableBufferPointer { dimensions in
          let shape = ov_shape_t(rank: Int64(dimensions.count), dims: dimensions.baseAddress)
          return ov_tensor_create_from_host_ptr(U8, shape, memory.baseAddress, &pointer)
        }
      }
      views.append(try Handle(pointer, path, free: ov_tensor_free))
    }
    return views
  }

  /// Gives the request a view of the first `count` pictures, unless it has it.
  func select(_ count: Int, for request: Handle) -> ov_status_e {
    if count == selected { return OK }
    guard tensors.indices.contains(count - 1) else { return PARAMETER_MISMATCH }
    selected = 0
    let status = ov_infer_request_set_input_tensor(request.pointer, tensors[count - 1].pointer)
    if status == OK { selected = count }
    return status
  }
}
