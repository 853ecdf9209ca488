public import Foundation

/// Footage, models and references that are not in the repository: in `../shared` beside it, or where the
/// environment variable `EYRIE_SHARED` says. Tests that need it are skipped where it is absent.
public enum SharedMaterial {
  /// Why a test was skipped.
  public static let absence = "needs the shared test material (../shared or EYRIE_SHARED)"

  /// The root of the package.
  public static let package = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// The folder; it may not exist.
  public static let root: URL =
    ProcessInfo.processInfo.environment["EYRIE_SHARED"].map { URL(fileURLWithPath: $0) }
    ?? package.deletingLastPathComponent().appendingPathComponent("shared")

  /// Whether the corpus is there.
  public static let isPresent = FileManager.default.fileExists(atPath: path("corpus/cases.tsv"))

  /// Whether the demo's model and video are there; `make test` fetches them.
  public static let hasDemo =
    FileManager.default.fileExists(atPath: demoModel) && FileManager.default.fileExists(atPath: demoVideo)

  /// The demo's model package.
  public static let demoModel = package.appendingPathComponent(".cache/models/yolov3-tiny").path
  /// The demo's video.
  public static let demoVideo = package.appendingPathComponent(".cache/media/bikes.mp4").path

  /// A path in the folder.
  public static func path(_ relative: String) -> String { root.appendingPathComponent(relative).path }
}
