import CFFmpeg
import Foundation

/// Opens a container, finds its streams and chooses the video. Either everything succeeds or nothing
/// stays open.
struct Opener {
  struct Opened {
    let context: UnsafeMutablePointer<AVFormatContext>
    let stream: UnsafeMutablePointer<AVStream>
    let bytes: (any ByteSource)?
    let isRewindable: Bool
  }

  let input: String
  let ioGuard: IOGuard
  let options: VideoReader.Options

  /// What FFmpeg is told to open, and how.
  private struct Request {
    var url: String
    var format: String?
    var bytes: (any ByteSource)?
    var isDevice = false
    var file: LocalFile?
    var options: [String: String] = [:]
    var isRewindable = false
    var isRemote: Bool { file == nil && format == nil }
    /// Where a file is entered, in bytes.
    var offset: Int64 = 0
    /// How far the search for streams may look, in bytes and in seconds of the stream.
    var probeBytes: Int64?
    var probeSeconds: Int64?

    /// Looks at no more than it takes to find the streams, and does not wait for datagrams that are late.
    ///
    /// Not FFmpeg's `nobuffer`: that throws away what was read while looking, usually the keyframe with which
    /// a server begins, and pictures come only with the next.
    mutating func makeLowLatency(_ scheme: String) {
      options["analyzeduration"] = "1"
      options["max_delay"] = "0"
      if scheme.hasPrefix("rtsp") || scheme == "rtp" { options["reorder_queue_size"] = "0" }
    }
  }

  /// - Parameter offset: Where to enter a file, in bytes from its start.
  func open(_ locator: MediaInput.Locator, at offset: Int64 = 0) throws(MediaError) -> Opened {
    var request = try request(for: locator)
    request.offset = offset
    // A pipe may wait for its writer for as long as it takes; the interrupt ends that.
    if request.bytes?.mayWaitForWriter != true { ioGuard.arm(options.openTimeout) }
    do {
      return try open(request)
    } catch let error where error.reason == .noVideo && request.isRewindable {
      // The video of a broadcast or a live recording may start long after the sound.
      var patient = request
      patient.probeBytes = 128 << 20
      patient.probeSeconds = 600
      guard let late = try? open(patient) else {
        throw ioGuard.isInterrupted ? .interrupted(input) : error
      }
      return late
    }
  }

  private func request(for locator: MediaInput.Locator) throws(MediaError) -> Request {
    if case .url = locator {} else if !options.credentials.isEmpty { throw Credentials.useless(input) }
    switch locator {
    case .file(let path):
      let file = try LocalFile(path: path, input: input)
      // A local file (a playlist, say) must not make FFmpeg open network connections, and its name is a
      // name, not a pattern.
      var request = Request(
        url: "file:\(path)", file: file,
        options: ["protocol_whitelist": "file,crypto,data", "pattern_type": "none"])
      if file.kind == .regular { request.format = ContentProbe.format(path: path) }
      if file.kind == .stream {
        request.bytes = try PipeSource(path: path, input: input, guard: ioGuard)
      }
      request.isRewindable = file.kind == .regular
      return request
    case .imageSequence(let pattern):
      guard let sequence = ImageSequence(pattern: pattern), let first = sequence.firstNumber() else {
        throw MediaError(.missing, input, "no picture matches this pattern; check the path and the digits")
      }
      return Request(
        url: "file:\(sequence.formatPattern)", format: "image2",
        options: [
          "protocol_whitelist": "file", "pattern_type": "sequence", "start_number": String(first),
        ],
        isRewindable: true)
    case .url(let url):
      let scheme = url.prefix { $0 != ":" }.lowercased()
      var request = Request(
        url: try options.credentials.address(url, input: input),
        isRewindable: scheme == "http" || scheme == "https")
      if scheme.hasPrefix("rtsp") {
        request.options.merge(options.rtspTransport.options(options.openTimeout)) { $1 }
      }
      if options.lowLatency, MediaInput(url).isLive { request.makeLowLatency(scheme) }
      return request
    case .device(let name):
      guard let device = VideoDevice(name) else { throw .malformedDevice(input) }
      try device.check(input: input)
      return Request(
        url: device.path, format: String(cString: try VideoDevice.format(input: input).pointee.name),
        isDevice: true, options: device.options)
    case .testPattern(let name):
      guard let pattern = TestPattern(name) else { throw .malformedPattern(input) }
      return Request(
        url: "", format: "yuv4mpegpipe",
        bytes: try TestPatternSource(pattern, input: input, guard: ioGuard), isRewindable: true)
    case .unknownScheme(let scheme):
      throw .unknownScheme(scheme, input: input)
    }
  }

