/// The picture a model takes: where its axes are and how large it is run.
struct PictureFrame {
  var layout: InputLayout
  var width: Int
  var height: Int
  /// The shape for one picture of this size.
  var shape: [Int]
  var dynamicSpatial: Bool
  var dynamicBatch: Bool
  var batch: Int
}

extension DescriptionBuilder {
  /// The only input, if it can be a picture.
  func pictureInput(of model: OpenVINOModel) throws(ModelError) -> OpenVINOModel.Port {
    let inputs = try model.inputs()
    guard inputs.count == 1, let port = inputs.first else {
      throw ModelError(
        .unsupportedModel, path,
        "has \(inputs.count) inputs (\(list(inputs))), and one picture is all that can be given")
    }
    guard port.shape.count == 4 else {
      throw ModelError(
        .unsupportedModel, path,
        "its input \(list(inputs)) is no picture: [batch,3,height,width] or [batch,height,width,3] is needed")
    }
    guard port.elementType.openVINO != nil else {
      throw ModelError(
        .unsupportedModel, path,
        "its input has elements of type \(port.elementType.rawValue), and f32, f16 and u8 are supported")
    }
    return port
  }

  /// Decides layout and size.
  mutating func pictureFrame(
    of port: OpenVINOModel.Port, task: ModelTask?
  ) throws(ModelError) -> PictureFrame {
    let layout = try inputLayout(of: port)
    let (heightAxis, widthAxis) = layout == .nchw ? (2, 3) : (1, 2)
    let fixed = (width: port.shape[widthAxis], height: port.shape[heightAxis])
    let width = try side(
      "width", fixed: fixed.width, package: package?.input?.width?.value, exported: metadata.width,
      task: task,
      port: port)
    let height = try side(
      "height", fixed: fixed.height, package: package?.input?.height?.value, exported: metadata.height,
      task: task,
      port: port)
    guard port.shape[0] == -1 || (1...256).contains(port.shape[0]) else {
      throw ModelError(
        .unsupportedModel, path, "its input \(list([port])) has a batch of \(port.shape[0])")
    }
    let isDynamic = fixed.width < 0 || fixed.height < 0
    if package?.input?.dynamicSpatial == true, !isDynamic {
      notes.append(
        "\(PackageMetadata.fileName) calls the input size dynamic, but the file has it fixed: \(list([port]))"
      )
    }
    return PictureFrame(
      layout: layout, width: width, height: height,
      shape: layout.shape(width: width, height: height),
      dynamicSpatial: isDynamic, dynamicBatch: port.shape[0] < 0, batch: max(1, port.shape[0]))
  }

  private mutating func inputLayout(of port: OpenVINOModel.Port) throws(ModelError) -> InputLayout {
    let shape = port.shape
    func fits(_ layout: InputLayout) -> Bool {
      let channels = shape[layout == .nchw ? 1 : 3]
      return channels == 3 || channels == -1
    }
    if let stated = package?.input?.layout?.value {
      guard fits(stated) else {
        throw ModelError(
          .invalidMetadata, location.packagePath,
          "input.layout is \(stated.rawValue), which contradicts the model's input \(list([port]))")
      }
      return stated
    }
    if shape[1] == 3 || (shape[3] != 3 && shape[1] == -1) {
      if shape[3] == 3 || shape[1] == -1 {
        notes.append("the input \(list([port])) was taken for nchw; its shape does not tell")
      }
      return .nchw
    }
    if fits(.nhwc) {
      if shape[3] == -1 {
        notes.append("the input \(list([port])) was taken for nhwc; its shape does not tell")
      }
      return .nhwc
    }
    throw ModelError(
      .unsupportedModel, path,
      "its input \(list([port])) has no axis of three channels; only colour pictures can be given")
  }

