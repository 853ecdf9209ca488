import CFFmpeg

/// Tells from a packet's bytes whether it holds exactly one picture to which no other refers.
///
/// Known for H.264 (`nal_ref_idc` 0), for HEVC (a sub-layer non-reference picture of the highest temporal
/// sub-layer; ITU-T H.265, 7.4.2.2) and for Motion JPEG, where no picture refers to another. Whatever is in
/// doubt is not disposable: fields coded as pictures of their own, two pictures in a packet, parameter sets
/// beside the picture.
struct PacketContent {
  private enum Codec { case h264, hevc, jpeg }

  private let codec: Codec
  private let units: CodedUnits
  /// What the parameter sets so far say: H.264 has fields, or a set cannot be read.
  private var isFrameOnly: Bool?
  /// What the latest HEVC set says.
  private var subLayers: Int?

  /// `nil` for a codec that this knows nothing of.
  init?(_ parameters: AVCodecParameters) {
    let extradata = UnsafeBufferPointer(
      start: UnsafePointer(parameters.extradata), count: Int(max(0, parameters.extradata_size)))
    var lengths: Int?
    switch parameters.codec_id {
    case AV_CODEC_ID_H264:
      codec = .h264
      if extradata.count > 6, extradata[0] == 1 { lengths = Int(extradata[4] & 3) + 1 }
    case AV_CODEC_ID_HEVC:
      codec = .hevc
      // As FFmpeg's decoder tells the two apart.
      if extradata.count > 22, extradata[0] != 0 || extradata[1] != 0 || extradata[2] > 1 {
        lengths = Int(extradata[21] & 3) + 1
      }
    case AV_CODEC_ID_MJPEG: codec = .jpeg
    default: return nil
    }
    units = CodedUnits(framing: lengths.map { .lengths($0) } ?? .startCodes)
    if codec != .jpeg { noteParameterSets(extradata, isRecord: lengths != nil) }
  }

  /// Whether nothing but this one picture is lost if the packet is left out.
  mutating func isDisposable(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    switch codec {
    case .jpeg:
      bytes.count > 4 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[bytes.count - 2] == 0xff
        && bytes[bytes.count - 1] == 0xd9
    case .h264: holdsOneH264(bytes)
    case .hevc: holdsOneHEVC(bytes)
    }
  }

  private mutating func holdsOneH264(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    var pictures = 0
    var isSafe = true
    let isFramed = units.forEach(in: bytes) { unit in
      switch unit[0] & 0x1f {
      case 1:
        // A slice; first_mb_in_slice, the first field of its header, is 0 if its first bit is 1.
        isSafe = unit[0] & 0x60 == 0 && unit.count > 1
        if isSafe, unit[1] & 0x80 != 0 { pictures += 1 }
      case 7:
        note(h264: unit)
        isSafe = false
      case 6, 9, 12: break
      default: isSafe = false
      }
      return isSafe
    }
    return isFramed && isSafe && pictures == 1 && isFrameOnly == true
  }

  private mutating func holdsOneHEVC(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    var pictures = 0
    var isSafe = true
    let isFramed = units.forEach(in: bytes) { unit in
      guard unit.count > 2, unit[0] & 1 == 0, unit[1] >> 3 == 0 else {
        isSafe = false
        return false
      }
      switch unit[0] >> 1 {
      // TRAIL_N, TSA_N, STSA_N. Leading pictures (RADL, RASL) depend on where the decoder began.
      case 0, 2, 4:
        isSafe = Int(unit[1] & 7) == subLayers
        if unit[2] & 0x80 != 0 { pictures += 1 }
      case 33:
        note(hevc: unit)
        isSafe = false
      case 35, 38, 39, 40: break
      default: isSafe = false
      }
      return isSafe
    }
    return isFramed && isSafe && pictures == 1
  }

  /// Takes the sequence parameter sets out of extradata, a record (`avcC`, `hvcC`) or units.
  private mutating func noteParameterSets(_ extradata: UnsafeBufferPointer<UInt8>, isRecord: Bool) {
    guard isRecord else {
      let codec = codec
      _ = units.forEach(in: extradata) { unit in
        if codec == .h264, unit[0] & 0x1f == 7 { note(h264: unit) }
        if codec == .hevc, unit[0] >> 1 == 33 { note(hevc: unit) }
        return true
      }
      return
    }
    if codec == .hevc {
      // numTemporalLayers; 0 is unknown.
      let layers = Int(extradata[21] >> 3 & 7)
      if layers > 0 { subLayers = layers }
      return
    }
    var offset = 6
    for _ in 0..<(extradata[5] & 0x1f) {
      guard offset + 2 <= extradata.count else { return isFrameOnly = false }
      let length = Int(extradata[offset]) << 8 | Int(extradata[offset + 1])
      offset += 2
      guard length > 0, offset + length <= extradata.count else { return isFrameOnly = false }
      note(h264: UnsafeBufferPointer(rebasing: extradata[offset..<offset + length]))
      offset += length
    }
  }

  private mutating func note(hevc unit: UnsafeBufferPointer<UInt8>) {
    subLayers = unit.count > 2 ? Int(unit[2] >> 1 & 7) + 1 : nil
  }

  private mutating func note(h264 unit: UnsafeBufferPointer<UInt8>) {
    isFrameOnly = isFrameOnly != false && Self.isFrameOnly(unit)
  }

  /// `frame_mbs_only_flag` of an H.264 sequence parameter set (ITU-T H.264, 7.3.2.1.1).
  private static func isFrameOnly(_ unit: UnsafeBufferPointer<UInt8>) -> Bool {
    var bits = UnitBits(unit)
    guard bits.bits(8) != nil, let profile = bits.bits(8), bits.bits(16) != nil, bits.unsigned() != nil else {
      return false
    }
    if [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135].contains(profile) {
      guard let chroma = bits.unsigned() else { return false }
      if chroma == 3, bits.bits(1) == nil { return false }
      guard bits.unsigned() != nil, bits.unsigned() != nil, bits.bits(1) != nil, let scaled = bits.bits(1)
      else { return false }
      // Scaling lists: of no use here, and the way past them is long.
      if scaled == 1 { return false }
    }
    guard bits.unsigned() != nil, let orderType = bits.unsigned() else { return false }
    if orderType == 0 {
      guard bits.unsigned() != nil else { return false }
    } else if orderType == 1 {
      guard bits.bits(1) != nil, bits.signed() != nil, bits.signed() != nil, let count = bits.unsigned(),
        count < 256
      else { return false }
      for _ in 0..<count where bits.signed() == nil { return false }
    }
    guard bits.unsigned() != nil, bits.bits(1) != nil, bits.unsigned() != nil, bits.unsigned() != nil else {
      return false
    }
    return bits.bits(1) == 1
  }
}
