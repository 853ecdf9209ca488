/// Why a command failed, as one line for a person: what failed, on which input, why and what to do.
public struct EyrieFailure: Error, Sendable, CustomStringConvertible {
  /// Whose fault it is; decides the exit code.
  public enum Kind: Int32, Sendable {
    /// The work itself failed. Exit code 1.
    case run = 1
    /// The command, a setting or a file named in it is wrong. Exit code 2.
    case usage = 2
    /// A stop came before the work was done. Exit code 130 after SIGINT, 143 after SIGTERM.
    case stopped = 130
  }

  /// Whose fault it is.
  public let kind: Kind
  /// One line, without credentials.
  public let description: String

  /// - Parameters:
  ///   - kind: decides the exit code.
  ///   - description: one line; line breaks become spaces.
  public init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description.split(whereSeparator: \.isNewline).joined(separator: " ")
  }
}
