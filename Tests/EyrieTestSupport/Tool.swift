import Foundation

/// Runs programs as a person would, and keeps what they said.
public struct Tool: Sendable {
  /// What a program left behind.
  public struct Result: Sendable {
    /// The exit code; 128 + the signal that ended it.
    public let code: Int32
    /// All of stdout.
    public let output: String
    /// All of stderr.
    public let errors: String

    /// The lines of stderr.
    public var errorLines: [String] { errors.split(separator: "\n").map(String.init) }
  }

  /// A program that still runs.
  public final class Running: Sendable {
    private let process: Process
    private let output: Task<Data, Never>
    private let errors: Task<Data, Never>

    fileprivate init(_ process: Process, output: Task<Data, Never>, errors: Task<Data, Never>) {
      self.process = process
      self.output = output
      self.errors = errors
    }

    /// What the system knows it by.
    public var processIdentifier: Int32 { process.processIdentifier }

    /// Whether it has not ended yet.
    public var isRunning: Bool { process.isRunning }

    /// Sends it a signal.
    public func send(signal: Int32) { kill(process.processIdentifier, signal) }

    /// Waits for its end.
    public func result() async -> Result {
      let output = await output.value
      let errors = await errors.value
      while process.isRunning { await Task.yield() }
      let code = process.terminationStatus + (process.terminationReason == .uncaughtSignal ? 128 : 0)
      return Result(
        code: code, output: String(decoding: output, as: UTF8.self),
        errors: String(decoding: errors, as: UTF8.self))
    }
  }

  private let executable: URL

  /// Where the program is.
  public var path: String { executable.path }

  /// A program by its path.
  public init(path: String) {
    executable = URL(fileURLWithPath: path)
  }

  /// The `eyrie` binary that was built with the tests.
  public static let eyrie = Tool(path: buildDirectory.appendingPathComponent("eyrie").path)

  /// Counts allocations, in a process of its own.
  public static let measure = Tool(path: buildDirectory.appendingPathComponent("eyrie-measure").path)

  /// FFmpeg's command line, for making clips; set-up installs it.
  public static let ffmpeg = Tool(path: "/usr/bin/ffmpeg")
  /// FFmpeg's prober, an independent counter of frames.
  public static let ffprobe = Tool(path: "/usr/bin/ffprobe")

  private static let buildDirectory: URL = {
    // .build/<triple>/<configuration>/eyriePackageTests.xctest
    var argument = CommandLine.arguments.first ?? ""
    if let bundle = CommandLine.arguments.first(where: { $0.hasSuffix(".xctest") }) { argument = bundle }
    return URL(fileURLWithPath: argument).deletingLastPathComponent()
  }()

  /// Starts the program.
  public func start(_ arguments: [String], in directory: String? = nil) throws -> Running {
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments
    if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
    process.standardInput = FileHandle.nullDevice
    let output = Pipe()
    let errors = Pipe()
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    return Running(process, output: Self.reader(output), errors: Self.reader(errors))
  }

  /// Runs the program to its end.
  public func run(_ arguments: [String], in directory: String? = nil) async throws -> Result {
    await (try start(arguments, in: directory)).result()
  }

  /// Reads a pipe to its end on a thread of its own, so that neither the program nor the pool ever waits.
  private static func reader(_ pipe: Pipe) -> Task<Data, Never> {
    Task {
      await withCheckedContinuation { continuation in
        Thread.detachNewThread {
          continuation.resume(returning: pipe.fileHandleForReading.readDataToEndOfFile())
        }
      }
    }
  }
}
