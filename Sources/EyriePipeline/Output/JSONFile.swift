import Foundation

/// JSON for people and programs: indented, sorted, snake_case.
enum JSONFile {
  /// - Throws: `EyrieFailure` when the value cannot be encoded.
  static func encode(_ value: some Encodable) throws(EyrieFailure) -> Data {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      return try encoder.encode(value) + Data("\n".utf8)
    } catch {
      throw EyrieFailure(.run, "cannot be written as JSON: \(error)")
    }
  }

  /// Writes a file whole or not at all.
  /// - Parameter option: the option that named the file, for the error.
  static func write(_ value: some Encodable, to path: String, option: String) throws(EyrieFailure) {
    try OutputFile.write(encode(value), to: path, option: option)
  }
}
