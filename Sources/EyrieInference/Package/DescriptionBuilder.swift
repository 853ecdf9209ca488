import Foundation

/// Puts a description together from all that is known: the package's word first, then the exporter's
/// metadata, then the shapes. Where it has to infer, it notes what and why.
struct DescriptionBuilder {
  let location: ModelLocation
  let metadata: ExportMetadata
  let precision: ModelPrecision?
  let expected: ModelTask?
  var notes: [String]

  init(
    location: ModelLocation, metadata: ExportMetadata, precision: ModelPrecision?, expected: ModelTask?
  ) {
    self.location = location
    self.metadata = metadata
    self.precision = precision
    self.expected = expected
    notes = location.notes + metadata.problems
  }

  var package: PackageMetadata? { location.package }
  var path: String { location.path }

  mutating func build(with core: OpenVINOCore) throws(ModelError) -> ModelDescription {
    let port = try pictureInput(of: try core.readModel(path))
    let stated = try statedTask()
    let frame = try pictureFrame(of: port, task: stated ?? expected)
    let prepared = try PreparedModel.read(path, input: frame.shape, with: core)
    if prepared.places > 1 {
      notes.append(
        "the model takes \(prepared.places) pictures at once and cannot be run with one: only the first "
          + "place is used, which wastes the others; export it with batch 1")
    }
    let task = try decideTask(stated: stated, outputs: prepared.outputs, frame: frame)
    let output = try describeOutput(task: task, outputs: prepared.outputs, frame: frame)
    let input = describeInput(port: port, frame: frame, task: task)
    var model = ModelDescription(
      name: location.modelName, task: task, format: location.format,
      precision: package?.precision?.value ?? precision, path: path, files: files(),
      source: source(), input: input, output: output, nms: suppression(output), notes: notes)
    if let package { model.take(package, in: location.packageDirectory) }
    // Read again by whoever needs them; here it is only to be known that they are sound.
    _ = try TextEmbeddings.load(for: model)
    return model
  }

  private func statedTask() throws(ModelError) -> ModelTask? {
    if let task = package?.task.value { return task }
    guard let name = metadata.task else { return nil }
    if let task = ModelTask(rawValue: name) { return task }
    throw ModelError(
      .wrongTask, path,
      "is a model for task \"\(name)\" (says \(metadata.origin)); only detect, classify and embed are run")
  }

  private mutating func decideTask(
    stated: ModelTask?, outputs: [OpenVINOModel.Port], frame: PictureFrame
  ) throws(ModelError) -> ModelTask {
    if let stated {
      if let expected, stated != expected {
        throw ModelError(
          .wrongTask, path,
          "is no model to \(expected.rawValue) with, but to \(stated.rawValue): its output "
            + "\(list(outputs))"
            + (expected == .detect ? ", where a detector gives \(DetectionHead.expectation)" : ""))
      }
      return stated
    }
    if let expected { return expected }
    let isDetector = outputs.contains { output in
      guard case .success = head(of: output.shape, frame: frame) else { return false }
      return true
    }
    let inferred: ModelTask =
      if isDetector {
        .detect
      } else if outputs.contains(where: { $0.name.lowercased().contains("embed") }) {
        .embed
      } else if outputs.contains(where: { vectorLength($0.shape) != nil }) {
        .classify
      } else {
        throw ModelError(
          .unsupportedModel, path,
          "its output \(list(outputs)) is neither a detector's (\(DetectionHead.expectation)) nor one row of scores"
        )
      }
    notes.append("the task \(inferred.rawValue) was inferred from the output \(list(outputs))")
    return inferred
  }

  /// Names and shapes, for messages.
  func list(_ ports: [OpenVINOModel.Port]) -> String {
    let shown = ports.prefix(4).map { "\($0.name) \(shapeText($0.shape))" }.joined(separator: ", ")
    return shown + (ports.count > 4 ? ", …" : "")
  }

  private func files() -> [ModelFile] {
    if let listed = location.listedFiles { return listed }
    let name = (path as NSString).lastPathComponent
    var files = [ModelFile(path: name, sha256: nil)]
    let weights = (name as NSString).deletingPathExtension + ".bin"
    let directory = (path as NSString).deletingLastPathComponent
    if location.format == .openvino, fileSize((directory as NSString).appendingPathComponent(weights)) != nil
    {
      files.append(ModelFile(path: weights, sha256: nil))
    }
    return files
  }

  private func source() -> ModelSource {
    package?.source
      ?? ModelSource(
        name: metadata.title, framework: metadata.author, version: metadata.version,
        license: metadata.license)
  }

  private func suppression(_ output: ModelOutput) -> SuppressionSettings {
    SuppressionSettings(package?.nms, embedded: output.layout == .endToEnd)
  }
}
