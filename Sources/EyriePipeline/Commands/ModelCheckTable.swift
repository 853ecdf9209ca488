import EyrieInference

/// The result of `eyrie model check` for people.
public struct ModelCheckTable: CustomStringConvertible {
  private let report: ModelCheck.Report

  /// - Parameter report: what to show.
  public init(_ report: ModelCheck.Report) {
    self.report = report
  }

  /// The table, without a line break at the end.
  public var description: String {
    var rows = [["what", "reference", "allowed", "found", "result"]]
    if let damage = report.damage {
      rows.append(["files", "SHA-256, form", "no damage", damage, "FAIL"])
    } else {
      let files = report.filesCompared
      rows.append([
        "files", files == 0 ? "none has a SHA-256" : "\(files) × SHA-256", "no difference",
        files == 0 ? "not compared" : "the same", files == 0 ? "–" : "pass",
      ])
    }
    if let passed = report.validationPassed {
      rows.append([
        "converter's check", report.validationReference ?? "–", "passed", passed ? "passed" : "failed",
        Self.word(passed),
      ])
    }
    for replay in report.replays {
      rows += replay.comparisons.map { compared in
        [
          "\(replay.precision.rawValue) \(compared.what)", compared.reference, compared.allowedText,
          compared.foundText, Self.word(compared.passed),
        ]
      }
    }
    rows = rows.map { row in row.map { Self.short($0) } }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    let lines = rows.map { row in
      zip(row, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }
        .joined(separator: "  ").trimmingSuffix { $0 == " " }
    }
    return lines.joined(separator: "\n") + "\n\(report.model): \(report.passed ? "passed" : "FAILED")"
  }

  private static func word(_ passed: Bool) -> String { passed ? "pass" : "FAIL" }

  /// A cell that no line is broken for.
  private static func short(_ text: String) -> String {
    text.count > 60 ? text.prefix(59) + "…" : text
  }
}

extension String {
  fileprivate func trimmingSuffix(_ isDropped: (Character) -> Bool) -> Substring {
    var rest = self[...]
    while let last = rest.last, isDropped(last) { rest = rest.dropLast() }
    return rest
  }
}
