/// Why an input could not be opened, read, decoded, scaled or encoded.
///
/// `description` is one line: the input (redacted), the reason, and what to do about it.
public struct MediaError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kinds of failure that callers may want to tell apart. The raw values are their names in events.
  public enum Reason: String, Sendable, Equatable {
    /// No file of that name.
    case missing
    /// The name is a directory.
    case directory
    /// The file has no bytes.
    case empty
    /// Another program uses the camera, or listens at the port.
    case busy
    /// The operating system refuses to open the file.
    case permissionDenied = "permission_denied"
    /// The content is no media that FFmpeg recognises.
    case notMedia = "not_media"
    /// The recording lacks its index (an MP4 without `moov`).
    case cutOff = "cut_off"
    /// There are streams, none of them a video.
    case noVideo = "no_video"
    /// FFmpeg has no decoder for the codec, or it refuses this variant.
    case unsupportedCodec = "unsupported_codec"
    /// The pixels come in a layout that cannot be converted.
    case unsupportedPixelFormat = "unsupported_pixel_format"
    /// A URL that FFmpeg cannot open at all: unknown scheme or malformed.
    case unsupportedURL = "unsupported_url"
    /// There is a video stream, yet no picture could be decoded from it.
    case undecodable
    /// The server wants other credentials.
    case unauthorized
    /// The server answers, but has no such stream.
    case notFound = "not_found"
    /// The server answers that it cannot serve now.
    case serverError = "server_error"
    /// Nobody listens at that port.
    case refused
    /// The host cannot be reached, or its name is unknown.
    case unreachable
    /// The server does not offer the transport that was asked for.
    case transportRefused = "transport_refused"
    /// The other side closed the connection, or it broke.
    case disconnected
    /// The connection stands, and nothing came for the whole read timeout.
    case stalled
    /// A live source ended its stream.
    case ended
    /// Reading failed below the container.
    case io
    /// `MediaInterrupt.fire()` was called.
    case interrupted
    /// Opening took longer than the open timeout.
    case timedOut = "timed_out"
    /// The input cannot be read a second time (a pipe, a live stream).
    case notRewindable = "not_rewindable"
    /// Sizes or rectangles that make no sense, or a buffer too small for them.
    case invalidGeometry = "invalid_geometry"
    /// Memory ran out.
    case outOfMemory = "out_of_memory"
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
