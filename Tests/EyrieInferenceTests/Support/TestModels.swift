import EyrieTestSupport
import Foundation

@testable import EyrieInference

/// Small models with known answers.
enum TestModels {
  /// A detector whose output has the given shape, all values equal to the mean of the input.
  /// With a 64×64 input, a usual YOLO head has 84 anchors.
  static func detector(
    input: [Int] = [1, 3, 64, 64], type: ONNXBuilder.DataType = .f32, output: [Int],
    outputType: ONNXBuilder.DataType = .f32, metadata: [(key: String, value: String)] = []
  ) -> ONNXBuilder {
    var model = ONNXBuilder()
    model.metadata = metadata
    model.input("images", type, input)
    model.node("Cast", ["images"], "float", integers: ["to": 1])
    model.node("ReduceMean", ["float"], "mean", integers: ["keepdims": 0])
    model.constant("shape", output.map(Int64.init))
    model.node("Expand", ["mean", "shape"], "filled")
    model.node("Cast", ["filled"], "output0", integers: ["to": Int(outputType.rawValue)])
    model.output("output0", outputType, output)
    return model
  }

  /// Gives the mean of each channel: shape `[batch, 3]`, in the order of the model's channels.
  static func channelMeans(
    input: [Int] = [1, 3, 32, 32], type: ONNXBuilder.DataType = .f32,
    metadata: [(key: String, value: String)] = [("task", "classify")]
  ) -> ONNXBuilder {
    var model = ONNXBuilder()
    model.metadata = metadata
    model.input("images", type, input)
    model.node("Cast", ["images"], "float", integers: ["to": 1])
    let spatial = input[1] == 3 ? [2, 3] : [1, 2]
    model.node("ReduceMean", ["float"], "scores", integers: ["keepdims": 0], lists: ["axes": spatial])
    model.output("scores", .f32, [input[0], 3])
    return model
  }

  /// An end-to-end head whose number of rows differs from picture to picture: one for each row of pixels
  /// whose mean is above 0.5, six times the index of that row of pixels.
  static func brightRows() -> ONNXBuilder {
    var model = ONNXBuilder()
    model.input("images", .f32, [1, 3, 64, 64])
    model.node("ReduceMean", ["images"], "rows", integers: ["keepdims": 0], lists: ["axes": [0, 1, 3]])
    model.constant("half", shape: [], [0.5])
    model.node("Greater", ["rows", "half"], "bright")
    model.node("NonZero", ["bright"], "index")
    model.node("Cast", ["index"], "index_f", integers: ["to": 1])
    model.constant("column", [1, -1, 1])
    model.node("Reshape", ["index_f", "column"], "index_c")
    model.constant("six", [1, 1, 6])
    model.node("Tile", ["index_c", "six"], "output0")
    model.output("output0", .f32, [1, -1, 6])
    return model
  }

  /// An IR detector of 64×64 pixels: `[1,features,anchors]`, every value = a constant + the input's mean.
  static func irDetector(features: Int, anchors: Int, value: Float = 0) -> IRBuilder {
    var model = IRBuilder()
    let input = model.parameter("images", [1, 3, 64, 64])
    let axes = model.constant("axes", [0, 1, 2, 3])
    let mean = model.operation("mean", "ReduceMean", data: "keep_dims=\"false\"", [input, axes], shape: [])
    let base = model.constant(
      "base", shape: [1, features, anchors], [Float](repeating: value, count: features * anchors))
    let sum = model.operation(
      "output0", "Add", data: "auto_broadcast=\"numpy\"", [base, mean], shape: [1, features, anchors])
    model.result(sum)
    return model
  }
}

extension CompileOptions {
  /// Arithmetic that gives the same numbers everywhere.
  static var exact: CompileOptions {
    var options = CompileOptions()
    options.precision = .f32
    return options
  }
}

extension RequestLease {
  /// Fills the picture with one colour.
  func fill(red: UInt8, green: UInt8, blue: UInt8) {
    withInput { bytes in
      for pixel in stride(from: 0, to: bytes.count, by: 3) {
        bytes[pixel] = red
        bytes[pixel + 1] = green
        bytes[pixel + 2] = blue
      }
    }
  }

  func floats(_ index: Int = 0) throws -> [Float] {
    try withOutput(index) { view in
      switch view.elementType {
      case .f32: return Array(view.bytes.bindMemory(to: Float.self))
      case .f16: return view.bytes.bindMemory(to: UInt16.self).map { Float(Float16(bitPattern: $0)) }
      default: throw InferenceError("unexpected element type \(view.elementType)")
      }
    }
  }
}