  private mutating func side(
    _ name: String, fixed: Int, package stated: Int?, exported: Int?, task: ModelTask?,
    port: OpenVINOModel.Port
  ) throws(ModelError) -> Int {
    if fixed >= 0 {
      guard (1...ExportMetadata.maximumSide).contains(fixed) else {
        throw ModelError(
          .unsupportedModel, path, "its input \(list([port])) has a \(name) of \(fixed) pixels")
      }
      if let stated, stated != fixed {
        throw ModelError(
          .invalidMetadata, location.packagePath,
          "input.\(name) is \(stated), which contradicts the model's input \(list([port]))")
      }
      if stated == nil, let exported, exported != fixed {
        notes.append(
          "\(metadata.origin) gives a \(name) of \(exported), but the model has it fixed at \(fixed)")
      }
      return fixed
    }
    if let stated { return stated }
    if let exported {
      notes.append("the input \(name) varies; \(exported) was taken from \(metadata.origin)")
      return exported
    }
    let usual = task == .classify || task == .embed ? 224 : 640
    notes.append("the input \(name) varies and no metadata gives one; the usual \(usual) was taken")
    return usual
  }

  /// Describes everything else about the input.
  mutating func describeInput(
    port: OpenVINOModel.Port, frame: PictureFrame, task: ModelTask
  ) -> ModelInput {
    let stated = package?.input
    if let type = stated?.elementType?.value, type != port.elementType {
      notes.append(
        "input.element_type in \(PackageMetadata.fileName) is \(type.rawValue), but the model takes "
          + port.elementType.rawValue)
    }
    let takesBytes = port.elementType == .u8
    let embedded = takesBytes || (stated?.embeddedPreprocessing ?? metadata.embeddedPreprocessing ?? false)
    let range = valueRange(embedded: embedded, takesBytes: takesBytes)
    let order = stated?.channelOrder?.value ?? metadata.channelOrder
    if order == nil { notes.append("the model was assumed to take its channels in the order rgb") }
    let resize = stated?.resize?.value ?? (task == .detect ? .letterbox : .centerCrop)
    if stated?.resize == nil, task != .detect {
      notes.append("the resize mode \(resize.rawValue) was assumed")
    }
    return ModelInput(
      name: port.name, width: frame.width, height: frame.height, channelOrder: order ?? .rgb,
      layout: frame.layout, elementType: port.elementType, resize: resize,
      interpolation: stated?.interpolation?.value,
      padValue: stated?.padValue.map { Int($0.rounded()) } ?? metadata.padValue ?? 114,
      mean: range.mean, std: range.std, scale: range.scale, embeddedPreprocessing: embedded,
      dynamicSpatial: frame.dynamicSpatial,
      stride: stated?.stride?.value ?? metadata.stride ?? (task == .detect ? 32 : 1),
      dynamicBatch: frame.dynamicBatch, batch: frame.batch)
  }

  private mutating func valueRange(
    embedded: Bool, takesBytes: Bool
  ) -> (scale: Double, mean: [Double], std: [Double]) {
    func three(_ values: [Double]?, _ usual: Double) -> [Double] {
      guard let values, let first = values.first else { return [usual, usual, usual] }
      return values.count == 3 ? values : [first, first, first]
    }
    if embedded {
      if takesBytes, package?.input?.embeddedPreprocessing != true {
        notes.append("the model takes u8: it is fed bytes 0…255 as they are")
      }
      return (1, three(nil, 0), three(nil, 1))
    }
    if let stated = package?.input, stated.scale != nil || stated.mean != nil || stated.std != nil {
      return (stated.scale ?? 1 / 255, three(stated.mean?.items, 0), three(stated.std?.items, 1))
    }
    if metadata.scaleValues != nil || metadata.meanValues != nil {
      let mean = three(metadata.meanValues, 0)
      let divisor = three(metadata.scaleValues, 1)
      // (byte − mean) ÷ divisor; the plain ÷ 255 reads better as a scale.
      if mean == [0, 0, 0], Set(divisor).count == 1, divisor[0] >= 1 {
        return (1 / divisor[0], mean, [1, 1, 1])
      }
      return (1, mean, divisor)
    }
    notes.append("the model was assumed to take values 0…1 (bytes ÷ 255)")
    return (1 / 255, three(nil, 0), three(nil, 1))
  }
}
