extension DescriptionBuilder {
  /// How a shape would be read as a detector's output.
  func head(
    of shape: [Int], frame: PictureFrame
  ) -> Result<DetectionHead, DetectionHead.Refusal> {
    var known = DetectionHead.Knowledge(
      width: frame.width, height: frame.height, labelCount: statedLabels?.count)
    known.isDetector = package?.task.value == .detect || metadata.task == ModelTask.detect.rawValue
    known.layout = package?.output?.layout?.value
    known.objectness = package?.output?.objectness
    if let kind = package?.output?.kind?.value { known.isEndToEnd = kind == .yoloEndToEnd }
    guard known.isEndToEnd == nil, let hint = metadata.isEndToEnd else {
      return DetectionHead.decide(shape: shape, knowing: known)
    }
    // An exporter's word about the training head need not hold for this export.
    known.isEndToEnd = hint
    if case .success(let head) = DetectionHead.decide(shape: shape, knowing: known) { return .success(head) }
    known.isEndToEnd = nil
    return DetectionHead.decide(shape: shape, knowing: known)
  }

  var statedLabels: [String]? { package?.output?.labels?.names ?? metadata.labels }

  mutating func describeOutput(
    task: ModelTask, outputs: [OpenVINOModel.Port], frame: PictureFrame
  ) throws(ModelError) -> ModelOutput {
    switch task {
    case .detect: try detections(in: outputs, frame: frame)
    case .classify: try scores(in: outputs)
    case .embed: try features(in: outputs)
    }
  }

  /// The outputs that may be the result: the one the package names, else all.
  private func candidates(
    _ outputs: [OpenVINOModel.Port]
  ) throws(ModelError) -> [(index: Int, port: OpenVINOModel.Port)] {
    let all = outputs.enumerated().map { (index: $0.offset, port: $0.element) }
    guard outputs.count > 1, let name = package?.output?.names?.first else { return all }
    let named = all.filter { $0.port.name == name }
    guard !named.isEmpty else {
      throw ModelError(
        .invalidMetadata, location.packagePath,
        "output.names has \"\(name)\", which is no output of the model: \(list(outputs))")
    }
    return named
  }

  private mutating func detections(
    in outputs: [OpenVINOModel.Port], frame: PictureFrame
  ) throws(ModelError) -> ModelOutput {
    var found: [(index: Int, port: OpenVINOModel.Port, head: DetectionHead)] = []
    var refusal: String?
    for (index, port) in try candidates(outputs) {
      switch head(of: port.shape, frame: frame) {
      case .success(let head): found.append((index, port, head))
      case .failure(let reason): refusal = refusal ?? reason.reason
      }
    }
    // Masks next to boxes: without labels, the mask coefficients would pass for classes.
    let boxes = Set(found.map(\.index))
    let hasMasks =
      statedLabels == nil
      && outputs.enumerated().contains { $0.element.shape.count == 4 && !boxes.contains($0.offset) }
    guard let (index, port, head) = found.first, !hasMasks else {
      let why = refusal ?? "a second output looks like masks, and no class names tell the classes apart"
      throw ModelError(
        .unsupportedModel, path, "is no detector that can be run: its output \(list(outputs)); \(why)")
    }
    guard found.count == 1 else {
      throw ModelError(
        .unsupportedModel, path,
        "several outputs could be the detections: \(list(found.map(\.port))); name one in output.names of a "
          + PackageMetadata.fileName)
    }
    guard [.f32, .f16, .f64].contains(port.elementType) else {
      throw ModelError(
        .unsupportedModel, path,
        "its output \(list([port])) has elements of type \(port.elementType.rawValue), not f32, f16 or f64")
    }
    if outputs.count > 1 {
      notes.append("of the outputs \(list(outputs)), \(port.name) holds the detections")
    }
    notes += head.notes
    let classCount = head.classCount ?? statedLabels?.count ?? 0
    return ModelOutput(
      kind: head.layout == .endToEnd ? .yoloEndToEnd : .yoloGrid, names: outputs.map(\.name), index: index,
      labels: labels(classCount), classCount: classCount, dimension: nil, normalized: nil, topK: nil,
      shape: port.shape, elementType: port.elementType, layout: head.layout, objectness: head.objectness)
  }

  private mutating func labels(_ count: Int) -> [String] {
    if let stated = statedLabels { return stated }
    notes.append("no class names were found: classes are called class_0, class_1, …")
    return (0..<min(count, ExportMetadata.maximumClassCount)).map(ExportMetadata.placeholderLabel)
  }

