import Foundation
import Yams

/// Reads the `metadata.yaml` that Ultralytics puts beside a model.
enum MetadataYAML {
  /// Real ones have a few kilobytes; one with a thousand classes some tens.
  private static let maximumByteCount = 1 << 20

  static func read(_ path: String) throws(ModelError) -> ExportMetadata {
    if let size = fileSize(path), size > maximumByteCount {
      throw ModelError(.invalidMetadata, path, "is too large for model metadata (\(size) bytes)")
    }
    let root: Node?
    do {
      let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
      root = try Yams.compose(yaml: text)
    } catch {
      throw ModelError(.invalidMetadata, path, "is no readable YAML: \(error)")
    }
    guard let mapping = root?.mapping else {
      throw ModelError(.invalidMetadata, path, "holds no YAML mapping at its top")
    }
    var fields: [String: MetadataValue] = [:]
    for (key, value) in mapping {
      // Only these: a file may hold anything else, at any depth.
      guard let name = key.scalar?.string, Self.keys.contains(name) else { continue }
      fields[name] = MetadataValue(yaml: value, depth: 0)
    }
    return ExportMetadata(origin: (path as NSString).lastPathComponent, ultralytics: fields)
  }

  private static let keys: Set = [
    "task", "description", "author", "version", "license", "stride", "imgsz", "names", "end2end", "args",
  ]
}

extension MetadataValue {
  /// Scalars stay texts, so that a class called `no` or `1.0` keeps its name.
  fileprivate init(yaml node: Node, depth: Int) {
    guard depth < 4 else {
      self = .none
      return
    }
    switch node {
    case .scalar(let scalar): self = .string(scalar.string)
    case .sequence(let items): self = .list(items.map { MetadataValue(yaml: $0, depth: depth + 1) })
    case .mapping(let pairs):
      self = .dict(
        pairs.map {
          Pair(
            key: MetadataValue(yaml: $0.key, depth: depth + 1),
            value: MetadataValue(yaml: $0.value, depth: depth + 1))
        })
    case .alias: self = .none
    }
  }
}
