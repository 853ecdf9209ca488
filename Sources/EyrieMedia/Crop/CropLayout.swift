import CFFmpeg
import Synchronization

/// How the components of a kind of picture lie in memory, as far as `PlaneResampler` reads it without conversion.
struct CropLayout {
  /// What a sample is stored as.
  enum Sample: Hashable {
    /// A byte.
    case byte
    /// So many significant bits (9…16) of a 16-bit number in this machine's order, above so many others.
    case word(depth: Int, shift: Int)

    var byteCount: Int { self == .byte ? 1 : 2 }
  }

  /// Components that are interleaved with each other: a step leads to the same component of the next sample.
  struct Group {
    var plane: Int
    var sample: Sample
    /// Samples, of whatever component, from one of a component to the next.
    var step: Int
    /// Each is shared by 2 to the power of this many columns.
    var shiftX: Int
    /// Each is shared by 2 to the power of this many rows.
    var shiftY: Int
    /// Which components (0…2), and where the first sample of each lies.
    var components: [(index: Int, offset: Int)]

    /// Samples of a row that can be read.
    func rowSamples(width: Int) -> Int {
      let count = (width + (1 << shiftX) - 1) >> shiftX
      return (count - 1) * step + lastOffset + 1
    }

    /// That of the last of its components.
    var lastOffset: Int { components.reduce(0) { max($0, $1.offset) } }
  }

  var groups: [Group]
  /// Whether the components are red, green and blue, not Y, U and V.
  var isRGB: Bool

  /// Y, U, V or R, G, B, or brightness alone.
  var componentCount: Int { groups.reduce(0) { $0 + $1.components.count } }

  init(groups: [Group], isRGB: Bool) {
    self.groups = groups
    self.isRGB = isRGB
  }

  /// Red, green, blue, a byte each.
  static let packedRGB = CropLayout(
    groups: [
      Group(
        plane: 0, sample: .byte, step: 3, shiftX: 0, shiftY: 0, components: [(0, 0), (1, 1), (2, 2)])
    ], isRGB: true)
  /// Planes of Y, U and V of the same size.
  static let planar444 = CropLayout(
    groups: (0..<3).map {
      Group(plane: $0, sample: .byte, step: 1, shiftX: 0, shiftY: 0, components: [($0, 0)])
    }, isRGB: false)

  /// Those that were looked up, by FFmpeg's number of the pixel format, of which there are some two hundred.
  private static let known = Mutex<[Int32: CropLayout?]>([:])

  /// As the initialiser, which looks up names and makes lists, but only the first time. Any thread.
  static func of(_ format: AVPixelFormat) -> CropLayout? {
    known.withLock { known in
      if let layout = known[format.rawValue] { return layout }
      let layout = CropLayout(format)
      known[format.rawValue] = .some(layout)
      return layout
    }
  }

  /// `nil` for what is not made of whole bytes or 16-bit numbers: hardware surfaces, palettes, samples of a few
  /// bits, floating point, numbers in the other byte order, colour filter arrays, XYZ.
  init?(_ format: AVPixelFormat) {
    guard let description = av_pix_fmt_desc_get(format)?.pointee else { return nil }
    let refused =
      AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM
      | AV_PIX_FMT_FLAG_BAYER
    guard description.flags & UInt64(refused) == 0, !String(cString: description.name).hasPrefix("xyz") else {
      return nil
    }
    isRGB = description.flags & UInt64(AV_PIX_FMT_FLAG_RGB) != 0
    groups = []
    let isBigEndian = description.flags & UInt64(AV_PIX_FMT_FLAG_BE) != 0
    // With fewer than three components the second one is transparency.
    let components = [description.comp.0, description.comp.1, description.comp.2]
      .prefix(description.nb_components < 3 ? 1 : 3)
    for (index, component) in components.enumerated() {
      let (depth, shift, bytes) = (Int(component.depth), Int(component.shift), Int(component.step))
      let sample: Sample
      switch depth {
      case 8 where shift == 0: sample = .byte
      case 9...16 where shift + depth <= 16 && !isBigEndian: sample = .word(depth: depth, shift: shift)
      default: return nil
      }
      guard bytes > 0, bytes % sample.byteCount == 0, Int(component.offset) % sample.byteCount == 0 else {
        return nil
      }
      let group = Group(
        plane: Int(component.plane), sample: sample, step: bytes / sample.byteCount,
        shiftX: index > 0 && !isRGB ? Int(description.log2_chroma_w) : 0,
        shiftY: index > 0 && !isRGB ? Int(description.log2_chroma_h) : 0,
        components: [(index, Int(component.offset) / sample.byteCount)])
      let same = groups.firstIndex {
        $0.plane == group.plane && $0.sample == group.sample && $0.step == group.step
          && $0.shiftX == group.shiftX && $0.shiftY == group.shiftY
      }
      if let same {
        groups[same].components += group.components
      } else {
        groups.append(group)
      }
    }
  }
}
