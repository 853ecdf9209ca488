import CFFmpeg

/// Bytes that FFmpeg reads from this process.
protocol ByteSource: AnyObject {
  /// The byte stream to give to FFmpeg. Valid as long as the object.
  var io: UnsafeMutablePointer<AVIOContext> { get }
  /// Whether the first bytes may take as long as it takes for someone to write them.
  var mayWaitForWriter: Bool { get }
}
