import Foundation

/// Writes a small OpenVINO IR (version 11): one `.xml`, one `.bin`.
struct IRBuilder {
  struct Port {
    var layer: Int
    var port: Int
    var shape: [Int]
    var type: String
  }

  private var layers: [String] = []
  private var edges: [String] = []
  private(set) var weights = Data()
  /// Written as `/net/rt_info/model_info`.
  var modelInfo: [(key: String, value: String)] = []
  var version = "11"

  mutating func parameter(_ name: String, _ shape: [Int], type: String = "f32") -> Port {
    add(name, "Parameter", data: "shape=\"\(list(shape))\" element_type=\"\(type)\"", [], shape, type)
  }

  mutating func constant(_ name: String, shape: [Int], _ values: [Float]) -> Port {
    let bytes = values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init) }
    return constant(name, shape, bytes, "f32")
  }

  mutating func constant(_ name: String, _ values: [Int64]) -> Port {
    let bytes = values.flatMap { value in withUnsafeBytes(of: value.littleEndian, Array.init) }
    return constant(name, [values.count], bytes, "i64")
  }

  private mutating func constant(_ name: String, _ shape: [Int], _ bytes: [UInt8], _ type: String) -> Port {
    let place = "offset=\"\(weights.count)\" size=\"\(bytes.count)\""
    weights.append(contentsOf: bytes)
    return add(
      name, "Const", data: "element_type=\"\(type)\" shape=\"\(list(shape))\" \(place)", [], shape, type)
  }

  mutating func operation(
    _ name: String, _ type: String, data: String = "", _ inputs: [Port], shape: [Int], element: String = "f32"
  ) -> Port {
    add(name, type, data: data, inputs, shape, element)
  }

  mutating func result(_ input: Port) {
    _ = add("result_\(layers.count)", "Result", data: "", [input], nil, input.type)
  }

  /// Writes `NAME.xml` and `NAME.bin` and returns the path of the first.
  func write(to directory: TemporaryDirectory, name: String = "model") throws -> String {
    try weights.write(to: URL(fileURLWithPath: directory.path(name + ".bin")))
    return try directory.write(Data(xml.utf8), name + ".xml")
  }

  var xml: String {
    let info = modelInfo.map { "<\($0.key) value=\"\($0.value)\"/>" }.joined()
    return """
      <?xml version="1.0"?>
      <net name="test" version="\(version)"><layers>\(layers.joined(separator: "\n"))</layers>
      <edges>\(edges.joined())</edges>
      <rt_info><model_info>\(info)</model_info></rt_info></net>
      """
  }

  private mutating func add(
    _ name: String, _ type: String, data: String, _ inputs: [Port], _ shape: [Int]?, _ element: String
  ) -> Port {
    let id = layers.count
    for (index, input) in inputs.enumerated() {
      edges.append(
        "<edge from-layer=\"\(input.layer)\" from-port=\"\(input.port)\" to-layer=\"\(id)\" to-port=\"\(index)\"/>"
      )
    }
    let ports = inputs.enumerated().map { index, input in
      "<port id=\"\(index)\" precision=\"\(precision(input.type))\">\(dimensions(input.shape))</port>"
    }
    var text = "<layer id=\"\(id)\" name=\"\(name)\" type=\"\(type)\" version=\"opset1\">"
    if !data.isEmpty { text += "<data \(data)/>" }
    if !ports.isEmpty { text += "<input>\(ports.joined())</input>" }
    if let shape {
      text += "<output><port id=\"\(inputs.count)\" precision=\"\(precision(element))\" names=\"\(name)\">"
      text += "\(dimensions(shape))</port></output>"
    }
    layers.append(text + "</layer>")
    return Port(layer: id, port: inputs.count, shape: shape ?? [], type: element)
  }

  /// What a port calls a type: `FP32` for `f32`.
  private func precision(_ type: String) -> String {
    type.hasPrefix("f") ? "FP" + type.dropFirst() : type.uppercased()
  }

  private func dimensions(_ shape: [Int]) -> String { shape.map { "<dim>\($0)</dim>" }.joined() }
  private func list(_ shape: [Int]) -> String {
    shape.map { $0 < 0 ? "?" : String($0) }.joined(separator: ",")
  }
}
