import Foundation

/// Clips made by FFmpeg for one test.
public enum Clip {
  /// A moving test pattern in H.264.
  /// - Parameters:
  ///   - frames: how many frames.
  ///   - rate: frames a second.
  ///   - size: such as `320x180`.
  public static func pattern(
    _ path: String, frames: Int, rate: Int = 25, size: String = "320x180", options: [String] = []
  ) async throws {
    try await make(
      [
        "-f", "lavfi", "-i", "testsrc2=size=\(size):rate=\(rate)", "-frames:v", "\(frames)", "-pix_fmt",
        "yuv420p",
        "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2",
      ] + options + [path])
  }

  /// A recording for `RTSPServer`: five minutes of a short pattern, a keyframe in each second.
  public static func recording(_ path: String, size: String = "160x96") async throws {
    let part = path + ".part.mp4"
    try await pattern(part, frames: 50, size: size, options: ["-bf", "0", "-g", "25"])
    try await make(["-stream_loop", "149", "-i", part, "-c", "copy", path])
  }

  /// One black picture of any size, even an odd one.
  public static func blackPicture(_ path: String, width: Int, height: Int) async throws {
    let header = Array("P6 \(width) \(height) 255\n".utf8)
    try Data(header + [UInt8](repeating: 0, count: width * height * 3)).write(to: URL(fileURLWithPath: path))
  }

  /// Runs FFmpeg.
  public static func make(_ arguments: [String]) async throws {
    let result = try await Tool.ffmpeg.run(["-v", "error", "-y"] + arguments)
    guard result.code == 0 else { throw ClipError(description: "ffmpeg: \(result.errors)") }
  }
}

/// FFmpeg could not make a clip.
public struct ClipError: Error, CustomStringConvertible {
  /// What FFmpeg said.
  public let description: String
}
