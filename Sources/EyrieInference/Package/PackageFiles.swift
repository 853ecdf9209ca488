import Foundation

extension ModelLocation {
  /// The directory of the package.
  var packageDirectory: String { (packagePath as NSString).deletingLastPathComponent }

  /// Compares the package's files with the digests it states, so that one that is damaged, half copied or
  /// exchanged is not run. What cannot be compared is noted.
  mutating func checkDigests() throws(ModelError) {
    guard let package else { return }
    let files = package.files?.items ?? []
    for file in files { try checkDigest(of: file, among: files) }
    for name in [package.validation?.golden, package.output?.zeroShot?.embeddings].compactMap(\.self)
    where !files.contains(where: { $0.path == name && $0.sha256?.isEmpty == false }) {
      notes.append("\(name) has no sha256 in \(PackageMetadata.fileName), and was not compared with one")
    }
    if package.validation?.golden == nil {
      notes.append("the package has no golden file: that it gives the right results was not checked")
    }
  }

  private mutating func checkDigest(
    of file: PackageMetadata.File, among all: [PackageMetadata.File]
  ) throws(ModelError) {
    let path = (packageDirectory as NSString).appendingPathComponent(file.path)
    if isDirectory(path) { return noteUnlisted(inside: file.path, among: all) }
    guard let stated = file.sha256?.lowercased(), !stated.isEmpty else { return }
    guard stated.utf8.count == 64, stated.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
      notes.append(
        "the sha256 of \(file.path) in \(PackageMetadata.fileName) is not 64 hexadecimal digits, and was not checked"
      )
      return
    }
    guard fileSize(path) != nil else {
      throw ModelError(.unreadable, path, "no such file, although \(PackageMetadata.fileName) names it")
    }
    let found: String
    do {
      found = try SHA256.hexadecimal(ofFile: path)
    } catch {
      throw ModelError(
        .unreadable, path,
        "cannot be read: \(reason(of: error))")
    }
    guard found == stated else {
      throw ModelError(
        .corrupt, path,
        "is not the file that was packed: its SHA-256 is \(found.prefix(12))…, \(PackageMetadata.fileName) "
          + "states \(stated.prefix(12))…; copy or convert the model again")
    }
  }

  /// A directory (`.mlpackage`) has no digest of its own: its files do, each.
  private mutating func noteUnlisted(inside directory: String, among all: [PackageMetadata.File]) {
    let listed = Set(all.filter { $0.sha256?.isEmpty == false }.map(\.path))
    let root = (packageDirectory as NSString).appendingPathComponent(directory)
    var unlisted: [String] = []
    for case let name as String in FileManager.default.enumerator(atPath: root) ?? .init() {
      let inside = (directory as NSString).appendingPathComponent(name)
      let path = (packageDirectory as NSString).appendingPathComponent(inside)
      if !isDirectory(path), !listed.contains(inside) { unlisted.append(inside) }
      // Nobody reads a longer list, and a directory may be anything.
      if unlisted.count > 1000 { break }
    }
    guard let first = unlisted.sorted().first else { return }
    notes.append(
      "\(unlisted.count) files inside \(directory) have no sha256 in \(PackageMetadata.fileName) (\(first)"
        + "\(unlisted.count > 1 ? ", …" : "")), and were not compared with one")
  }
}
