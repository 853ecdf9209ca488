extension MediaError {
  /// Whether it helps to open the input again.
  public enum Recovery: Sendable, Equatable {
    /// It will fail in the same way: the address, the codec or this machine is at fault.
    case never
    /// Only with long pauses: servers lock out whoever keeps trying wrong credentials.
    case slowly
    /// The source may be back at any moment.
    case soon
  }

  /// Whether it helps to open a live input again after this error.
  public var recovery: Recovery {
    switch reason {
    case .unauthorized: .slowly
    case .missing, .notFound, .refused, .unreachable, .transportRefused, .disconnected, .stalled, .ended, .io,
      .busy, .serverError, .timedOut, .notMedia, .cutOff, .undecodable, .empty:
      .soon
    case .directory, .permissionDenied, .noVideo, .unsupportedCodec, .unsupportedPixelFormat, .unsupportedURL,
      .interrupted, .notRewindable, .invalidGeometry, .outOfMemory, .encoding:
      .never
    }
  }

  /// The end of a stream that should not end.
  public static func ended(_ input: MediaInput) -> MediaError { .ended(input.description) }

  static func ended(_ input: String, _ when: String = "") -> MediaError {
    MediaError(.ended, input, "the server ended the stream\(when)")
  }
}
