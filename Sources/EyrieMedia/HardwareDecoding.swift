/// Where pictures are decoded.
public enum HardwareDecoding: String, Sendable, CaseIterable {
  /// On the CPU.
  case none
  /// On the first of this platform's devices that can: `videotoolbox` on Apple, else `cuda`, then `vaapi`. It
  /// is tried in this order since a machine with an NVIDIA card often has a weaker VA-API device beside it.
  case auto
  /// Intel and AMD on Linux.
  case vaapi
  /// NVIDIA.
  case cuda
  /// Apple.
  case videotoolbox

  /// FFmpeg's names of the device types to try.
  var deviceTypes: [String] {
    switch self {
    case .none: []
    #if canImport(Darwin)
      case .auto: ["videotoolbox"]
    #else
      case .auto: ["cuda", "vaapi"]
    #endif
    case .vaapi, .cuda, .videotoolbox: [rawValue]
    }
  }
}
