import Foundation

/// Keeps compiled models on disk, so that the next start need not compile them again.
///
/// OpenVINO writes and reads the files (its `CACHE_DIR`), but trusts them: a blob with garbled bytes makes 2026.4 hang
/// or crash. So each compilation has a directory of its own, which appears under its final name only when it is whole,
/// together with the digest of what is in it; a directory that does not agree with its digest is thrown away. Several
/// processes may use one cache. Nothing here fails: without a cache a model is compiled as usual.
struct CompiledModelCache {
  private let root: URL
  private static let digestName = "sha256"
  /// Directories of starts that were broken off, and models that nobody has used for so long, are removed.
  private static let abandonedAfter: TimeInterval = 3_600
  private static let unusedAfter: TimeInterval = 30 * 86_400

  init(directory: String) {
    root = URL(fileURLWithPath: directory, isDirectory: true)
  }

  /// Compiles with OpenVINO's cache in the right directory.
  /// - Parameters:
  ///   - key: everything that the result depends on.
  ///   - body: gets the value for `CACHE_DIR`; nil for none.
  func compile<Result>(
    key: String, _ body: (String?) throws(ModelError) -> Result
  ) throws(ModelError) -> Result {
    var hash = SHA256()
    Array(key.utf8).withUnsafeBytes { hash.update($0) }
    let entry = root.appendingPathComponent(hash.hexadecimal(), isDirectory: true)
    if isWhole(entry) {
      touch(entry)
      return try body(entry.path)
    }
    guard let place = makePlace() else { return try body(nil) }
    defer { try? FileManager.default.removeItem(at: place) }
    let result = try body(place.path)
    if let digest = digest(of: place),
      (try? Data(digest.utf8).write(to: place.appendingPathComponent(Self.digestName))) != nil
    {
      // Whoever was faster has the same.
      try? FileManager.default.moveItem(at: place, to: entry)
    }
    return result
  }

  /// Whether an entry is there and as it was left; one that is not is removed.
  private func isWhole(_ entry: URL) -> Bool {
    guard FileManager.default.fileExists(atPath: entry.path) else { return false }
    let stated = try? String(contentsOf: entry.appendingPathComponent(Self.digestName), encoding: .utf8)
    if let stated, digest(of: entry) == stated { return true }
    try? FileManager.default.removeItem(at: entry)
    return false
  }

  /// The digest of all blobs; nil where there are none or one cannot be read.
  private func digest(of directory: URL) -> String? {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
    let blobs = names.filter { $0 != Self.digestName }.sorted()
    guard !blobs.isEmpty else { return nil }
    var lines: [String] = []
    for name in blobs {
      let path = directory.appendingPathComponent(name).path
      guard let digest = try? SHA256.hexadecimal(ofFile: path) else { return nil }
      lines.append("\(digest)  \(name)\n")
    }
    return lines.joined()
  }

  /// A directory that nobody else has; nil where none can be made.
  private func makePlace() -> URL? {
    // Compiled models run as they are: nobody else may put one here.
    let attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o700]
    let place = root.appendingPathComponent(".\(UUID().uuidString)", isDirectory: true)
    do {
      try FileManager.default.createDirectory(
        at: root, withIntermediateDirectories: true, attributes: attributes)
      removeOld()
      try FileManager.default.createDirectory(
        at: place, withIntermediateDirectories: false, attributes: attributes)
      return place
    } catch {
      return nil
    }
  }

  private func removeOld() {
    let keys: Set<URLResourceKey> = [.contentModificationDateKey, .isDirectoryKey]
    let entries =
      (try? FileManager.default.contentsOfDirectory(at: root, includingPropertiesForKeys: Array(keys))) ?? []
    for entry in entries where Self.isOurs(entry.lastPathComponent) {
      guard let values = try? entry.resourceValues(forKeys: keys), values.isDirectory == true,
        let date = values.contentModificationDate
      else { continue }
      let limit = entry.lastPathComponent.hasPrefix(".") ? Self.abandonedAfter : Self.unusedAfter
      if -date.timeIntervalSinceNow > limit { try? FileManager.default.removeItem(at: entry) }
    }
  }

  /// Nothing else in a directory of the user's is touched.
  private static func isOurs(_ name: String) -> Bool {
    if name.hasPrefix(".") { return UUID(uuidString: String(name.dropFirst())) != nil }
    return name.utf8.count == 64 && name.allSatisfy { $0.isASCII && $0.isHexDigit }
  }

  private func touch(_ entry: URL) {
    try? FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: entry.path)
  }
}

extension CompiledModelCache {
  /// What the compilation of a model depends on, beside what OpenVINO itself looks at.
  static func key(
    of model: ModelDescription, options: CompileOptions, properties: [(key: String, value: String)],
    device: String
  ) -> String {
    var parts = [device, model.path, "\(model.input)", "\(options.batch)"]
    // A file that was changed in place has another date or size.
    let folder = model.packageDirectory ?? (model.path as NSString).deletingLastPathComponent
    for file in [model.path] + model.files.map({ (folder as NSString).appendingPathComponent($0.path) }) {
      let attributes = try? FileManager.default.attributesOfItem(atPath: file)
      let date = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
      let size = (attributes?[.size] as? NSNumber)?.intValue ?? 0
      parts.append("\(file) \(size) \(date)")
    }
    parts += properties.map { "\($0.key)=\($0.value)" }
    return parts.joined(separator: "\n")
  }
}
