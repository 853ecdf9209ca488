import Foundation
import Yams

/// Parses YAML with Yams into its nodes, and turns what Yams reports into located mistakes.
///
/// Yams gives up at the first mapping that has a key twice. To report all such mistakes, and the others beside
/// them, a repeated key is renamed in the text and the text parsed again; `renamed` says what it was.
struct YAMLComposer {
  struct Document {
    /// nil for a file without a value.
    let root: Yams.Node?
    /// The true names of renamed keys, by their places.
    let renamed: [SourcePosition: String]
  }

  /// Aliases are refused in the end, but Yams expands them to compare keys: without a limit a short file could
  /// keep it busy for hours. This many multiply to nothing worth noting.
  private static let mostAliases = 16
  private static let mostRepairs = 32

  private let mistakes: MistakeCollector
  private var lines: [[Unicode.Scalar]]
  private var renamed: [SourcePosition: String] = [:]

  private init(_ text: String, mistakes: MistakeCollector) {
    self.mistakes = mistakes
    lines = Self.lines(of: text)
  }

  /// - Returns: nil when the text is no YAML; that has then been reported.
  static func compose(_ text: String, mistakes: MistakeCollector) -> Document? {
    var composer = YAMLComposer(text, mistakes: mistakes)
    return composer.compose()
  }

  private mutating func compose() -> Document? {
    if let place = excessiveAlias() {
      mistakes.add(place, "", "more than \(Self.mostAliases) aliases (*name); write the values out")
      return nil
    }
    while true {
      var text = String.UnicodeScalarView()
      for line in lines { text.append(contentsOf: line) }
      do {
        // The basic resolver does not look at scalars: what a plain one means is decided by what is expected.
        let parser = try Parser(yaml: String(text), resolver: .basic, encoding: .utf8)
        return Document(root: try parser.singleRoot(), renamed: renamed)
      } catch let error as YamlError {
        if case .duplicatedKeysInMapping(let names, let context) = error {
          let place = SourcePosition(line: context.mark.line, column: context.mark.column)
          if let name = names.min(), rename(name, at: place) { continue }
          mistakes.add(place, "", "a key is given twice in one mapping")
        } else {
          report(error, in: String(text))
        }
        return nil
      } catch {
        mistakes.add(.start, "", "this is no readable YAML")
        return nil
      }
    }
  }

  // MARK: - Keys that are given twice

  /// Writes another name of the same length over a key, so that nothing behind it moves.
  private mutating func rename(_ name: String, at place: SourcePosition) -> Bool {
    guard renamed.count < Self.mostRepairs, renamed[place] == nil, lines.indices.contains(place.line - 1)
    else { return false }
    let line = lines[place.line - 1]
    let start = place.column - 1
    guard line.indices.contains(start), let length = Self.length(ofKey: name, in: line[start...]),
      // From the private use area: in no file by chance, and a different one each time.
      let mark = Unicode.Scalar(UInt32(0xE000 + renamed.count))
    else { return false }
    lines[place.line - 1].replaceSubrange(
      start..<start + length, with: repeatElement(mark, count: length))
    renamed[place] = name
    return true
  }

  private static func length(ofKey name: String, in text: ArraySlice<Unicode.Scalar>) -> Int? {
    if let quote = text.first, quote == "\"" || quote == "'" {
      // A quote within a quoted key takes another form; such keys are left alone.
      guard let end = text.dropFirst().firstIndex(of: quote), !text[..<end].contains("\\") else { return nil }
      return end - text.startIndex + 1
    }
    let scalars = Array(name.unicodeScalars)
    return !scalars.isEmpty && text.starts(with: scalars) ? scalars.count : nil
  }

  // MARK: - Aliases

  /// Where the alias stands that is one too many; nil if there are few.
  private func excessiveAlias() -> SourcePosition? {
    var count = 0
    for (number, line) in lines.enumerated() {
      for column in line.indices where line[column] == "*" {
        // Anywhere else an asterisk is a character among others.
        guard column == 0 || " \t-:?,[{".unicodeScalars.contains(line[column - 1]) else { continue }
        count += 1
        if count > Self.mostAliases { return SourcePosition(line: number + 1, column: column + 1) }
      }
    }
    return nil
  }

  // MARK: - Errors of Yams

  private func report(_ error: YamlError, in text: String) {
    switch error {
    case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      let reason = context.map { "\($0.text.trimmingCharacters(in: .whitespaces)): \(problem)" } ?? problem
      mistakes.add(
        SourcePosition(line: max(mark.line, 1), column: max(mark.column, 1)), "",
        "YAML syntax: \(reason)\(hint(at: mark.line))")
    case .reader(let problem, let offset, _, _):
      mistakes.add(place(ofCharacter: offset ?? 0, in: text), "", "YAML syntax: \(problem)")
    case .memory: mistakes.add(.start, "", "YAML syntax: there is not enough memory to read it")
    default: mistakes.add(.start, "", "this is no readable YAML")
    }
  }

  /// The brace of a variable ends a plain value within braces or brackets.
  private func hint(at line: Int) -> String {
    guard lines.indices.contains(line - 1), let dollar = lines[line - 1].firstIndex(of: "$"),
      lines[line - 1].dropFirst(dollar + 1).first == "{"
    else { return "" }
    return "; within { } and [ ] put ${…} in quotes"
  }

  private func place(ofCharacter offset: Int, in text: String) -> SourcePosition {
    let before = Self.lines(of: String(text.prefix(offset)))
    return SourcePosition(line: max(before.count, 1), column: (before.last?.count ?? 0) + 1)
  }

  /// The lines with their ends, as libyaml counts them. The last one may be empty.
  private static func lines(of text: String) -> [[Unicode.Scalar]] {
    var lines: [[Unicode.Scalar]] = [[]]
    var previous: Unicode.Scalar?
    for scalar in text.unicodeScalars {
      if let previous, isBreak(previous), !(previous == "\r" && scalar == "\n") { lines.append([]) }
      lines[lines.count - 1].append(scalar)
      previous = scalar
    }
    if let previous, isBreak(previous) { lines.append([]) }
    return lines
  }

  private static func isBreak(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x0A, 0x0D, 0x85, 0x2028, 0x2029: true
    default: false
    }
  }
}
