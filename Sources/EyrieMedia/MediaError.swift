/// Why an input could not be opened, read, decoded, scaled or encoded.
///
/// `description` is one line: the input (redacted), the reason, and what to do about it.
public struct MediaError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kinds of failure that callers may want to tell apart.
  public enum Reason: Sendable, Equatable {
    /// No file of that name.
    case missing
    /// The name is a directory.
    case directory
    /// The file has no bytes.
    case empty
    /// The operating system refuses to open the file.
    case permissionDenied
    /// The content is no media that FFmpeg recognises.
    case notMedia
    /// The recording lacks its index (an MP4 without `moov`).
    case cutOff
    /// There are streams, none of them a video.
    case noVideo
    /// FFmpeg has no decoder for the codec, or it refuses this variant.
    case unsupportedCodec
    /// The pixels come in a layout that cannot be converted.
    case unsupportedPixelFormat
    /// A URL that FFmpeg cannot open at all: unknown scheme or malformed.
    case unsupportedURL
    /// There is a video stream, yet no picture could be decoded from it.
    case undecodable
    /// The server wants other credentials.
    case unauthorized
    /// Reading failed below the container: disk or network.
    case io
    /// `MediaInterrupt.fire()` was called.
    case interrupted
    /// A deadline passed.
    case timedOut
    /// The input cannot be read a second time (a pipe, a live stream).
    case notRewindable
    /// Sizes or rectangles that make no sense, or a buffer too small for them.
    case invalidGeometry
    /// Memory ran out.
    case outOfMemory
    /// A picture could not be encoded.
    case encoding
  }

  /// The kind of failure.
  public let reason: Reason
  /// The redacted input, or what was worked on.
  public let input: String
  /// Why, and what to do, in words.
  public let explanation: String

  /// `INPUT: explanation`, always a single line.
  public var description: String { "\(input): \(explanation)" }

  init(_ reason: Reason, _ input: String, _ explanation: String) {
    self.reason = reason
    self.input = input
    self.explanation = Redaction.singleLine(explanation)
  }
}
