/// HTML that is well-formed XML too.
enum Markup {
  /// Text as it may stand between tags and in quotes. What no XML may hold is replaced.
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\t", "\n", "\r": result.unicodeScalars.append(scalar)
      case "\u{0}"..<"\u{20}", "\u{7F}"..<"\u{A0}", "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// A table with a head.
  /// - Parameter rows: cells as markup, and the class of each row.
  static func table(_ head: [String], _ rows: [(kind: String, cells: [String])]) -> String {
    let titles = head.map { "<th>\(escaped($0))</th>" }.joined()
    let body = rows.map { row in
      "<tr class=\"\(row.kind)\">" + row.cells.map { "<td>\($0)</td>" }.joined() + "</tr>"
    }
    return "<div class=\"wide\"><table><thead><tr>\(titles)</tr></thead>\n<tbody>\n"
      + body.joined(separator: "\n") + "\n</tbody></table></div>\n"
  }
}
