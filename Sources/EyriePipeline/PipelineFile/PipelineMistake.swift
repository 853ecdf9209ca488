/// A place in a text. Lines and columns count from 1; columns count Unicode scalars.
struct SourcePosition: Sendable, Hashable, Comparable {
  let line: Int
  let column: Int

  static let start = SourcePosition(line: 1, column: 1)

  static func < (left: SourcePosition, right: SourcePosition) -> Bool {
    (left.line, left.column) < (right.line, right.column)
  }
}

/// One mistake in a pipeline file: where it is, what is wrong, what was expected. It never holds the value of an
/// environment variable, nor credentials of an address.
public struct PipelineMistake: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The file as the user named it.
  public let file: String
  /// The line, from 1.
  public let line: Int
  /// The column in Unicode scalars, from 1.
  public let column: Int
  /// The path of the key, such as `sources.cam1.every`; empty for the file as a whole.
  public let key: String
  /// What is wrong and what was expected.
  public let message: String
  /// The known name that was probably meant.
  public let suggestion: String?

  init(file: String, at position: SourcePosition, key: String, message: String, suggestion: String? = nil) {
    self.file = file
    line = position.line
    column = position.column
    self.key = key
    self.message = message
    self.suggestion = suggestion
  }

  /// `file:line:column: key: what is wrong; did you mean 'x'?`, on one line.
  public var description: String {
    let place = "\(file):\(line):\(column): " + (key.isEmpty ? "" : "\(key): ")
    return place + message + (suggestion.map { "; did you mean '\($0)'?" } ?? "")
  }

  /// In the order of the file.
  public static func < (left: PipelineMistake, right: PipelineMistake) -> Bool {
    (left.line, left.column, left.key, left.message) < (right.line, right.column, right.key, right.message)
  }
}

/// Every mistake that was found in a pipeline file; at least one.
public struct PipelineFileError: Error, Sendable, CustomStringConvertible {
  /// In the order of the file.
  public let mistakes: [PipelineMistake]

  /// The first mistake, and how many more there are.
  public var description: String {
    let first = mistakes.first?.description ?? "the pipeline file is wrong"
    guard mistakes.count > 1, let file = mistakes.first?.file else { return first }
    return "\(first) (and \(mistakes.count - 1) more: see 'eyrie validate \(file)')"
  }
}

/// Collects the mistakes of one file.
final class MistakeCollector {
  /// Nobody reads more, and what lies behind the first thousand is likely their consequence.
  static let most = 1000

  let file: String
  private(set) var mistakes: Set<PipelineMistake> = []

  init(file: String) {
    self.file = file
  }

  func add(_ position: SourcePosition, _ key: String, _ message: String, suggestion: String? = nil) {
    guard mistakes.count < Self.most else { return }
    mistakes.insert(
      PipelineMistake(file: file, at: position, key: key, message: message, suggestion: suggestion))
  }

  /// - Parameter names: what is known; the one nearest to `word` is suggested.
  func add(
    _ position: SourcePosition, _ key: String, _ message: String, nearestTo word: String,
    among names: [String]
  ) {
    guard mistakes.count < Self.most else { return }
    add(position, key, message, suggestion: Self.nearest(word, among: names))
  }

  /// The known name that was probably meant.
  static func nearest(_ word: String, among names: [String]) -> String? {
    // A thousand mistakes in a file with thousands of names would take minutes.
    names.count <= 256 ? NearestName.of(word, among: names) : nil
  }

  /// - Throws: what was collected, if anything was.
  func check() throws(PipelineFileError) {
    if !mistakes.isEmpty { throw PipelineFileError(mistakes: mistakes.sorted()) }
  }
}