  private func open(_ request: Request) throws(MediaError) -> Opened {
    guard let allocated = avformat_alloc_context() else {
      throw MediaError(.outOfMemory, input, "out of memory while opening")
    }
    var context: UnsafeMutablePointer<AVFormatContext>? = allocated
    allocated.pointee.interrupt_callback = ioGuard.callback
    // FFmpeg would watch 20 frames to learn their rate: a second, in which a live source's frames grow old.
    if request.isRemote || request.isDevice, !request.isRewindable { allocated.pointee.fps_probe_size = 0 }
    allocated.pointee.skip_initial_bytes = request.offset
    if let bytes = request.probeBytes { allocated.pointee.probesize = bytes }
    if let seconds = request.probeSeconds {
      allocated.pointee.max_analyze_duration = seconds * Int64(AV_TIME_BASE)
    }
    // A camera's driver would wait for the next picture where no interrupt reaches it.
    if request.isDevice { allocated.pointee.flags |= AVFMT_FLAG_NONBLOCK }
    if let bytes = request.bytes {
      allocated.pointee.pb = bytes.io
      allocated.pointee.flags |= AVFMT_FLAG_CUSTOM_IO
    }
    var options: OpaquePointer?
    defer { av_dict_free(&options) }
    for (key, value) in request.options { av_dict_set(&options, key, value, 0) }
    let format = request.format.flatMap { av_find_input_format($0) }
    let status = avformat_open_input(&context, request.url, format, &options)
    // On failure FFmpeg has freed the context.
    guard status >= 0, let context else {
      if request.isDevice, !ioGuard.mustStop { throw VideoDevice.error(-status, input: input) }
      // The file itself can be read: that was tried. What it refers to is refused.
      if request.file != nil, status == FFmpeg.error(EPERM) || status == FFmpeg.error(EACCES) {
        throw MediaError(
          .notMedia, input,
          "a playlist that leads to the network or out of its directory; name the media itself")
      }
      if request.isRemote, !ioGuard.mustStop {
        // FFmpeg says no more of a name that cannot be resolved, or of a server that hangs up.
        if status == FFmpeg.error(EIO) {
          throw MediaError(
            .unreachable, input,
            "cannot be reached or closed the connection; check the address and the network")
        }
        if status == EYRIE_ERROR_EOF { throw .disconnected(input, "opening") }
      }
      let error = MediaError.ffmpeg(status, "opening", input: input, guard: ioGuard)
      throw error.reason == .notMedia ? request.file?.diagnose(input: input) ?? error : error
    }
    do {
      return Opened(
        context: context, stream: try findVideo(in: context), bytes: request.bytes,
        isRewindable: request.isRewindable)
    } catch {
      var closing: UnsafeMutablePointer<AVFormatContext>? = context
      avformat_close_input(&closing)
      // A file that opens but has no streams at all may be cut off.
      throw error.reason == .notMedia ? request.file?.diagnose(input: input) ?? error : error
    }
  }

  /// Gives the pictures of a camera that sends JPEG after JPEG over HTTP the time of their arrival: they carry
  /// none, and FFmpeg would assume 25 a second.
  private func stampByArrival(_ context: UnsafeMutablePointer<AVFormatContext>) {
    context.pointee.use_wallclock_as_timestamps = 1
    // FFmpeg's unit for these is a 25th of a second.
    for stream in StreamChoice(context).streams { stream.pointee.time_base = AVRational(num: 1, den: 90_000) }
  }

  private func findVideo(
    in context: UnsafeMutablePointer<AVFormatContext>
  ) throws(MediaError) -> UnsafeMutablePointer<AVStream> {
    let format = context.pointee.iformat.map { String(cString: $0.pointee.name) } ?? ""
    // FFmpeg renders text files as pictures of a terminal. Nobody means that.
    if ["tty", "bin", "xbin", "adf", "idf"].contains(format) {
      throw .ffmpeg(EYRIE_ERROR_INVALID_DATA, "opening", input: input, guard: nil)
    }
    if format == Demuxer.jpegPush { stampByArrival(context) }
    let status = findStreamInfo(context)
    if ioGuard.mustStop {
      throw .ffmpeg(EYRIE_ERROR_EXIT, "looking for streams", input: input, guard: ioGuard)
    }
    let choice = StreamChoice(context)
    guard let stream = choice.best else {
      if choice.isEmpty {
        let cause = status < 0 ? status : EYRIE_ERROR_INVALID_DATA
        throw .ffmpeg(cause, "looking for streams", input: input, guard: ioGuard)
      }
      throw choice.error(input: input)
    }
    // In a transport stream the video may go on in another stream.
    for other in choice.streams where other != stream && !(format == "mpegts" && choice.isDecodable(other)) {
      other.pointee.discard = AVDISCARD_ALL
    }
    return stream
  }

  /// Reads ahead until the streams are known; limits the pictures decoded on the way.
  private func findStreamInfo(_ context: UnsafeMutablePointer<AVFormatContext>) -> Int32 {
    let count = Int(context.pointee.nb_streams)
    var options = [OpaquePointer?](repeating: nil, count: count)
    for index in 0..<count {
      av_dict_set(&options[index], "max_pixels", String(FFmpeg.maxPixels), 0)
    }
    let status = options.withUnsafeMutableBufferPointer {
      avformat_find_stream_info(context, count > 0 ? $0.baseAddress : nil)
    }
    for index in 0..<count { av_dict_free(&options[index]) }
    return status
  }
}
