import EyrieGraph
import Foundation

/// Runs a program to its end, and watches how much memory it takes.
struct ChildProcess: Sendable {
  /// What a program left behind.
  struct Result: Sendable {
    /// The exit code; 128 + the signal that ended it.
    let code: Int32
    /// The end of its stdout.
    let output: String
    /// The end of its stderr.
    let errors: String
    /// The most that it ever held, in MiB; 0 where that cannot be seen.
    let peakMb: Double
    /// What it held when it had been running for half of its life, in the median, in MiB.
    let steadyMb: Double

    /// The last line of a stream, for a message of one line.
    static func lastLine(_ text: String) -> String {
      let line = text.split(whereSeparator: \.isNewline).last { !$0.allSatisfy(\.isWhitespace) } ?? ""
      return String(line.trimmingCharacters(in: .whitespaces).prefix(300))
    }
  }

  /// So much of what a program says is read: a result is at the end, and it may have said anything before.
  private static let mostBytes: UInt64 = 1 << 20

  /// A path, or a name that is looked for as a shell would.
  let program: String
  var arguments: [String] = []
  /// What is set beside the environment of this process.
  var environment: [String: String] = [:]
  /// After so long it is killed.
  var limit = Duration.seconds(600)

  /// Runs it.
  /// - Parameter stop: kills it.
  /// - Throws: `EyrieFailure`: of kind usage if there is no such program, else that it took too long or was stopped.
  func run(stop: StopSignal) async throws(EyrieFailure) -> Result {
    guard let path = Self.find(program) else {
      throw EyrieFailure(.usage, "\(program): there is no such program")
    }
    // Files and not pipes: what the program starts may outlive it and keep a pipe open.
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let process = Process()
    let ended = StopSignal()
    let (output, errors) = (folder.file("output"), folder.file("errors"))
    do {
      for file in [output, errors] { try Data().write(to: file) }
      process.executableURL = URL(fileURLWithPath: path)
      process.arguments = arguments
      process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = try FileHandle(forWritingTo: output)
      process.standardError = try FileHandle(forWritingTo: errors)
      process.terminationHandler = { _ in ended.request() }
      try process.run()
    } catch {
      throw EyrieFailure(.usage, "\(program): cannot be started: \(error.localizedDescription)")
    }
    let memory = await watch(process.processIdentifier, until: ended, stop: stop)
    if stop.isRequested { throw EyrieFailure.nothingMeasured }
    guard let memory else {
      throw EyrieFailure(.run, "\(program): not ended after \(limit): killed")
    }
    let second = memory.suffix((memory.count + 1) / 2).map(\.totalMb)
    return Result(
      code: process.terminationStatus + (process.terminationReason == .uncaughtSignal ? 128 : 0),
      output: Self.end(of: output), errors: Self.end(of: errors),
      peakMb: memory.map(\.peakMb).max() ?? 0, steadyMb: Spread(second).median)
  }

  /// - Returns: samples of its memory; nil if it had to be killed.
  private func watch(_ identifier: Int32, until ended: StopSignal, stop: StopSignal) async
    -> [ResidentMemory]?
  {
    let deadline = ContinuousClock.now + limit
    var samples: [ResidentMemory] = []
    var isKilled = false
    var isLoaded = false
    while !ended.isRequested {
      if !isKilled, stop.isRequested || ContinuousClock.now > deadline {
        isKilled = true
        // What it started goes with it, where it has a group of its own.
        if getpgid(identifier) == identifier { kill(-identifier, SIGKILL) }
        // It may have been started with SIGTERM ignored, and has nothing to save.
        kill(identifier, SIGKILL)
      }
      isLoaded = isLoaded || Self.isLoaded(identifier)
      if isLoaded, let memory = ResidentMemory.of(process: identifier) {
        samples.append(memory)
      }
      await ended.wait(until: .now + .milliseconds(100))
    }
    return isKilled ? nil : samples
  }

  /// Whether a child is the program by now. Before that it is a copy of this process, and so is what it holds.
  private static func isLoaded(_ identifier: Int32) -> Bool {
    func commandLine(_ name: String) -> Data? {
      try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(name)/cmdline"))
    }
    return commandLine("\(identifier)") != commandLine("self")
  }

  /// The path of a program: itself, if it has a slash.
  static func find(_ program: String) -> String? {
    let manager = FileManager.default
    func isProgram(_ path: String) -> Bool {
      var isDirectory: ObjCBool = false
      return manager.fileExists(atPath: path, isDirectory: &isDirectory) && !isDirectory.boolValue
        && manager.isExecutableFile(atPath: path)
    }
    if program.contains("/") { return isProgram(program) ? program : nil }
    let folders = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":") ?? []
    return folders.lazy.map { "\($0)/\(program)" }.first(where: isProgram)
  }

  private static func end(of file: URL) -> String {
    guard let handle = try? FileHandle(forReadingFrom: file), let size = try? handle.seekToEnd() else {
      return ""
    }
    try? handle.seek(toOffset: size > mostBytes ? size - mostBytes : 0)
    return String(decoding: (try? handle.readToEnd()) ?? Data(), as: UTF8.self)
  }
}
