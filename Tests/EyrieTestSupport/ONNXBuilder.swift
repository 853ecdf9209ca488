public import Foundation

/// Writes small ONNX models (opset 13) without any library: just enough of the protobuf wire format.
public struct ONNXBuilder {
  /// Codes of `TensorProto.DataType`.
  public enum DataType: UInt64, Sendable {
    case f32 = 1
    case u8 = 2
    case i32 = 6
    case i64 = 7
    case f16 = 10
    case f64 = 11
  }

  private var nodes: [Data] = []
  private var initializers: [Data] = []
  private var inputs: [Data] = []
  private var outputs: [Data] = []
  /// `metadata_props`, in order.
  public var metadata: [(key: String, value: String)] = []

  /// An empty graph.
  public init() {}

  /// Adds an input.
  /// - Parameter shape: −1 for a dimension that varies.
  public mutating func input(_ name: String, _ type: DataType = .f32, _ shape: [Int]) {
    inputs.append(Self.valueInfo(name, type, shape))
  }

  /// Adds an output.
  /// - Parameter shape: −1 for a dimension that varies.
  public mutating func output(_ name: String, _ type: DataType = .f32, _ shape: [Int]) {
    outputs.append(Self.valueInfo(name, type, shape))
  }

  /// Adds a constant of binary32 numbers.
  public mutating func constant(_ name: String, shape: [Int], _ values: [Float]) {
    let bytes = values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init) }
    initializers.append(Self.tensor(name, .f32, shape, bytes))
  }

  /// Adds a list of whole numbers.
  public mutating func constant(_ name: String, _ values: [Int64]) {
    let bytes = values.flatMap { value in withUnsafeBytes(of: value.littleEndian, Array.init) }
    initializers.append(Self.tensor(name, .i64, [values.count], bytes))
  }

  /// Adds an operation. Attributes are whole numbers or lists of them.
  public mutating func node(
    _ operation: String, _ inputs: [String], _ output: String, integers: [String: Int] = [:],
    lists: [String: [Int]] = [:]
  ) {
    node(operation, inputs, outputs: [output], integers: integers, lists: lists)
  }

  /// Adds an operation that has several outputs; it is named after the first.
  public mutating func node(
    _ operation: String, _ inputs: [String], outputs: [String], integers: [String: Int] = [:],
    lists: [String: [Int]] = [:]
  ) {
    var node = Wire()
    for input in inputs { node.text(1, input) }
    for output in outputs { node.text(2, output) }
    node.text(3, outputs.first ?? operation)
    node.text(4, operation)
    for (name, value) in integers {
      var attribute = Wire()
      attribute.text(1, name)
      attribute.number(3, UInt64(bitPattern: Int64(value)))
      attribute.number(20, 2)
      node.bytes(5, attribute.data)
    }
    for (name, values) in lists {
      var attribute = Wire()
      attribute.text(1, name)
      for value in values { attribute.number(8, UInt64(bitPattern: Int64(value))) }
      attribute.number(20, 7)
      node.bytes(5, attribute.data)
    }
    nodes.append(node.data)
  }

  /// The file.
  public func data() -> Data {
    var graph = Wire()
    for node in nodes { graph.bytes(1, node) }
    graph.text(2, "test")
    for initializer in initializers { graph.bytes(5, initializer) }
    for input in inputs { graph.bytes(11, input) }
    for output in outputs { graph.bytes(12, output) }
    var model = Wire()
    model.number(1, 8)
    model.text(2, "eyrie tests")
    model.bytes(7, graph.data)
    var operatorSet = Wire()
    operatorSet.text(1, "")
    operatorSet.number(2, 13)
    model.bytes(8, operatorSet.data)
    for (key, value) in metadata {
      var entry = Wire()
      entry.text(1, key)
      entry.text(2, value)
      model.bytes(14, entry.data)
    }
    return model.data
  }

  private static func valueInfo(_ name: String, _ type: DataType, _ shape: [Int]) -> Data {
    var dimensions = Wire()
    for (axis, length) in shape.enumerated() {
      var dimension = Wire()
      if length < 0 { dimension.text(2, "d\(axis)") } else { dimension.number(1, UInt64(length)) }
      dimensions.bytes(1, dimension.data)
    }
    var tensor = Wire()
    tensor.number(1, type.rawValue)
    tensor.bytes(2, dimensions.data)
    var wrapped = Wire()
    wrapped.bytes(1, tensor.data)
    var info = Wire()
    info.text(1, name)
    info.bytes(2, wrapped.data)
    return info.data
  }

  private static func tensor(_ name: String, _ type: DataType, _ shape: [Int], _ bytes: [UInt8]) -> Data {
    var tensor = Wire()
    for length in shape { tensor.number(1, UInt64(length)) }
    tensor.number(2, type.rawValue)
    tensor.text(8, name)
    tensor.bytes(9, Data(bytes))
    return tensor.data
  }
}

/// Protobuf fields, appended one after the other.
public struct Wire {
  /// What was appended.
  public private(set) var data = Data()

  /// Nothing yet.
  public init() {}

  /// Appends a varint.
  public mutating func number(_ field: UInt64, _ value: UInt64) {
    varint(field << 3)
    varint(value)
  }

  /// Appends bytes or a message.
  public mutating func bytes(_ field: UInt64, _ content: Data) {
    varint(field << 3 | 2)
    varint(UInt64(content.count))
    data.append(content)
  }

  /// Appends a text.
  public mutating func text(_ field: UInt64, _ content: String) {
    bytes(field, Data(content.utf8))
  }

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      data.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    data.append(UInt8(rest))
  }
}
