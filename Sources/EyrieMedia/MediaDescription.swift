/// What an input is, and after decoding what it held. Its JSON is the output of `eyrie probe`:
/// snake_case keys, `null` for what is unknown.
public struct MediaDescription: Codable, Sendable, Equatable {
  /// The chosen video stream.
  public struct Video: Sendable, Equatable {
    /// Index of the stream in its container.
    public var streamIndex: Int
    /// FFmpeg's name of the codec, such as `h264`.
    public var codec: String
    /// FFmpeg's name of the pixel format, such as `yuv420p`.
    public var pixelFormat: String?
    /// Size in pixels as stored.
    public var codedWidth: Int?
    /// Size in pixels as stored.
    public var codedHeight: Int?
    /// Size in pixels as displayed: square pixels (the stored width is scaled), upright.
    public var width: Int?
    /// Size in pixels as displayed.
    public var height: Int?
    /// Degrees clockwise (0, 90, 180, 270) that the stored picture must be turned to be upright.
    public var rotation: Int
    /// Whether the stored picture must be mirrored left to right, before it is turned.
    public var mirrored: Bool
    /// Width to height of a stored pixel, such as `16:11`; `1:1` where nothing is stated.
    public var sampleAspectRatio: String
    /// Mean frames a second.
    public var frameRate: Double?
    /// Length in seconds, as the container states it.
    public var durationSeconds: Double?
    /// Whether the container carries timestamps. Without, times are made from the frame rate.
    public var hasTimestamps: Bool
  }

  /// What decoding the whole input showed.
  public struct Content: Sendable, Equatable {
    /// A run of frames of one displayed size.
    public struct SizeRun: Codable, Sendable, Equatable {
      /// Width in pixels as displayed.
      public var width: Int
      /// Height in pixels as displayed.
      public var height: Int
      /// How many frames in a row.
      public var frames: Int
    }

    /// Number of frames.
    public var frames: Int
    /// The stream's own time of the first frame, in seconds.
    public var firstSeconds: Double?
    /// The stream's own time of the last frame, in seconds, unwrapped but as stored: where the input is
    /// spliced it may lie before the first.
    public var lastSeconds: Double?
    /// Displayed sizes in the order in which they occur.
    public var sizes: [SizeRun]
    /// What was wrong.
    public var warnings: [MediaWarning]
  }

  /// The input, redacted.
  public var input: String
  /// FFmpeg's name of the container, such as `matroska,webm`.
  public var format: String
  /// The chosen video stream.
  public var video: Video
  /// Present after decoding.
  public var content: Content?

  private enum CodingKeys: String, CodingKey {
    case input, format, video, frames, sizes, warnings
    case firstSeconds = "first_pts_s"
    case lastSeconds = "last_pts_s"
  }

  init(input: String, format: String, video: Video) {
    self.input = input
    self.format = format
    self.video = video
  }

  /// Reads the JSON that `encode(to:)` writes.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    input = try values.decode(String.self, forKey: .input)
    format = try values.decode(String.self, forKey: .format)
    video = try values.decode(Video.self, forKey: .video)
    guard let frames = try values.decodeIfPresent(Int.self, forKey: .frames) else { return }
    content = Content(
      frames: frames,
      firstSeconds: try values.decodeIfPresent(Double.self, forKey: .firstSeconds),
      lastSeconds: try values.decodeIfPresent(Double.self, forKey: .lastSeconds),
      sizes: try values.decode([Content.SizeRun].self, forKey: .sizes),
      warnings: try values.decode([MediaWarning].self, forKey: .warnings))
  }

  /// Writes `content` beside the other keys, not below one of its own.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(input, forKey: .input)
    try values.encode(format, forKey: .format)
    try values.encode(video, forKey: .video)
    guard let content else { return }
    try values.encode(content.frames, forKey: .frames)
    try values.encode(content.firstSeconds, forKey: .firstSeconds)
    try values.encode(content.lastSeconds, forKey: .lastSeconds)
    try values.encode(content.sizes, forKey: .sizes)
    try values.encode(content.warnings, forKey: .warnings)
  }
}

extension MediaDescription.Video: Codable {
  private enum CodingKeys: String, CodingKey {
    case codec, width, height, rotation, mirrored
    case streamIndex = "stream_index"
    case pixelFormat = "pixel_format"
    case codedWidth = "coded_width"
    case codedHeight = "coded_height"
    case sampleAspectRatio = "sample_aspect_ratio"
    case frameRate = "frame_rate"
    case durationSeconds = "duration_s"
    case hasTimestamps = "has_timestamps"
  }

  /// Writes `null` for unknown values, where synthesised code would leave the key out.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(streamIndex, forKey: .streamIndex)
    try values.encode(codec, forKey: .codec)
    try values.encode(pixelFormat, forKey: .pixelFormat)
    try values.encode(codedWidth, forKey: .codedWidth)
    try values.encode(codedHeight, forKey: .codedHeight)
    try values.encode(width, forKey: .width)
    try values.encode(height, forKey: .height)
    try values.encode(rotation, forKey: .rotation)
    try values.encode(mirrored, forKey: .mirrored)
    try values.encode(sampleAspectRatio, forKey: .sampleAspectRatio)
    try values.encode(frameRate, forKey: .frameRate)
    try values.encode(durationSeconds, forKey: .durationSeconds)
    try values.encode(hasTimestamps, forKey: .hasTimestamps)
  }
}