  /// The length of a row of scores, `[1,C]` or `[1,C,1,1]`; `nil` for any other shape.
  func vectorLength(_ shape: [Int]) -> Int? {
    guard shape.count == 2 || shape.count == 4, shape[0] == 1, shape[1] > 0,
      shape.dropFirst(2).allSatisfy({ $0 == 1 })
    else { return nil }
    return shape[1]
  }

  /// The only output that is one row of floating-point numbers.
  private mutating func vector(
    in outputs: [OpenVINOModel.Port], _ what: String
  ) throws(ModelError) -> (index: Int, port: OpenVINOModel.Port, length: Int) {
    let found = try candidates(outputs).compactMap { candidate in
      vectorLength(candidate.port.shape).map { (candidate.index, candidate.port, $0) }
    }
    guard let first = found.first, found.count == 1 else {
      throw ModelError(
        .unsupportedModel, path,
        "\(found.isEmpty ? "none" : "more than one") of its outputs (\(list(outputs))) can be the \(what), "
          + "one row [1,N]"
          + (found.isEmpty ? "" : "; name one in output.names of a \(PackageMetadata.fileName)"))
    }
    guard first.1.elementType == .f32 || first.1.elementType == .f16 else {
      throw ModelError(
        .unsupportedModel, path,
        "its output \(list([first.1])) has elements of type \(first.1.elementType.rawValue), not f32 or f16")
    }
    return first
  }

  private mutating func scores(in outputs: [OpenVINOModel.Port]) throws(ModelError) -> ModelOutput {
    let (index, port, length) = try vector(in: outputs, "class scores")
    if let count = statedLabels?.count, count != length {
      throw ModelError(
        .unsupportedModel, path, "its output \(list([port])) has \(length) classes, but \(count) are named")
    }
    let kind = package?.output?.kind?.value ?? inferredScores(port)
    let list = try topK(in: outputs, besides: index, classCount: length)
    return ModelOutput(
      kind: kind, names: outputs.map(\.name), index: index, labels: labels(length), classCount: length,
      topK: list?.count ?? package?.output?.topK?.value, topKOutputs: list?.outputs, shape: port.shape,
      elementType: port.elementType)
  }

  /// The two outputs that list the best classes: k scores, and as many indices in whole numbers.
  private mutating func topK(
    in outputs: [OpenVINOModel.Port], besides index: Int, classCount: Int
  ) throws(ModelError) -> (outputs: TopKOutputs, count: Int)? {
    let others = outputs.enumerated().filter { $0.offset != index }.map(\.element)
    guard !others.isEmpty else { return nil }
    let indices = others.filter { $0.elementType == .i64 || $0.elementType == .i32 }
    let pairs = indices.flatMap { indices in
      others.filter { scores in
        (scores.elementType == .f32 || scores.elementType == .f16) && scores.shape == indices.shape
      }.map { scores in (scores: scores, indices: indices) }
    }
    guard pairs.count == 1, let pair = pairs.first, let count = vectorLength(pair.indices.shape),
      count <= classCount
    else {
      notes.append("of the outputs \(list(outputs)), only \(outputs[index].name) is read")
      return nil
    }
    if let stated = package?.output?.topK?.value, stated != count {
      throw ModelError(
        .invalidMetadata, location.packagePath,
        "output.top_k is \(stated), which contradicts the model's output \(list([pair.indices]))")
    }
    return (TopKOutputs(scores: pair.scores.name, indices: pair.indices.name), count)
  }

  private mutating func inferredScores(_ port: OpenVINOModel.Port) -> OutputKind {
    let name = port.name.lowercased()
    // Ultralytics puts softmax into its classifiers' exports.
    if metadata.author == "Ultralytics" || name.contains("prob") || name.contains("softmax") {
      notes.append("the output \(list([port])) was taken for probabilities")
      return .probabilities
    }
    notes.append("the output \(list([port])) was taken for logits")
    return .logits
  }

  private mutating func features(in outputs: [OpenVINOModel.Port]) throws(ModelError) -> ModelOutput {
    let (index, port, length) = try vector(in: outputs, "embedding")
    if let dimension = package?.output?.dimension?.value, dimension != length {
      throw ModelError(
        .invalidMetadata, location.packagePath,
        "output.dimension is \(dimension), which contradicts the model's output \(list([port]))")
    }
    return ModelOutput(
      kind: .embedding, names: outputs.map(\.name), index: index, labels: [], classCount: 0,
      dimension: length, normalized: package?.output?.normalized, topK: nil, shape: port.shape,
      elementType: port.elementType, layout: nil, objectness: false)
  }
}
