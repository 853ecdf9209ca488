import EyrieInference
import Foundation

/// Where a run is to write. Checked before anything is opened, so that a wrong or dangerous place is refused
/// while nothing is lost yet.
struct OutputPaths: Sendable {
  /// What a path leads to, whatever it is called.
  private enum Place: Hashable {
    case file(device: UInt64, number: UInt64)
    case nothingYet(path: String)
  }

  private let named: [(option: String, path: String)]

  init(_ plan: RunPlan) {
    let sinks = plan.sinks.compactMap { sink -> (String, String)? in
      switch sink.target {
      case .zeromq: nil
      case .jsonl(let path), .annotate(let path): (sink.origin, path)
      }
    }
    named = (plan.summary.map { [("--summary", $0)] } ?? []) + sinks
  }

  /// Refuses places that cannot work, and those where the run would destroy its own inputs or outputs.
  /// - Throws: `EyrieFailure` of kind usage.
  func check(inputs: [String]) throws(EyrieFailure) {
    var taken: [Place: String] = [:]
    for input in inputs {
      if let place = Self.place(of: Self.localPath(of: input)) { taken[place] = "the input" }
    }
    for (option, path) in named {
      try Self.checkDirectory(of: path, option: option)
      guard let place = Self.place(of: path) else { continue }
      if let other = taken[place] {
        throw EyrieFailure(.usage, "\(option) \(path): this is \(other) too; name another file")
      }
      taken[place] = option
      try Self.checkStandardOutput(place, option: option, path: path)
    }
  }

  /// Refuses to write over the model.
  /// - Throws: `EyrieFailure` of kind usage.
  func check(model: ModelDescription) throws(EyrieFailure) {
    let directory = URL(fileURLWithPath: model.path).deletingLastPathComponent()
    let weights = URL(fileURLWithPath: model.path).deletingPathExtension().appendingPathExtension("bin")
    let paths =
      [model.path, weights.path] + model.files.map { directory.appendingPathComponent($0.path).path }
    let places = Set(paths.compactMap(Self.place))
    for (option, path) in named {
      if let place = Self.place(of: path), places.contains(place) {
        throw EyrieFailure(.usage, "\(option) \(path): this is a file of the model; name another file")
      }
    }
  }

  /// Whether a result goes to stdout, where nothing else should then be printed.
  var includesStandardOutput: Bool {
    var output = stat()
    guard fstat(STDOUT_FILENO, &output) == 0 else { return false }
    // Writing to /dev/null disturbs nobody.
    if output.st_mode & S_IFMT == S_IFCHR, isatty(STDOUT_FILENO) == 0 { return false }
    return named.contains { _, path in
      var status = stat()
      return stat(path, &status) == 0 && status.st_dev == output.st_dev && status.st_ino == output.st_ino
    }
  }

  private static func checkDirectory(of path: String, option: String) throws(EyrieFailure) {
    if path.isEmpty || path.utf8.contains(0) { throw EyrieFailure(.usage, "\(option) is empty: name a file") }
    var isDirectory: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue {
      throw EyrieFailure(.usage, "\(option) \(path): is a directory; name a file")
    }
    let parent = URL(fileURLWithPath: path).deletingLastPathComponent().path
    guard FileManager.default.fileExists(atPath: parent, isDirectory: &isDirectory), isDirectory.boolValue
    else {
      throw EyrieFailure(.usage, "\(option) \(path): the directory \(parent) does not exist")
    }
  }

  /// Opening stdout by its name empties the file that it was redirected to.
  private static func checkStandardOutput(_ place: Place, option: String, path: String) throws(EyrieFailure) {
    var output = stat()
    guard fstat(STDOUT_FILENO, &output) == 0, output.st_size > 0,
      place == .file(device: UInt64(output.st_dev), number: UInt64(output.st_ino))
    else { return }
    throw EyrieFailure(
      .usage,
      "\(option) \(path): stdout goes to a file with something in it, which would be lost; name a file")
  }

  /// - Returns: nil for devices and pipes, which keep nothing that could be destroyed.
  private static func place(of path: String) -> Place? {
    var status = stat()
    guard stat(path, &status) == 0 else {
      let url = URL(fileURLWithPath: path)
      let parent = url.deletingLastPathComponent().path
      return .nothingYet(path: (OutputFile.realPath(parent) ?? parent) + "/" + url.lastPathComponent)
    }
    guard status.st_mode & S_IFMT == S_IFREG else { return nil }
    return .file(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
  }

  /// The path of an input that is a file; any other input is no path that exists.
  private static func localPath(of input: String) -> String {
    guard !FileManager.default.fileExists(atPath: input), let url = URL(string: input), url.isFileURL else {
      return input
    }
    return url.path
  }
}
