import EyrieMedia

/// A source of a pipeline file: a camera, a stream or a file, and how it is read.
struct SourceDefinition: Sendable {
  /// How a source that was lost is tried again: exponential backoff with full jitter.
  struct Reconnect: Sendable {
    /// In seconds; nil for the default.
    let minDelay: Double?
    /// In seconds; nil for the default.
    let maxDelay: Double?
    /// 0 for no limit; nil for the default.
    let maxAttempts: Int?
  }

  var name: String
  let position: SourcePosition
  let input: WrittenText
  let username: WrittenText?
  let password: WrittenText?
  let transport: RTSPTransport?
  let lowLatency: Bool?
  let decoderThreads: Int?
  let hardware: HardwareDecoding?
  let every: Int?
  let maxFPS: Double?
  let maxFrames: Int?
  var loop: Bool?
  var pacing: RunOptions.Pacing?
  /// In seconds, as are the two after it.
  let openTimeout: Double?
  let readTimeout: Double?
  let frozenAfter: Double?
  let damagedFrames: DamagedFrames?
  let reconnect: Reconnect?
  /// The keys that the file gives.
  let given: [ObjectReader.Given]

  /// Whether frames come at their own pace.
  var isLive: Bool { MediaInput(input.value).isLive }
}

extension SourceDefinition {
  fileprivate enum Key {
    static let input = Field.text("input", "A path, a numbered sequence of images or an address.").required
    static let username = Field.text(
      "username", "The user name of the camera, as it is: not percent-encoded.")
    static let password = Field.secret(
      "password", "The password of the camera, as it is: not percent-encoded. Best ${VARIABLE}.")
    static let transport = Field<RTSPTransport>.choice(
      "transport", "How RTSP carries its packets. Default: tcp.")
    static let decoderThreads = Field.integer(
      "decoder_threads", RunOptions.decoderThreadRange,
      "Threads of the decoder. Default: chosen by size and cores.")
    static let lowLatency = Field.boolean("low_latency", "Whether buffers are kept as short as they can be.")
    static let hardware = Field<HardwareDecoding>.choice("hardware", "Where decoding is done. Default: none.")
    static let every = Field.integer("every", 1...10_000, "Detect on each Nth frame only. Default: 1.")
    static let maxFPS = Field.number("max_fps", 0.01...1000, "The most frames a second that are passed on.")
    static let maxFrames = Field.integer("max_frames", 1...Int(Int32.max), "Stop after this many frames.")
    static let loop = Field.boolean("loop", "Whether a file starts again at its end. Default: false.")
    static let pacing = Field<RunOptions.Pacing>.choice(
      "pacing", "A file as fast as it goes (max), or at the pace of its timestamps (realtime). Default: max.")
    static let openTimeout = Field.duration("open_timeout", 0.1...3600, "How long opening may take.")
    static let readTimeout = Field.duration(
      "read_timeout", 0.1...3600, "How long nothing may come before the source counts as lost.")
    static let frozenAfter = Field.duration(
      "frozen_after", 0.1...86_400, "After how long without any change a picture is reported as frozen.")
    static let damagedFrames = Field<DamagedFrames>.choice(
      "damaged_frames",
      "Frames damaged by loss are used, and their events say so, or dropped until the next keyframe. Default: flag."
    )
    static let minDelay = Field.duration("min_delay", 0.01...3600, "The delay before the first attempt.")
    static let maxDelay = Field.duration(
      "max_delay", 0.01...86_400, "The longest delay between two attempts.")
    static let maxAttempts = Field.integer(
      "max_attempts", 0...1_000_000,
      "How many attempts are made before the source is given up; 0 for no limit.")
    static let reconnectTable = FieldTable([minDelay, maxDelay, maxAttempts])
    static let reconnect = Field<Reconnect>.object(
      "reconnect", reconnectTable, "How a source that was lost is tried again."
    ) { Reconnect($0) }
  }

  static let table = FieldTable([
    Key.input, Key.username, Key.password, Key.transport, Key.lowLatency, Key.decoderThreads, Key.hardware,
    Key.every, Key.maxFPS,
    Key.maxFrames, Key.loop, Key.pacing, Key.openTimeout, Key.readTimeout, Key.frozenAfter, Key.damagedFrames,
    Key.reconnect,
  ])

  /// - Returns: nil when there is no input to work with. Whatever is wrong has been reported.
  init?(name: String, position: SourcePosition, _ object: ObjectReader) {
    self.name = name
    self.position = position
    // All are read before one of them makes it give up, so that each is checked.
    let input = object(Key.input)
    username = object(Key.username)
    password = object(Key.password)
    transport = object(Key.transport)
    lowLatency = object(Key.lowLatency)
    decoderThreads = object(Key.decoderThreads)
    hardware = object(Key.hardware)
    every = object(Key.every)
    maxFPS = object(Key.maxFPS)
    maxFrames = object(Key.maxFrames)
    loop = object(Key.loop)
    pacing = object(Key.pacing)
    openTimeout = object(Key.openTimeout)
    readTimeout = object(Key.readTimeout)
    frozenAfter = object(Key.frozenAfter)
    damagedFrames = object(Key.damagedFrames)
    reconnect = object(Key.reconnect)
    given = object.given
    guard let input else { return nil }
    self.input = input
    checkCredentials(object)
  }

  private func checkCredentials(_ object: ObjectReader) {
    guard username != nil || password != nil else { return }
    do throws(MediaError) {
      try MediaInput(input.value).check(reading)
    } catch {
      let key = username == nil ? Key.password.name : Key.username.name
      // The explanation holds nothing of what the file or the environment says.
      object.mistakes.add(
        object.position(of: key), YAMLTree.path(object.key, key),
        "does not go with the input: \(error.explanation)")
    }
  }

  /// How it is read.
  var reading: VideoReader.Options {
    var options = VideoReader.Options()
    options.rtspTransport = transport ?? options.rtspTransport
    options.openTimeout = openTimeout.map { .seconds($0) } ?? options.openTimeout
    options.readTimeout = readTimeout.map { .seconds($0) }
    options.username = username?.value
    options.password = password?.value
    options.lowLatency = lowLatency ?? options.lowLatency
    options.decoderThreads = decoderThreads ?? options.decoderThreads
    options.hardware = hardware ?? options.hardware
    options.every = every ?? options.every
    options.maxFPS = maxFPS
    options.damagedFrames = damagedFrames ?? options.damagedFrames
    return options
  }

  /// A source of which the file says no more than the input.
  init(name: String, position: SourcePosition, input: WrittenText) {
    self.name = name
    self.position = position
    self.input = input
    username = nil
    password = nil
    transport = nil
    lowLatency = nil
    decoderThreads = nil
    hardware = nil
    every = nil
    maxFPS = nil
    maxFrames = nil
    loop = nil
    pacing = nil
    openTimeout = nil
    readTimeout = nil
    frozenAfter = nil
    damagedFrames = nil
    reconnect = nil
    given = []
  }
}

extension SourceDefinition.Reconnect {
  fileprivate init(_ object: ObjectReader) {
    minDelay = object(SourceDefinition.Key.minDelay)
    maxDelay = object(SourceDefinition.Key.maxDelay)
    maxAttempts = object(SourceDefinition.Key.maxAttempts)
    if let minDelay, let maxDelay, minDelay > maxDelay {
      object.mistakes.add(
        object.position(of: "max_delay"), YAMLTree.path(object.key, "max_delay"),
        "is shorter than min_delay, expected at least \(ValueForm.shown(minDelay))s")
    }
  }
}
