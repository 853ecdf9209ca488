/// Describes a Core ML model from its package's metadata alone: the model itself can only be opened on Apple
/// systems, but what it takes and gives is to be known on all.
struct CoreMLDescriber {
  private static let suppressedNames = [SuppressedBoxes.coordinates, SuppressedBoxes.confidence]

  private let location: ModelLocation
  private let package: PackageMetadata
  private var notes: [String]

  /// - Throws: ``ModelError`` for a bare model, and for one that does something else than `expected`.
  init(location: ModelLocation, expected: ModelTask?) throws(ModelError) {
    guard let package = location.package else {
      throw ModelError(
        .unsupportedFormat, location.path,
        "is a Core ML model without \(PackageMetadata.fileName) beside it, which \(ModelDescription.whereCoreMLRuns)"
      )
    }
    if let expected, package.task.value != expected {
      throw ModelError(
        .wrongTask, location.path,
        "is no model to \(expected.rawValue) with, but to \(package.task.value.rawValue)")
    }
    self.location = location
    self.package = package
    notes = location.notes
  }

  consuming func describe() throws(ModelError) -> ModelDescription {
    let input = try describeInput()
    let output = try describeOutput()
    var model = ModelDescription(
      name: location.modelName, task: package.task.value, format: .coreml,
      precision: package.precision?.value, path: location.path, files: location.listedFiles ?? [],
      source: package.source ?? ModelSource(), input: input, output: output,
      nms: SuppressionSettings(package.nms, embedded: output.layout == .endToEnd), notes: notes)
    model.take(package, in: location.packageDirectory)
    // Read again by whoever needs them; here it is only to be known that they are sound.
    _ = try TextEmbeddings.load(for: model)
    return model
  }

  private func missing(_ key: String) -> ModelError {
    ModelError(
      .invalidMetadata, location.packagePath,
      "\(key) is missing, and a Core ML model does not tell it otherwise")
  }

  private func describeInput() throws(ModelError) -> ModelInput {
    guard let stated = package.input else { throw missing("input") }
    guard let width = stated.width?.value else { throw missing("input.width") }
    guard let height = stated.height?.value else { throw missing("input.height") }
    let detects = package.task.value == .detect
    func three(_ values: OneOrMany<Double>?, _ usual: Double) -> [Double] {
      guard let values = values?.items, let first = values.first else { return [usual, usual, usual] }
      return values.count == 3 ? values : [first, first, first]
    }
    // An image of Core ML is bytes with a colour order of its own: what is done to them is inside the model.
    return ModelInput(
      name: stated.name ?? "image", width: width, height: height,
      channelOrder: stated.channelOrder?.value ?? .rgb, layout: stated.layout?.value ?? .nhwc,
      elementType: stated.elementType?.value ?? .u8,
      resize: stated.resize?.value ?? (detects ? .letterbox : .centerCrop),
      interpolation: stated.interpolation?.value, padValue: stated.padValue.map { Int($0.rounded()) } ?? 114,
      mean: three(stated.mean, 0), std: three(stated.std, 1), scale: stated.scale ?? 1,
      embeddedPreprocessing: stated.embeddedPreprocessing ?? true, dynamicSpatial: false,
      stride: stated.stride?.value ?? (detects ? 32 : 1))
  }

  private mutating func describeOutput() throws(ModelError) -> ModelOutput {
    switch package.task.value {
    case .detect: try detections()
    case .classify: try scores()
    case .embed: try features()
    }
  }

  private mutating func detections() throws(ModelError) -> ModelOutput {
    guard let labels = package.output?.labels?.names, !labels.isEmpty else { throw missing("output.labels") }
    let count = labels.count
    if package.nms?.embedded == true || package.output?.kind?.value == .yoloEndToEnd {
      let names = package.output?.names ?? Self.suppressedNames
      guard Set(Self.suppressedNames).isSubset(of: names) else {
        throw ModelError(
          .invalidMetadata, location.packagePath,
          "output.names is \(names), and a Core ML detector with suppression inside gives "
            + Self.suppressedNames.joined(separator: " and "))
      }
      return ModelOutput(
        kind: .yoloEndToEnd, names: names, labels: labels, classCount: count, shape: [1, -1, 6],
        layout: .endToEnd)
    }
    guard let names = package.output?.names, !names.isEmpty else { throw missing("output.names") }
    let objectness = package.output?.objectness ?? false
    let features = count + (objectness ? 5 : 4)
    let layout = package.output?.layout?.value ?? .featuresFirst
    return ModelOutput(
      kind: .yoloGrid, names: names, labels: labels, classCount: count,
      shape: layout == .featuresFirst ? [1, features, -1] : [1, -1, features], layout: layout,
      objectness: objectness)
  }

  private mutating func scores() throws(ModelError) -> ModelOutput {
    guard let names = package.output?.names, !names.isEmpty else { throw missing("output.names") }
    guard let labels = package.output?.labels?.names, !labels.isEmpty else { throw missing("output.labels") }
    if package.output?.kind == nil { notes.append("the output \(names[0]) was taken for probabilities") }
    let list = names.dropFirst()
    let pair: TopKOutputs? =
      if let scores = list.first(where: { $0.lowercased().contains("scores") }),
        let indices = list.first(where: { $0.lowercased().contains("indices") })
      {
        TopKOutputs(scores: scores, indices: indices)
      } else {
        nil
      }
    return ModelOutput(
      kind: package.output?.kind?.value ?? .probabilities, names: names, labels: labels,
      classCount: labels.count, topK: package.output?.topK?.value, topKOutputs: pair,
      shape: [1, labels.count])
  }

  private func features() throws(ModelError) -> ModelOutput {
    guard let names = package.output?.names, !names.isEmpty else { throw missing("output.names") }
    guard let dimension = package.output?.dimension?.value else { throw missing("output.dimension") }
    return ModelOutput(
      kind: .embedding, names: names, labels: [], classCount: 0, dimension: dimension,
      normalized: package.output?.normalized, shape: [1, dimension])
  }
}
