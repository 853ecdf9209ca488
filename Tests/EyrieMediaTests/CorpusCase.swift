import Foundation
import Testing

/// One row of the corpus: a file, and what has to come out.
struct CorpusCase: CustomTestStringConvertible, Sendable {
  let id: String
  let file: String
  /// `frames=30..38` and so on, by name.
  let checks: [String: String]

  var testDescription: String { "\(id) \(file)" }
  var path: String { Shared.corpus.appendingPathComponent(file).path }
  var mustFail: Bool { checks["exit!"] == "0" }

  /// The families that decoding has to satisfy.
  private static let families: Set<Substring> = [
    "geometry", "timing", "pixel", "codec", "streams", "damage", "change", "names", "locator",
  ]

  static let all: [CorpusCase] = {
    let table = Shared.corpus.appendingPathComponent("cases.tsv")
    guard let text = try? String(contentsOf: table, encoding: .utf8) else { return [] }
    return text.split(separator: "\n").dropFirst().compactMap { line in
      let columns = line.split(separator: "\t", omittingEmptySubsequences: false)
      guard columns.count > 6, families.contains(columns[1]), columns[3] != "live" else { return nil }
      var checks: [String: String] = [:]
      for check in columns[6].split(separator: ";") {
        let pair = check.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
        if pair.count == 2 { checks[pair[0]] = pair[1] }
      }
      return CorpusCase(id: String(columns[0]), file: String(columns[3]), checks: checks)
    }
  }()
}
