/// Puts the values of environment variables in the place of `${NAME}` and `${NAME:-default}`; `$$` is a dollar
/// sign. It works on one scalar after YAML was parsed, so that a value cannot change the structure of the file.
struct VariableSubstitution {
  /// What is wrong with a text; without any value of a variable.
  struct Mistake: Error {
    let message: String
  }

  let environment: [String: String]

  /// - Returns: the text with variables substituted, and whether there were any.
  func apply(_ text: String) throws(Mistake) -> (text: String, substituted: Bool) {
    guard text.utf8.contains(UInt8(ascii: "$")) else { return (text, false) }
    var result = ""
    var substituted = false
    var rest = Substring(text)
    while let dollar = rest.firstIndex(of: "$") {
      result += rest[..<dollar]
      rest = rest[rest.index(after: dollar)...]
      if rest.first == "$" {
        result += "$"
        rest.removeFirst()
      } else if rest.first == "{" {
        guard let end = rest.firstIndex(of: "}") else {
          throw Mistake(
            message: "'${' has no closing '}'; write ${NAME} or ${NAME:-default}, or $$ for a dollar sign")
        }
        result += try value(of: rest[rest.index(after: rest.startIndex)..<end])
        substituted = true
        rest = rest[rest.index(after: end)...]
      } else {
        throw Mistake(message: "a dollar sign alone; write $$ for a dollar sign, or ${NAME} for a variable")
      }
    }
    return (result + rest, substituted)
  }

  private func value(of expression: Substring) throws(Mistake) -> String {
    let name = expression.prefix { $0 != ":" }
    let rest = expression.dropFirst(name.count)
    guard Self.isName(name) else {
      throw Mistake(
        message:
          "'${…}' holds no name of a variable; write ${NAME} or ${NAME:-default}, with letters, digits and _")
    }
    if rest.isEmpty {
      if let value = environment[String(name)] { return value }
      throw Mistake(
        message: "the environment variable \(name) is not set; set it, or write ${\(name):-default}")
    }
    guard rest.hasPrefix(":-"), !rest.contains("$") else {
      throw Mistake(
        message: "'${\(name)…}' is malformed; write ${\(name)} or ${\(name):-default}, without '$' in it")
    }
    // As in a shell: an empty variable takes the default too.
    let value = environment[String(name)] ?? ""
    return value.isEmpty ? String(rest.dropFirst(2)) : value
  }

  private static func isName(_ text: Substring) -> Bool {
    guard let first = text.utf8.first, text.utf8.count <= 255, !(0x30...0x39).contains(first) else {
      return false
    }
    return text.utf8.allSatisfy {
      (0x30...0x39).contains($0) || (0x41...0x5A).contains($0 & 0xDF) || $0 == UInt8(ascii: "_")
    }
  }
}
