import EyrieGraph
import Foundation

/// A new folder for files that are needed for a while. Who makes one removes it.
struct TemporaryFolder: Sendable {
  let url: URL

  /// - Throws: `EyrieFailure` of kind run if it cannot be made.
  init() throws(EyrieFailure) {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("eyrie-\(UUID().uuidString)")
    do {
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    } catch {
      throw EyrieFailure(.run, "\(url.path): cannot be made: \(error.localizedDescription)")
    }
  }

  /// The path of a file in it.
  func file(_ name: String) -> URL { url.appendingPathComponent(name) }

  func remove() { try? FileManager.default.removeItem(at: url) }
}
