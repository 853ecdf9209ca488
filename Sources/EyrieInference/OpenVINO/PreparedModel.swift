/// A model whose input has been brought to one picture of one size.
struct PreparedModel {
  let model: OpenVINOModel
  /// The pictures in the input tensor: more than 1 only for a model that cannot be reshaped to one.
  let batch: Int
  /// The outputs at this input size, for one picture.
  let outputs: [OpenVINOModel.Port]

  /// Reads the file and reshapes where the file leaves a dimension open or takes several pictures.
  /// - Parameter input: the shape for one picture of the wanted size, in the model's own layout.
  static func read(
    _ path: String, input wanted: [Int], with core: OpenVINOCore
  ) throws(ModelError) -> PreparedModel {
    var model = try core.readModel(path)
    guard let shape = try model.inputs().first?.shape, shape.count == wanted.count else {
      throw ModelError(.unsupportedModel, path, "has no picture input")
    }
    var batch = 1
    if shape.contains(-1) {
      try model.reshape(to: wanted)
    } else if shape[0] > 1 {
      // Exports with a fixed batch often have it in their constants as well: then the reshape fails, or
      // gives other outputs than a row of the original.
      let rows = try model.outputs().map { onePicture($0.shape, of: shape[0]) }
      do throws(ModelError) {
        try model.reshape(to: wanted)
        let reshaped = try model.outputs().map(\.shape)
        batch = reshaped == rows ? 1 : shape[0]
      } catch {
        batch = shape[0]
      }
      if batch > 1 { model = try core.readModel(path) }
    }
    var outputs = try model.outputs()
    for index in outputs.indices { outputs[index].shape = onePicture(outputs[index].shape, of: batch) }
    try checkSizes(of: outputs, path: path)
    return PreparedModel(model: model, batch: batch, outputs: outputs)
  }

  private static func onePicture(_ shape: [Int], of batch: Int) -> [Int] {
    guard batch > 1, shape.first == batch else { return shape }
    return [1] + shape.dropFirst()
  }

  /// A damaged constant can ask for more memory than the machine has, and compiling would allocate it.
  private static func checkSizes(of outputs: [OpenVINOModel.Port], path: String) throws(ModelError) {
    let most = 1 << 26
    for output in outputs {
      // A length that varies is negative.
      guard let count = elementCount(output.shape.filter { $0 >= 0 }), count <= most else {
        throw ModelError(
          .corrupt, path,
          "its output \(output.name) of shape \(shapeText(output.shape)) is too large to be meant")
      }
    }
  }
}
