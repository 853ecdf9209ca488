import Foundation
import Testing

@testable import EyrieMedia

/// The shared corpus, which lies beside the package and is not part of it.
enum Shared {
  static let directory: URL = {
    if let path = ProcessInfo.processInfo.environment["EYRIE_SHARED"] { return URL(fileURLWithPath: path) }
    return URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("shared")
  }()

  static let corpus = directory.appendingPathComponent("corpus")

  static var isPresent: Bool {
    FileManager.default.fileExists(atPath: corpus.appendingPathComponent("cases.tsv").path)
  }
}

/// Runs `ffmpeg` or `ffprobe`, which the set-up installs for the tests.
enum Tool {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Standard output of a run that must succeed.
  @discardableResult
  static func run(_ name: String, _ arguments: [String]) throws -> Data {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [name] + arguments
    let output = Pipe()
    let errors = try FileHandle(forWritingTo: URL(fileURLWithPath: "/dev/null"))
    process.standardOutput = output
    process.standardError = errors
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(
        description: "\(name) \(arguments.joined(separator: " ")): exit \(process.terminationStatus)")
    }
    return data
  }

  /// `ffmpeg -y ARGUMENTS`.
  static func ffmpeg(_ arguments: String...) throws {
    try run("ffmpeg", ["-v", "error", "-nostdin", "-y"] + arguments)
  }

  /// Packed RGB of all frames, scaled by FFmpeg's own filter.
  static func rgb(
    _ path: String, options: [String] = [], filter: String, format: String = "rgb24"
  ) throws -> [UInt8] {
    let input = ["-v", "error", "-nostdin"] + options + ["-i", path]
    let filters = ["-vsync", "passthrough", "-vf", filter + ",format=" + format]
    return [UInt8](try run("ffmpeg", input + filters + ["-f", "rawvideo", "-"]))
  }

  /// Frames of the first video, counted by decoding.
  static func countFrames(_ path: String) throws -> Int? {
    let text = try run(
      "ffprobe",
      [
        "-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries", "stream=nb_read_frames",
        "-of", "csv=p=0", path,
      ])
    return String(decoding: text, as: UTF8.self).split(whereSeparator: \.isWhitespace).first
      .flatMap { Int($0.split(separator: ",")[0]) }
  }
}

/// A directory that lives as long as this object.
final class Scratch {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("eyrie-media-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appendingPathComponent(name).path }
}

extension VideoReader {
  /// Reads to the end.
  func allFrames() throws -> [VideoFrame] {
    var frames: [VideoFrame] = []
    while let frame = try nextFrame() { frames.append(frame) }
    return frames
  }
}

extension FrameScaler {
  /// The frame as packed RGB at a size, its own by default.
  func rgb(_ frame: VideoFrame, width: Int? = nil, height: Int? = nil) throws -> [UInt8] {
    let target = ScaleTarget(width: width ?? frame.width, height: height ?? frame.height)
    var pixels = [UInt8](repeating: 0, count: target.byteCount)
    try pixels.withUnsafeMutableBytes { try scale(frame, into: $0, target: target) }
    return pixels
  }
}

/// Mean of the absolute differences of two pictures of one size.
func meanDifference(_ a: [UInt8], _ b: [UInt8]) -> Double {
  guard a.count == b.count, !a.isEmpty else { return .infinity }
  var sum = 0
  for index in a.indices { sum += abs(Int(a[index]) - Int(b[index])) }
  return Double(sum) / Double(a.count)
}

func mediaError(_ body: () throws -> Void) -> MediaError? {
  do { try body() } catch { return error as? MediaError }
  return nil
}

/// A transport stream of four seconds, and the same with packets lost here and there in its second half.
func lossyTransportStream(
  _ scratch: Scratch, codec: String = "libx264"
) throws -> (clean: String, damaged: String) {
  let clean = scratch.path("clean.ts")
  try Tool.ffmpeg(
    "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=4", "-c:v", codec, "-g", "10", "-bf", "2",
    "-b:v", "1M", clean)
  var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: clean)))
  let packets = bytes.count / 188
  for packet in stride(from: packets / 2, to: packets * 4 / 10, by: -20) {
    bytes.removeSubrange((packet * 188)..<((packet + 5) * 188))
  }
  let damaged = scratch.path("damaged.ts")
  try Data(bytes).write(to: URL(fileURLWithPath: damaged))
  return (clean, damaged)
}
