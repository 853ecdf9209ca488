/// A model whose input has been brought to pictures of one size: to one, or to any number up to a limit.
struct PreparedModel {
  let model: OpenVINOModel
  /// The pictures in the input tensor: more than 1 only for a model that cannot be reshaped to one, of which
  /// only the first is used.
  let places: Int
  /// The most pictures that it takes at once.
  var batch = 1
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
    var places = 1
    if shape.contains(-1) {
      try model.reshape(to: wanted)
    } else if shape[0] > 1 {
      // Exports with a fixed batch often have it in their constants as well: then the reshape fails, or
      // gives other outputs than a row of the original.
      let rows = try model.outputs().map { onePicture($0.shape, of: shape[0]) }
      do throws(ModelError) {
        try model.reshape(to: wanted)
        let reshaped = try model.outputs().map(\.shape)
        places = reshaped == rows ? 1 : shape[0]
      } catch {
        places = shape[0]
      }
      if places > 1 { model = try core.readModel(path) }
    }
    var outputs = try model.outputs()
    for index in outputs.indices { outputs[index].shape = onePicture(outputs[index].shape, of: places) }
    try checkSizes(of: outputs, path: path)
    return PreparedModel(model: model, places: places, outputs: outputs)
  }

  /// The same model for any number of pictures from 1 to `batch`. Of a file with one picture this is tried, too:
  /// many have it in the shape of the input alone.
  /// - Returns: `nil`, and `reason` says why, where the model cannot have that: an export with a fixed batch often
  ///   has it in the constants of its reshapes. Then reshaping fails, or an output has no row for each picture.
  func taking(
    _ batch: Int, input wanted: [Int], with core: OpenVINOCore, reason: inout String
  ) throws(ModelError) -> PreparedModel? {
    guard places == 1 else {
      reason = "it takes \(places) at once, no more and no fewer"
      return nil
    }
    let model = try core.readModel(model.path)
    let open: [OpenVINOModel.Port]
    do throws(ModelError) {
      try model.reshape(toAtMost: batch, of: wanted)
      open = try model.outputs()
    } catch {
      reason = "its file fixes the batch (\(error.reason))"
      return nil
    }
    for (one, several) in zip(outputs, open) {
      guard one.shape.first == 1, several.shape.first == -1,
        several.shape.dropFirst() == one.shape.dropFirst()
      else {
        reason =
          "its file fixes the batch: its output \(one.name) is \(shapeText(several.shape)) for any number of "
          + "them; export it with an open batch"
        return nil
      }
    }
    return PreparedModel(model: model, places: 1, batch: batch, outputs: outputs)
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
