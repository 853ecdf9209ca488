/// Loads models: finds out everything that is to be known about one before it is run.
public enum ModelPackage {
  /// Reads a model and its metadata. Blocks (it reads the whole graph): not for a thread of Swift's pool. OpenVINO
  /// walks graphs recursively, so the thread should have a stack like that of the main thread, 8 MiB.
  ///
  /// - Parameters:
  ///   - path: one of
  ///     - a directory with `conversion_metadata.json` (schema `eyrie.model/1`); where it states the SHA-256
  ///       of its files, they are compared. A Core ML model needs it: the metadata is all that is read of one,
  ///       and any system can describe it;
  ///     - a directory that an exporter made, with one `.xml` or `.onnx`, and perhaps a `metadata.yaml`;
  ///     - an OpenVINO `.xml` with its `.bin` beside it; metadata beside it or in it is used;
  ///     - an `.onnx`; metadata in it is used, then what is beside it.
  ///   - task: what the model must do; `nil` takes any.
  /// - Throws: ``ModelError``, one line that names the file, the reason and the way out.
  public static func load(_ path: String, expecting task: ModelTask? = nil) throws(ModelError)
    -> ModelDescription
  {
    var location = try ModelLocation.find(path)
    try location.checkDigests()
    var metadata: ExportMetadata
    let precision: ModelPrecision?
    switch location.format {
    case .openvino:
      let file = try IRFile(path: location.path)
      precision = file.precision
      metadata = file.exportMetadata
    case .onnx:
      let file = try ONNXFile(path: location.path)
      precision = file.precision
      metadata = file.exportMetadata
    case .coreml:
      return try CoreMLDescriber(location: location, expected: task).describe()
    }
    if let sidecar = location.sidecar {
      let beside = try MetadataYAML.read(sidecar)
      // An exported directory's own file is more complete than model_info; what is inside an ONNX file
      // cannot belong to another model.
      metadata = location.format == .onnx ? metadata.filled(from: beside) : beside.filled(from: metadata)
    }
    let core = try OpenVINOCore.get()
    var builder = DescriptionBuilder(
      location: location, metadata: metadata, precision: precision, expected: task)
    return try builder.build(with: core)
  }
}
