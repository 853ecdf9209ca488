import CFFmpeg

/// Which stream of a container is the video that its author meant.
struct StreamChoice {
  let streams: [UnsafeMutablePointer<AVStream>]

  init(_ context: UnsafeMutablePointer<AVFormatContext>) {
    guard let list = context.pointee.streams else {
      streams = []
      return
    }
    streams = (0..<Int(context.pointee.nb_streams)).compactMap { list[$0] }
  }

  var isEmpty: Bool { streams.isEmpty }

  /// The default video that can be decoded; without a default the first. Never a cover or a thumbnail.
  var best: UnsafeMutablePointer<AVStream>? {
    var best: (stream: UnsafeMutablePointer<AVStream>, score: Int)?
    for stream in videos where hasDecoder(stream) {
      var score = 0
      if stream.pointee.disposition & AV_DISPOSITION_DEFAULT != 0 { score += 2 }
      if stream.pointee.codecpar.pointee.width > 0 { score += 1 }
      if score > best?.score ?? -1 { best = (stream, score) }
    }
    return best?.stream
  }

  /// Whether it is a video that can be decoded, and no cover.
  func isDecodable(_ stream: UnsafeMutablePointer<AVStream>) -> Bool {
    videos.contains(stream) && hasDecoder(stream)
  }

  /// Why there is no `best`.
  func error(input: String) -> MediaError {
    if let video = videos.first {
      return .unsupportedCodec(video.pointee.codecpar.pointee, input: input)
    }
    let what: String
    if streams.contains(where: isStillAttachment) {
      what = "only cover art, which is not a video"
    } else if has(AVMEDIA_TYPE_AUDIO) {
      what = "audio only"
    } else if has(AVMEDIA_TYPE_SUBTITLE) {
      what = "subtitles only"
    } else {
      what = "data only"
    }
    return MediaError(.noVideo, input, "no video stream (\(what)); name a file with a video in it")
  }

  private var videos: [UnsafeMutablePointer<AVStream>] {
    streams.filter {
      $0.pointee.codecpar.pointee.codec_type == AVMEDIA_TYPE_VIDEO && !isStillAttachment($0)
    }
  }

  private func isStillAttachment(_ stream: UnsafeMutablePointer<AVStream>) -> Bool {
    stream.pointee.disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS) != 0
  }

  private func has(_ type: AVMediaType) -> Bool {
    streams.contains { $0.pointee.codecpar.pointee.codec_type == type }
  }

  private func hasDecoder(_ stream: UnsafeMutablePointer<AVStream>) -> Bool {
    avcodec_find_decoder(stream.pointee.codecpar.pointee.codec_id) != nil
  }
}

extension MediaError {
  static func unsupportedCodec(_ parameters: AVCodecParameters, input: String) -> MediaError {
    MediaError(
      .unsupportedCodec, input,
      "unsupported video codec \(codecName(parameters)); convert it to H.264 first, or use an FFmpeg that has it"
    )
  }

  /// FFmpeg's name, or the four characters that the container uses.
  private static func codecName(_ parameters: AVCodecParameters) -> String {
    if parameters.codec_id != AV_CODEC_ID_NONE {
      return String(cString: avcodec_get_name(parameters.codec_id))
    }
    let tag = parameters.codec_tag
    let letters = [tag, tag >> 8, tag >> 16, tag >> 24].map { UInt8(truncatingIfNeeded: $0) }
    let isText = letters.allSatisfy { (0x20..<0x7f).contains($0) }
    return isText ? "\"\(String(decoding: letters, as: UTF8.self))\"" : "0x" + String(tag, radix: 16)
  }
}
