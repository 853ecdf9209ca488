import Foundation

/// The size of a file in bytes; `nil` when there is none at the path.
func fileSize(_ path: String) -> Int? {
  let attributes = try? FileManager.default.attributesOfItem(
    atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
  guard let attributes, attributes[.type] as? FileAttributeType == .typeRegular else { return nil }
  return (attributes[.size] as? NSNumber)?.intValue
}

/// Whether a directory is at the path.
func isDirectory(_ path: String) -> Bool {
  var isDirectory: ObjCBool = false
  return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
}

/// The telling part of an error of Foundation.
func reason(of error: any Error) -> String {
  guard let cocoa = error as? CocoaError else { return "\(error)" }
  switch cocoa.code {
  case .fileReadNoPermission: return "permission denied"
  case .fileReadNoSuchFile, .fileNoSuchFile: return "no such file"
  default: return cocoa.localizedDescription
  }
}

/// Lends the bytes of a file, mapped into memory where the system can.
func withFileBytes<Result>(
  _ path: String, _ body: (UnsafeRawBufferPointer) throws(ModelError) -> Result
) throws(ModelError) -> Result {
  let data: Data
  do {
    data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
  } catch {
    throw ModelError(.unreadable, path, "cannot be read: \(reason(of: error))")
  }
  let result = data.withUnsafeBytes { bytes in
    Swift.Result { () throws(ModelError) in try body(bytes) }
  }
  return try result.get()
}
