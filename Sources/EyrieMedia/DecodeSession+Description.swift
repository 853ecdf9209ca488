import CFFmpeg

extension DecodeSession {
  /// What the header says, or with a frame what that shows.
  func description(of frame: VideoFrame?) -> MediaDescription {
    let parameters = demuxer.stream.pointee.codecpar.pointee
    let geometry = frame?.geometry ?? demuxer.geometry(of: nil)
    let format = AVPixelFormat(frame?.picture.pointee.format ?? parameters.format)
    func known(_ size: Int) -> Int? { size > 0 ? size : nil }
    return MediaDescription(
      input: demuxer.input, format: demuxer.formatName,
      video: MediaDescription.Video(
        streamIndex: Int(demuxer.stream.pointee.index),
        codec: codec,
        pixelFormat: av_get_pix_fmt_name(format).map { String(cString: $0) },
        codedWidth: known(geometry.codedWidth), codedHeight: known(geometry.codedHeight),
        width: known(geometry.width), height: known(geometry.height),
        rotation: geometry.orientation.degreesClockwise, mirrored: geometry.orientation.isMirrored,
        sampleAspectRatio: geometry.aspectText, frameRate: frameRate,
        durationSeconds: demuxer.duration,
        hasTimestamps: demuxer.hasTimestamps))
  }
}
