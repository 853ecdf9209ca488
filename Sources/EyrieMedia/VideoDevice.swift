import CFFmpeg
import Foundation

/// A camera of this machine, through Video4Linux2: `/dev/video0`, or with how it is to be set
/// `v4l2:/dev/video0?size=1280x720&rate=30&format=mjpeg`.
struct VideoDevice: Equatable {
  static let scheme = "v4l2:"

  let path: String
  /// FFmpeg's options.
  private(set) var options: [String: String] = [:]

  /// Whether a name asks for a device, rightly or not.
  static func isMeant(by name: String) -> Bool { name.hasPrefix("/dev/video") || name.hasPrefix(scheme) }

  /// `nil` if the name is malformed.
  init?(_ name: String) {
    guard Self.isMeant(by: name) else { return nil }
    let parts = name.dropFirst(name.hasPrefix(Self.scheme) ? Self.scheme.count : 0)
      .split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    guard let path = parts.first, !path.isEmpty else { return nil }
    self.path = String(path)
    guard parts.count == 2 else { return }
    for setting in parts[1].split(separator: "&", omittingEmptySubsequences: false) {
      let pair = setting.split(separator: "=", maxSplits: 1).map(String.init)
      guard pair.count == 2, let key = Self.names[pair[0]], options[key] == nil,
        pair[1].utf8.allSatisfy({ Self.isPlain($0) })
      else { return nil }
      options[key] = pair[1]
    }
  }

  private static let names = ["size": "video_size", "rate": "framerate", "format": "input_format"]

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2e, 0x2f, 0x5f: true
    default: false
    }
  }

  /// Looks whether there is a camera that may be opened.
  func check(input: String) throws(MediaError) {
    var status = stat()
    guard stat(path, &status) == 0 else { throw Self.error(errno, input: input) }
    guard status.st_mode & S_IFMT == S_IFCHR else { throw Self.noCamera(input) }
    #if os(Linux)
      let descriptor = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
      guard descriptor >= 0 else { throw Self.error(errno, input: input) }
      defer { close(descriptor) }
      // struct v4l2_capability (linux/videodev2.h): 104 bytes; at 84 what all nodes of the hardware can, at 88
      // what this node can.
      var answer = [UInt8](repeating: 0, count: 104)
      let asked = answer.withUnsafeMutableBytes { buffer in
        buffer.baseAddress.map { ioctl(descriptor, Self.queryCapabilities, $0) } ?? -1
      }
      guard asked == 0 else { throw Self.noCamera(input) }
      let (all, own) = answer.withUnsafeBytes {
        ($0.load(fromByteOffset: 84, as: UInt32.self), $0.load(fromByteOffset: 88, as: UInt32.self))
      }
      let capabilities = all & Self.hasOwnCapabilities != 0 ? own : all
      guard capabilities & Self.captures != 0 else { throw Self.noCamera(input) }
    #else
      throw MediaError(.unsupportedURL, input, "Video4Linux2 cameras exist on Linux only")
    #endif
  }

  /// `VIDIOC_QUERYCAP`.
  private static let queryCapabilities: UInt = 0x8068_5600
  /// `V4L2_CAP_DEVICE_CAPS`.
  private static let hasOwnCapabilities: UInt32 = 0x8000_0000
  /// `V4L2_CAP_VIDEO_CAPTURE`, and with several planes.
  private static let captures: UInt32 = 0x1 | 0x1000

  /// FFmpeg's reader of these devices.
  static func format(input: String) throws(MediaError) -> UnsafePointer<AVInputFormat> {
    guard isRegistered, let format = av_find_input_format("video4linux2") else {
      throw MediaError(
        .unsupportedURL, input,
        "cameras of this machine need FFmpeg's \(library); install it (Debian: libavdevice\(version))")
    }
    return format
  }

  private static let version = Int(avformat_version() >> 16)
  private static let library = "libavdevice.so.\(version)"

  /// The library is loaded when a camera is asked for and not linked, since it draws in a hundred packages (X,
  /// sound) that nothing else needs. Its major version is that of libavformat since FFmpeg 5.
  private static let isRegistered: Bool = {
    guard let handle = dlopen(library, RTLD_NOW), let symbol = dlsym(handle, "avdevice_register_all") else {
      return false
    }
    unsafeBitCast(symbol, to: (@convention(c) () -> Void).self)()
    return true
  }()

  /// The error of a device that cannot be opened.
  static func error(_ code: Int32, input: String) -> MediaError {
    switch code {
    case ENOENT, ENOTDIR, ENODEV, ENXIO:
      MediaError(.missing, input, "no such camera; plug it in, and see which there are with ls /dev/video*")
    case EACCES, EPERM:
      MediaError(.permissionDenied, input, "permission denied; add this user to the group video")
    case EBUSY:
      MediaError(.busy, input, "the camera is in use by another program; end that first")
    case EINVAL:
      MediaError(
        .io, input, "the camera does not take this size, rate or format; see v4l2-ctl --list-formats-ext")
    default:
      MediaError(.io, input, "cannot open the camera: \(FFmpeg.message(FFmpeg.error(code)))")
    }
  }

  private static func noCamera(_ input: String) -> MediaError {
    MediaError(.noVideo, input, "is not a camera; see which there are with ls /dev/video*")
  }
}
