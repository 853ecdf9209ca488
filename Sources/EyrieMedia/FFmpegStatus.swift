import CFFmpeg
import Foundation

/// FFmpeg's status codes, its process-wide settings, and the end of what it allocates.
enum FFmpeg {
  /// `AVERROR(code)`.
  static func error(_ code: Int32) -> Int32 { -code }

  /// FFmpeg's own words for a status. They never contain the input.
  static func message(_ status: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
      guard let text = buffer.baseAddress else { return "error \(status)" }
      text.initialize(repeating: 0, count: buffer.count)
      _ = av_strerror(status, text, buffer.count)
      return String(cString: text)
    }
  }

  /// Keeps FFmpeg from writing to standard error: its lines hold URLs with passwords, and every error
  /// that matters reaches the caller as a `MediaError` or a counted warning.
  static func silence() { _ = silenced }

  private static let silenced: Void = av_log_set_callback { object, level, format, _ in
    DemuxerErrors.note(object, level: level, format: format)
  }

  /// Frees a packet and lets go of its data.
  static func free(_ packet: UnsafeMutablePointer<AVPacket>) {
    var handle: UnsafeMutablePointer<AVPacket>? = packet
    av_packet_free(&handle)
  }

  /// Frees a picture and lets go of its pixels.
  static func free(_ picture: UnsafeMutablePointer<AVFrame>) {
    var handle: UnsafeMutablePointer<AVFrame>? = picture
    av_frame_free(&handle)
  }

  /// Pictures with more pixels are refused, so that a few hostile bytes cannot claim gigabytes.
  static let maxPixels: Int64 = 1 << 28
}

extension MediaError {
  /// The error for a failed FFmpeg call on `input`. The guard tells interruption and timeout apart.
  static func ffmpeg(_ status: Int32, _ action: String, input: String, guard io: IOGuard?) -> MediaError {
    if io?.isInterrupted == true { return .interrupted(input) }
    if io?.isExpired == true || status == FFmpeg.error(ETIMEDOUT) { return .timedOut(input, action) }
    switch status {
    case FFmpeg.error(ENOMEM):
      return MediaError(.outOfMemory, input, "out of memory while \(action)")
    case FFmpeg.error(EACCES), FFmpeg.error(EPERM):
      return MediaError(.permissionDenied, input, "permission denied; check who may read it")
    case FFmpeg.error(ENOENT):
      return MediaError(.missing, input, "no such file; check the path")
    case EYRIE_ERROR_INVALID_DATA, EYRIE_ERROR_EOF, FFmpeg.error(EINVAL):
      return MediaError(
        .notMedia, input, "not a media file that FFmpeg recognises; check what it really holds")
    case EYRIE_ERROR_DECODER_NOT_FOUND:
      return MediaError(.unsupportedCodec, input, "this FFmpeg has no decoder for it; convert it first")
    case EYRIE_ERROR_PROTOCOL_NOT_FOUND:
      return MediaError(.unsupportedURL, input, "this FFmpeg does not know the URL's scheme")
    case EYRIE_ERROR_HTTP_UNAUTHORIZED, EYRIE_ERROR_HTTP_FORBIDDEN:
      return MediaError(.unauthorized, input, "the server refuses the user name or password")
    case EYRIE_ERROR_HTTP_NOT_FOUND:
      return MediaError(.notFound, input, "the server has no such stream; check the path of the URL")
    case EYRIE_ERROR_HTTP_SERVER_ERROR:
      return MediaError(.serverError, input, "the server fails (HTTP 5xx); see its own log")
    case EYRIE_ERROR_HTTP_OTHER_4XX, EYRIE_ERROR_HTTP_BAD_REQUEST:
      return MediaError(.serverError, input, "the server refuses the request (HTTP 4xx); check the address")
    default:
      return network(status, action, input: input)
        ?? MediaError(.io, input, "\(FFmpeg.message(status)) while \(action)")
    }
  }

  /// The error for a status that only a network has.
  private static func network(_ status: Int32, _ action: String, input: String) -> MediaError? {
    switch -status {
    case ECONNREFUSED:
      MediaError(.refused, input, "connection refused; check the port and that the server runs")
    case EADDRINUSE:
      MediaError(.busy, input, "another program listens at this port; end that or take another port")
    case EADDRNOTAVAIL:
      MediaError(.unreachable, input, "this machine does not have that address; check it")
    case EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN:
      MediaError(.unreachable, input, "\(FFmpeg.message(status)); check the address and the network")
    case ECONNRESET, ECONNABORTED, EPIPE:
      .disconnected(input, action)
    case EPROTONOSUPPORT:
      MediaError(
        .transportRefused, input, "the server does not offer this transport; try another of tcp, udp and auto"
      )
    default: nil
    }
  }

  static func unknownScheme(_ scheme: String, input: String) -> MediaError {
    MediaError(.unsupportedURL, input, "unknown URL scheme \"\(scheme)\"; use rtsp, http, udp or a path")
  }

  static func malformedDevice(_ input: String) -> MediaError {
    MediaError(
      .unsupportedURL, input,
      "malformed camera; write v4l2:/dev/video0?size=1280x720&rate=30&format=mjpeg, or less of it")
  }

  static func malformedPattern(_ input: String) -> MediaError {
    MediaError(
      .unsupportedURL, input, "malformed test pattern; write testsrc:1280x720@30, from 16x16 to 8192x8192")
  }

  static func disconnected(_ input: String, _ action: String) -> MediaError {
    MediaError(.disconnected, input, "the connection broke while \(action)")
  }

  static func interrupted(_ input: String) -> MediaError {
    MediaError(.interrupted, input, "interrupted")
  }

  static func timedOut(_ input: String, _ action: String) -> MediaError {
    MediaError(.timedOut, input, "timed out while \(action); check that the source is alive")
  }

  static func stalled(_ input: String, after timeout: Duration?) -> MediaError {
    let seconds = timeout.map { " for \(String(format: "%g", $0 / .seconds(1))) s" } ?? ""
    return MediaError(.stalled, input, "nothing came\(seconds); check that the source is alive")
  }
}
