import Foundation

/// A pattern of numbered pictures such as `frames/img_%03d.png`: one number in the last component.
struct ImageSequence {
  private let directory: String
  private let prefix: String
  private let suffix: String
  private let digits: Int

  /// `nil` if the last path component has not exactly one `%d` or `%0Nd`.
  init?(pattern: String) {
    let slash = pattern.lastIndex(of: "/")
    directory = slash.map { String(pattern[...$0]) } ?? ""
    let name = slash.map { String(pattern[pattern.index(after: $0)...]) } ?? pattern
    guard let match = name.range(of: "%(0[0-9]{1,2})?d", options: .regularExpression) else { return nil }
    let rest = name[match.upperBound...]
    guard rest.range(of: "%(0[0-9]{1,2})?d", options: .regularExpression) == nil else { return nil }
    prefix = String(name[..<match.lowerBound])
    suffix = String(rest)
    digits = Int(name[match].dropFirst().dropLast()) ?? 0
  }

  /// The pattern as FFmpeg's image reader takes it: only the number is a format, every other `%` is text.
  var formatPattern: String {
    func literal(_ text: String) -> String { text.replacingOccurrences(of: "%", with: "%%") }
    let number = digits > 0 ? "%0\(digits)d" : "%d"
    return literal(directory) + literal(prefix) + number + literal(suffix)
  }

  /// The lowest number for which a picture exists, or `nil` if there is none.
  func firstNumber() -> Int32? {
    let folder = directory.isEmpty ? "." : directory
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else { return nil }
    return names.lazy.compactMap(number).min()
  }

  private func number(of name: String) -> Int32? {
    guard name.count > prefix.count + suffix.count, name.hasPrefix(prefix), name.hasSuffix(suffix) else {
      return nil
    }
    let middle = name.dropFirst(prefix.count).dropLast(suffix.count)
    guard middle.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int32(middle),
      // `%03d` never writes "7" or "0007".
      middle.count == max(digits, String(value).count)
    else { return nil }
    return value
  }
}
