import CFFmpeg
import Foundation

/// What kind of container a file is by its content, where its name leads FFmpeg astray: a video called `.jpg`.
enum ContentProbe {
  private static let sampleBytes = 1 << 16
  /// FFmpeg decides by so many bytes if it can, and a name then outweighs them.
  private static let firstBytes = 2048
  /// FFmpeg takes such names at their word.
  private static let namedFormats = ["image2", "rawvideo"]
  /// A guess below this is none (`AVPROBE_SCORE_RETRY`).
  private static let leastScore: Int32 = 25

  /// FFmpeg's name of the container, or `nil` where the file's name does no harm.
  static func format(path: String) -> String? {
    guard let file = FileHandle(forReadingAtPath: path) else { return nil }
    defer { try? file.close() }
    guard let sample = try? file.read(upToCount: sampleBytes), !sample.isEmpty else { return nil }
    // FFmpeg reads a little past the end.
    let bytes = [UInt8](sample) + [UInt8](repeating: 0, count: Int(AVPROBE_PADDING_SIZE))
    guard let named = guess(bytes, min(sample.count, firstBytes), name: path),
      namedFormats.contains(named.format),
      let content = guess(bytes, sample.count, name: ""), content.score > leastScore,
      // Pictures one after the other: whoever calls them a picture means the first.
      !content.format.hasSuffix("_pipe"), content.format != "mjpeg", content.format != "tty"
    else { return nil }
    return content.format
  }

  private static func guess(_ bytes: [UInt8], _ count: Int, name: String) -> (format: String, score: Int32)? {
    var copy = bytes
    return copy.withUnsafeMutableBufferPointer { buffer in
      name.withCString { name in
        var data = AVProbeData(
          filename: name, buf: buffer.baseAddress, buf_size: Int32(clamping: count), mime_type: nil)
        var score: Int32 = 0
        guard let format = av_probe_input_format3(&data, 1, &score)?.pointee.name else { return nil }
        return (String(cString: format), score)
      }
    }
  }
}
