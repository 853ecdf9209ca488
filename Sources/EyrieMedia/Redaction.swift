import Foundation

/// Takes credentials out of whatever may reach a log, an error, an event or a metric.
enum Redaction {
  private static let mask = "***"

  /// A URL without user information and without the values of parameters that look secret.
  ///
  /// Everything up to the *last* `@` counts as user information: passwords hold unencoded `@`, `/`,
  /// `?` and `#` in practice, and hiding a host name is the lesser evil.
  static func url(_ text: String) -> String {
    var rest = text[...]
    var result = ""
    if let scheme = text.range(of: "^[A-Za-z][A-Za-z0-9+.-]*:(//|(?=[^@]*:))", options: .regularExpression) {
      result = String(text[scheme])
      rest = text[scheme.upperBound...]
    }
    if let at = rest.lastIndex(of: "@") {
      result += mask + "@"
      rest = rest[rest.index(after: at)...]
    }
    return singleLine(result + secretValues(String(rest)))
  }

  /// Masks `name=value` where the name looks like a credential. Cameras also put such pairs into the
  /// path (`/user=admin_password=x_channel=1`), so the whole text is searched.
  static func secretValues(_ text: String) -> String {
    let names =
      "[a-z0-9_.\\-%]*(?:pass|pwd|passwd|token|secret|key|auth|sig|signature|credential|session|sid|jwt|"
      + "usr|user|login|account|code(?!c))[a-z0-9.\\-%]*"
    let value = "(?:(?!_[a-z]+=)[^&;/?#\\s])*"
    return text.replacingOccurrences(
      of: "(\(names))=\(value)", with: "$1=\(mask)", options: [.regularExpression, .caseInsensitive])
  }

  /// The text with characters that would break a line or reorder it written as escapes.
  static func singleLine(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isUnsafe) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      if isUnsafe(scalar) {
        result += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7f..<0xa0, 0x2028, 0x2029, 0x202a...0x202e, 0x2066...0x2069: true
    default: false
    }
  }
}
