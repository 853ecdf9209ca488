import Foundation

/// The rows of the shared corpus, `cases.tsv`.
public enum CorpusTable {
  /// One file or situation and what must be true of it.
  public struct Row: Sendable {
    /// Such as `G01`.
    public let id: String
    /// Such as `geometry`.
    public let family: String
    /// Relative to the corpus; `live` for a situation.
    public let file: String
    /// The conditions in machine form: `frames=38; exit=0`.
    public let check: [String: String]
  }

  /// All rows; none where the corpus is absent.
  public static let rows: [Row] = {
    guard let text = try? String(contentsOfFile: SharedMaterial.path("corpus/cases.tsv"), encoding: .utf8)
    else {
      return []
    }
    return text.split(separator: "\n").dropFirst().compactMap { line in
      let cells = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      guard cells.count >= 7 else { return nil }
      var check: [String: String] = [:]
      for part in cells[6].split(separator: ";") {
        let sides = part.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
        if sides.count == 2 { check[sides[0]] = sides[1] }
      }
      return Row(id: cells[0], family: cells[1], file: cells[3], check: check)
    }
  }()
}
