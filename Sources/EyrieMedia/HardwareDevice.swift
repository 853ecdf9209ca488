import CFFmpeg
import Synchronization

/// A device that decodes pictures, and the way of its pictures into main memory.
///
/// `@unchecked Sendable` because FFmpeg may ask for the format from a thread of its decoder: what that reads is
/// immutable or atomic, and all else is used by the decoder's owner alone.
final class HardwareDevice: @unchecked Sendable {
  /// A device and the decoder that can use it, or why there is none.
  enum Opening {
    case opened(HardwareDevice, UnsafePointer<AVCodec>)
    case failed(String)
  }

  typealias Opener = @Sendable (_ type: String, _ codec: AVCodecID) -> Opening

  /// Such as `vaapi`.
  let name: String
  /// What the decoder calls pictures that lie on the device.
  let format: AVPixelFormat
  /// `nil` only in tests, which have no device.
  private var reference: UnsafeMutablePointer<AVBufferRef>?
  private let download: (UnsafeMutablePointer<AVFrame>) -> Int32
  private let refused = Atomic(false)

  init(
    name: String, format: AVPixelFormat, reference: UnsafeMutablePointer<AVBufferRef>?,
    download: @escaping (UnsafeMutablePointer<AVFrame>) -> Int32 = HardwareDevice.transfer
  ) {
    self.name = name
    self.format = format
    self.reference = reference
    self.download = download
  }

  deinit { av_buffer_unref(&reference) }

  /// Whether the decoder found that the device cannot decode this stream, and went on in software.
  var isRefused: Bool { refused.load(ordering: .acquiring) }

  /// Makes a decoder that is not open yet use this device, which must outlive it.
  func attach(to context: UnsafeMutablePointer<AVCodecContext>) {
    if let reference { context.pointee.hw_device_ctx = av_buffer_ref(reference) }
    context.pointee.opaque = Unmanaged.passUnretained(self).toOpaque()
    // Called for each new kind of stream, and again without the device's format if the device failed to take it.
    context.pointee.get_format = { context, formats in
      guard let context, let formats, let opaque = context.pointee.opaque else { return AV_PIX_FMT_NONE }
      let device = Unmanaged<HardwareDevice>.fromOpaque(opaque).takeUnretainedValue()
      var place = 0
      while formats[place] != AV_PIX_FMT_NONE {
        if formats[place] == device.format { return device.format }
        place += 1
      }
      device.refused.store(true, ordering: .releasing)
      return avcodec_default_get_format(context, formats)
    }
  }

  /// Brings a picture into main memory, if it is not there already.
  /// - Returns: FFmpeg's status; on failure the frame is as it was.
  func bring(_ frame: UnsafeMutablePointer<AVFrame>) -> Int32 {
    frame.pointee.format == format.rawValue ? download(frame) : 0
  }

  static func transfer(_ frame: UnsafeMutablePointer<AVFrame>) -> Int32 {
    guard let copy = av_frame_alloc() else { return FFmpeg.error(ENOMEM) }
    var handle: UnsafeMutablePointer<AVFrame>? = copy
    defer { av_frame_free(&handle) }
    var status = av_hwframe_transfer_data(copy, frame, 0)
    if status >= 0 { status = av_frame_copy_props(copy, frame) }
    guard status >= 0 else { return status }
    av_frame_unref(frame)
    av_frame_move_ref(frame, copy)
    return 0
  }

  /// Opens this machine's first device of a type, for a codec.
  static let open: Opener = { type, codec in
    let kind = av_hwdevice_find_type_by_name(type)
    guard isBuiltIn(kind) else { return .failed("\(type): this FFmpeg is built without it") }
    guard let (decoder, format) = decoder(of: codec, using: kind) else {
      return .failed("\(type): FFmpeg has no \(String(cString: avcodec_get_name(codec))) decoder for it")
    }
    var reference: UnsafeMutablePointer<AVBufferRef>?
    let status = av_hwdevice_ctx_create(&reference, kind, nil, nil, 0)
    guard status >= 0, let reference else {
      return .failed("\(type): no device could be opened (\(FFmpeg.message(status)))")
    }
    return .opened(HardwareDevice(name: type, format: format, reference: reference), decoder)
  }

  private static func isBuiltIn(_ kind: AVHWDeviceType) -> Bool {
    guard kind != AV_HWDEVICE_TYPE_NONE else { return false }
    var type = AV_HWDEVICE_TYPE_NONE
    repeat { type = av_hwdevice_iterate_types(type) } while type != AV_HWDEVICE_TYPE_NONE && type != kind
    return type == kind
  }

  /// A decoder that uses devices of this kind. It need not be FFmpeg's first choice: for AV1 that is a library
  /// which knows no devices.
  private static func decoder(
    of codec: AVCodecID, using kind: AVHWDeviceType
  ) -> (UnsafePointer<AVCodec>, AVPixelFormat)? {
    var state: UnsafeMutableRawPointer?
    while let candidate = av_codec_iterate(&state) {
      guard candidate.pointee.id == codec, av_codec_is_decoder(candidate) != 0 else { continue }
      var index: Int32 = 0
      while let config = avcodec_get_hw_config(candidate, index) {
        if config.pointee.device_type == kind,
          Int(config.pointee.methods) & AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX != 0
        {
          return (candidate, config.pointee.pix_fmt)
        }
        index += 1
      }
    }
    return nil
  }
}
