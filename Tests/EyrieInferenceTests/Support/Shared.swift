import Foundation

/// Material beside the repository that some tests use and that is never committed.
enum Shared {
  static let directory: String =
    ProcessInfo.processInfo.environment["EYRIE_SHARED"]
    ?? URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("shared").path

  static func path(_ name: String) -> String { directory + "/" + name }

  static let hasCorpus = FileManager.default.fileExists(atPath: path("corpus/models"))
  static let hasYOLO = FileManager.default.fileExists(atPath: path("models/yolov8n_int8_openvino_model"))
  static let skipped = "the shared test material is not there (EYRIE_SHARED)"
}
