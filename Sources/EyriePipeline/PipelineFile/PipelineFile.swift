import EyrieMedia
import Foundation

/// A pipeline file that was read and checked.
public struct PipelineFile: Sendable {
  /// Far more than a thousand cameras need.
  static let mostBytes = 1 << 20

  /// The file as the user named it.
  public let path: String
  let definition: PipelineDefinition

  /// Reads and checks a pipeline file. Nothing that it names is opened.
  /// - Parameters:
  ///   - path: a YAML file; `-` for standard input.
  ///   - environment: what `${VARIABLE}` is taken from.
  /// - Throws: every mistake that was found, each with its place.
  public static func load(
    _ path: String, environment: [String: String]
  ) throws(PipelineFileError) -> PipelineFile {
    let mistakes = MistakeCollector(file: path == "-" ? "stdin" : MediaInput(path).description)
    guard let bytes = read(path, mistakes) else {
      throw PipelineFileError(mistakes: mistakes.mistakes.sorted())
    }
    let definition = try parse(bytes, environment: environment, mistakes: mistakes)
    return PipelineFile(path: mistakes.file, definition: definition)
  }

  /// The same for a command that needs the file: the first mistake in one line.
  /// - Throws: `EyrieFailure` of kind usage.
  public static func open(
    _ path: String, environment: [String: String]
  ) throws(EyrieFailure) -> PipelineFile {
    do throws(PipelineFileError) {
      return try load(path, environment: environment)
    } catch {
      throw EyrieFailure(.usage, error.description)
    }
  }

  /// Whether an argument is the name of a pipeline file and not of a video.
  public static func isNamed(by argument: String) -> Bool {
    [".yaml", ".yml"].contains { argument.lowercased().hasSuffix($0) } && !argument.contains("://")
  }

  /// One line for a person: how many of what.
  public var summary: String {
    func count(_ number: Int, _ word: String) -> String { "\(number) \(word)\(number == 1 ? "" : "s")" }
    return "\(path): valid: "
      + [
        count(definition.sources.count, "source"), count(definition.stages.count, "stage"),
        count(definition.sinks.count, "sink"),
      ].joined(separator: ", ")
  }

  static func parse(
    _ bytes: [UInt8], environment: [String: String], mistakes: MistakeCollector
  ) throws(PipelineFileError) -> PipelineDefinition {
    var definition = PipelineDefinition()
    if let text = text(bytes, mistakes),
      let root = YAMLTree.parse(text, environment: environment, mistakes: mistakes)
    {
      definition = PipelineDecoder(mistakes: mistakes).decode(root)
    }
    try mistakes.check()
    return definition
  }

  // MARK: - Bytes

  private static func read(_ path: String, _ mistakes: MistakeCollector) -> [UInt8]? {
    var isDirectory: ObjCBool = false
    if path != "-", FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory),
      isDirectory.boolValue
    {
      mistakes.add(.start, "", "is a directory, expected a pipeline file")
      return nil
    }
    // A pipe without a writer is no reason to hang.
    let descriptor =
      path == "-" ? dup(STDIN_FILENO) : Foundation.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      mistakes.add(.start, "", "cannot be read: \(String(cString: strerror(errno)))")
      return nil
    }
    let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    do {
      var data = Data()
      while data.count <= mostBytes, let part = try file.read(upToCount: mostBytes + 1 - data.count),
        !part.isEmpty
      {
        data += part
      }
      guard data.count <= mostBytes else {
        mistakes.add(.start, "", "is larger than \(mostBytes) bytes, expected a pipeline file")
        return nil
      }
      return [UInt8](data)
    } catch {
      mistakes.add(.start, "", "cannot be read")
      return nil
    }
  }

  private static func text(_ bytes: [UInt8], _ mistakes: MistakeCollector) -> String? {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      mistakes.add(firstInvalid(bytes), "", "is not UTF-8 here, expected text in UTF-8")
      return nil
    }
    // A byte order mark is no part of the text.
    return text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
  }

  private static func firstInvalid(_ bytes: [UInt8]) -> SourcePosition {
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    var line = 1
    var column = 1
    while case .scalarValue(let scalar) = decoder.decode(&iterator) {
      column += 1
      if scalar == "\n" { (line, column) = (line + 1, 1) }
    }
    return SourcePosition(line: line, column: column)
  }
}
