import Foundation

/// The few things Eyrie reads from an OpenVINO IR by itself: whether the file is one and complete,
/// what `model_info` says, and the type of the weights.
struct IRFile {
  /// `/net/rt_info/model_info`, which OpenVINO's C interface does not give.
  private(set) var modelInfo: [String: String] = [:]
  /// How many bytes of the weights file the model refers to.
  private(set) var weightByteCount: UInt64 = 0
  /// The number format most of the weights have; `nil` without weights.
  private(set) var precision: ModelPrecision?

  /// IR versions that OpenVINO 2026 reads.
  private static let readableVersions: Set = ["10", "11"]
  /// More than any real graph description; larger files are refused before they are read.
  private static let maximumByteCount = 512 << 20

  /// - Parameter path: the `.xml`; the weights are expected beside it, with the extension `.bin`.
  init(path: String) throws(ModelError) {
    if let size = fileSize(path), size > Self.maximumByteCount {
      throw ModelError(.corrupt, path, "is too large for an OpenVINO model description (\(size) bytes)")
    }
    try withFileBytes(path) { bytes throws(ModelError) in try scan(bytes, path: path) }
    try checkWeights(of: path)
  }

  mutating func scan(_ bytes: UnsafeRawBufferPointer, path: String) throws(ModelError) {
    guard !bytes.isEmpty else { throw ModelError(.corrupt, path, "is empty") }
    var scanner = XMLTagScanner(bytes)
    guard case .open("net", let attributes, _)? = scanner.next() else {
      throw ModelError(
        .corrupt, path, "is no OpenVINO model: it does not start with a <net> element")
    }
    let version = attributes["version"] ?? "none"
    guard Self.readableVersions.contains(version) else {
      throw ModelError(
        .corrupt, path, "has IR version \(version), and only 10 and 11 are read; convert the model again")
    }
    var elements = ["net"]
    var weights = WeightCount()
    while let tag = scanner.next() {
      switch tag {
      case .close: _ = elements.popLast()
      case .open(let name, let attributes, let isEmpty):
        if name == "data", let size = attributes["size"].flatMap(UInt64.init),
          let offset = attributes["offset"].flatMap(UInt64.init)
        {
          let end = offset.addingReportingOverflow(size)
          weightByteCount = max(weightByteCount, end.overflow ? .max : end.partialValue)
          let type = attributes["element_type"].flatMap(ElementType.init(converterName:)) ?? .other
          weights.add(Double(size) / Double(max(type.byteSize, 1)), type: type)
        }
        if elements == ["net", "rt_info", "model_info"], let value = attributes["value"] {
          modelInfo[name] = value
        }
        if !isEmpty { elements.append(name) }
      }
    }
    precision = weights.precision
  }

  private func checkWeights(of path: String) throws(ModelError) {
    guard weightByteCount > 0 else { return }
    let weights = (path as NSString).deletingPathExtension + ".bin"
    let name = (weights as NSString).lastPathComponent
    guard let size = fileSize(weights) else {
      throw ModelError(.corrupt, path, "its weights are missing: \(name) must stand beside it")
    }
    guard UInt64(size) >= weightByteCount else {
      throw ModelError(
        .corrupt, path,
        "its weights are incomplete: \(name) has \(size) bytes, the model needs \(weightByteCount)")
    }
  }

  /// What `model_info` says.
  var exportMetadata: ExportMetadata {
    ExportMetadata(origin: "model_info in the IR", modelInfo: modelInfo)
  }
}
