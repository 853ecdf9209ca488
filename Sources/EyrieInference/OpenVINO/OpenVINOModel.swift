import COpenVINO

/// A model as read, before it is compiled. Used by one thread at a time.
final class OpenVINOModel {
  let handle: Handle
  let path: String

  /// An input or output of a model.
  struct Port: Equatable {
    var name: String
    /// −1 where a dimension varies.
    var shape: [Int]
    var elementType: ElementType
  }

  init(handle: Handle, path: String) {
    self.handle = handle
    self.path = path
  }

  /// The inputs in the model's order.
  func inputs() throws(ModelError) -> [Port] {
    var count = 0
    try check { ov_model_inputs_size(handle.pointer, &count) }
    return try ports(count, ov_model_const_input_by_index)
  }

  /// The outputs in the model's order.
  func outputs() throws(ModelError) -> [Port] {
    var count = 0
    try check { ov_model_outputs_size(handle.pointer, &count) }
    return try ports(count, ov_model_const_output_by_index)
  }

  /// Gives the only input another shape and works out all others anew.
  func reshape(to shape: [Int]) throws(ModelError) {
    var partial = ov_partial_shape_t()
    try check { ov_partial_shape_create_static(Int64(shape.count), shape.map(Int64.init), &partial) }
    defer { ov_partial_shape_free(&partial) }
    try OpenVINOStatus.check(.unsupportedModel, path, "cannot run with an input of \(shapeText(shape))") {
      ov_model_reshape_single_input(handle.pointer, partial)
    }
  }

  /// Gives the only input a first axis of any length from 1 to `count`, and works out all others anew.
  /// - Parameter shape: for one picture.
  func reshape(toAtMost count: Int, of shape: [Int]) throws(ModelError) {
    var dimensions = shape.map { ov_dimension_t(min: Int64($0), max: Int64($0)) }
    if !dimensions.isEmpty { dimensions[0] = ov_dimension_t(min: 1, max: Int64(count)) }
    var partial = ov_partial_shape_t()
    try check { ov_partial_shape_create(Int64(dimensions.count), dimensions, &partial) }
    defer { ov_partial_shape_free(&partial) }
    try OpenVINOStatus.check(
      .unsupportedModel, path, "cannot run with \(count) inputs of \(shapeText(shape))"
    ) {
      ov_model_reshape_single_input(handle.pointer, partial)
    }
  }

  private func ports(
    _ count: Int, _ get: (OpaquePointer, Int, UnsafeMutablePointer<OpaquePointer?>) -> ov_status_e
  ) throws(ModelError) -> [Port] {
    var result: [Port] = []
    for index in 0..<count {
      var pointer: OpaquePointer?
      try check { get(handle.pointer, index, &pointer) }
      let port = try Handle(pointer, path, free: ov_output_const_port_free)
      var type = DYNAMIC
      try check { ov_port_get_element_type(port.pointer, &type) }
      result.append(
        Port(
          name: name(of: port) ?? "#\(index)", shape: try shape(of: port), elementType: ElementType(type)))
    }
    return result
  }

  /// `nil` for a tensor without a name, which OpenVINO calls an error.
  private func name(of port: Handle) -> String? {
    var name: UnsafeMutablePointer<CChar>?
    guard ov_port_get_any_name(port.pointer, &name) == OK else { return nil }
    return takeString(name)
  }

  private func shape(of port: Handle) throws(ModelError) -> [Int] {
    var partial = ov_partial_shape_t()
    try check { ov_port_get_partial_shape(port.pointer, &partial) }
    defer { ov_partial_shape_free(&partial) }
    guard partial.rank.min == partial.rank.max, let dimensions = partial.dims else {
      guard partial.rank.min == partial.rank.max, partial.rank.max == 0 else {
        throw ModelError(.unsupportedModel, path, "has a tensor whose number of axes varies")
      }
      return []
    }
    return (0..<Int(partial.rank.max)).map { axis in
      let dimension = dimensions[axis]
      return dimension.min == dimension.max && dimension.min >= 0 ? Int(dimension.min) : -1
    }
  }

  private func check(_ call: () -> ov_status_e) throws(ModelError) {
    try OpenVINOStatus.check(.backend, path, "OpenVINO cannot describe the model", call)
  }
}

extension ElementType {
  init(_ type: ov_element_type_e) {
    switch type {
    case F64: self = .f64
    case F32: self = .f32
    case F16: self = .f16
    case BF16: self = .bf16
    case I64: self = .i64
    case I32: self = .i32
    case I16: self = .i16
    case I8: self = .i8
    case U64: self = .u64
    case U32: self = .u32
    case U16: self = .u16
    case U8: self = .u8
    default: self = .other
    }
  }

  /// The same type for OpenVINO; `nil` where Eyrie has no use for one.
  var openVINO: ov_element_type_e? {
    switch self {
    case .f32: F32
    case .f16: F16
    case .u8: U8
    default: nil
    }
  }
}
