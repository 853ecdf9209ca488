import Foundation

/// The files of a model, found from whatever path the user gave.
struct ModelLocation {
  /// The file that a backend opens.
  var path: String
  var format: ModelFormat
  /// `conversion_metadata.json`, if there is one.
  var package: PackageMetadata?
  /// Where it was read from.
  var packagePath = ""
  /// A `metadata.yaml` that belongs to the model.
  var sidecar: String?
  var notes: [String] = []

  static func find(_ path: String) throws(ModelError) -> ModelLocation {
    guard !path.isEmpty else { throw ModelError(.unreadable, "model", "the path is empty") }
    if isDirectory(path) { return try inDirectory(path) }
    guard FileManager.default.fileExists(atPath: path) else {
      throw ModelError(.unreadable, path, "no such file or directory")
    }
    let directory = (path as NSString).deletingLastPathComponent
    let name = (path as NSString).lastPathComponent
    if name == PackageMetadata.fileName || name == sidecarName {
      return try inDirectory(directory.isEmpty ? "." : directory)
    }
    guard fileSize(path) != nil else { throw ModelError(.unreadable, path, "is no regular file") }
    return try bareFile(path, in: directory.isEmpty ? "." : directory)
  }

  private static let sidecarName = "metadata.yaml"

  private static func format(of path: String) -> ModelFormat? {
    switch (path as NSString).pathExtension.lowercased() {
    case "xml": .openvino
    case "onnx": .onnx
    case "mlpackage", "mlmodel", "mlmodelc": .coreml
    default: nil
    }
  }

  private static func inDirectory(_ directory: String) throws(ModelError) -> ModelLocation {
    if format(of: directory) == .coreml {
      // `inside/model.mlpackage/` has its metadata beside it.
      let path = directory.hasSuffix("/") ? String(directory.dropLast()) : directory
      let parent = (path as NSString).deletingLastPathComponent
      let beside = try package(in: parent.isEmpty ? "." : parent)
      if let beside, (beside.path as NSString).lastPathComponent == (path as NSString).lastPathComponent {
        return beside
      }
      return ModelLocation(path: path, format: .coreml)
    }
    if let package = try package(in: directory) { return package }
    let names = try entries(of: directory)
    let models = names.filter { format(of: $0) == .openvino || format(of: $0) == .onnx }
    guard let name = models.first else {
      let hint =
        names.contains { $0.hasSuffix(".pt") } ? "; it has a PyTorch checkpoint: \(checkpointHint)" : ""
      throw ModelError(.noSingleModel, directory, "the directory holds no .xml and no .onnx model\(hint)")
    }
    guard models.count == 1, let format = format(of: name) else {
      let list = models.prefix(5).joined(separator: ", ") + (models.count > 5 ? ", …" : "")
      throw ModelError(
        .noSingleModel, directory, "the directory holds \(models.count) models (\(list)); name one of them")
    }
    return ModelLocation(
      path: join(directory, name), format: format,
      sidecar: names.contains(sidecarName) ? join(directory, sidecarName) : nil)
  }

  private static func bareFile(_ path: String, in directory: String) throws(ModelError) -> ModelLocation {
    let name = (path as NSString).lastPathComponent
    guard let format = format(of: path) else { throw unsupported(path) }
    if let package = try? package(in: directory), package.path == join(directory, name) { return package }
    if format == .coreml { return ModelLocation(path: path, format: .coreml) }
    var location = ModelLocation(path: path, format: format)
    let names = (try? entries(of: directory)) ?? []
    guard names.contains(sidecarName) else { return location }
    if names.count(where: { Self.format(of: $0) == format }) == 1 {
      location.sidecar = join(directory, sidecarName)
    } else {
      location.notes.append(
        "\(sidecarName) beside the model was not used: it may belong to another model in the directory")
    }
    return location
  }

  /// The package in a directory; `nil` when there is no `conversion_metadata.json`.
  private static func package(in directory: String) throws(ModelError) -> ModelLocation? {
    let metadataPath = join(directory, PackageMetadata.fileName)
    guard FileManager.default.fileExists(atPath: metadataPath) else { return nil }
    let package = try PackageMetadata.read(metadataPath)
    let wanted = package.format.value
    let listed = (package.files?.items ?? []).map(\.path)
    var candidates = (listed.isEmpty ? try entries(of: directory) : listed).compactMap { path in
      wanted == .coreml ? coreMLRoot(of: path) : format(of: path) == wanted ? path : nil
    }
    // A Core ML package is a directory, of which the files are listed.
    if wanted == .coreml { candidates = Array(Set(candidates)).sorted() }
    guard let name = candidates.first else {
      throw ModelError(
        .noSingleModel, directory, "files in \(PackageMetadata.fileName) names no \(wanted.rawValue) model")
    }
    guard candidates.count == 1 else {
      throw ModelError(
        .noSingleModel, directory,
        "\(candidates.count) files could be the model: \(candidates.prefix(5).joined(separator: ", "))")
    }
    let path = join(directory, name)
    guard FileManager.default.fileExists(atPath: path) else {
      throw ModelError(
        .unreadable, path, "no such file, although \(PackageMetadata.fileName) names it")
    }
    return ModelLocation(path: path, format: wanted, package: package, packagePath: metadataPath)
  }

  /// `model.mlpackage` for that and for everything inside; `nil` for what belongs to no Core ML model.
  private static func coreMLRoot(of path: String) -> String? {
    let parts = path.split(separator: "/")
    let end = parts.firstIndex { part in format(of: String(part)) == .coreml }
    return end.map { parts[...$0].joined(separator: "/") }
  }

  private static func entries(of directory: String) throws(ModelError) -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: directory)
        .filter { !$0.hasPrefix(".") }.sorted()
    } catch {
      throw ModelError(.unreadable, directory, "cannot be read: \(reason(of: error))")
    }
  }

  private static func join(_ directory: String, _ name: String) -> String {
    (directory as NSString).appendingPathComponent(name)
  }

  private static let checkpointHint =
    "convert it first, for example with `yolo export model=FILE.pt format=openvino`"

  private static func unsupported(_ path: String) -> ModelError {
    let type = (path as NSString).pathExtension.lowercased()
    let reason =
      switch type {
      case "pt", "pth": "is a PyTorch checkpoint; \(checkpointHint)"
      case "bin": "holds only the weights of an OpenVINO model; give the .xml beside it"
      case "": "has no file extension; an OpenVINO .xml, an .onnx or a directory with one is needed"
      default:
        ".\(type) files are not supported; an OpenVINO .xml, an .onnx or a directory with one is needed"
      }
    return ModelError(.unsupportedFormat, path, reason)
  }
}
