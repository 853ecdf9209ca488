/// How a crop is fitted to the fixed input of a classifier. The result is packed 8-bit RGB, rows without gaps.
public struct CropTarget: Hashable, Sendable {
  /// What becomes of a region whose aspect ratio is another than the target's.
  public enum Fit: Hashable, Sendable {
    /// Width and height are each scaled to the target's.
    case stretch
    /// The aspect ratio is kept, the crop centred and the rest padded. Sizes are rounded half to even, and an odd
    /// pixel of padding goes right or to the bottom, as Ultralytics does.
    case letterbox
    /// The aspect ratio is kept, the target filled, and what does not fit cut off at both ends, as CLIP's image
    /// processor of `transformers` does: the longer side is `int(target * long / short)` pixels, of which
    /// `(long - target) // 2` are left out before the middle.
    case centerCrop
  }

  /// The kernels of Pillow of these names, widened by the reduction where the crop is made smaller.
  public enum Filter: Hashable, Sendable {
    /// A triangle, one pixel to either side.
    case bilinear
    /// Cubic convolution with a = −0.5, two pixels to either side.
    case bicubic

    /// How far it reaches to either side, in pixels.
    var support: Double {
      switch self {
      case .bilinear: 1
      case .bicubic: 2
      }
    }
  }

  /// Width in pixels.
  public var width: Int
  /// Height in pixels.
  public var height: Int
  /// What becomes of a region of another aspect ratio.
  public var fit: Fit
  /// The kernel that pixels are weighted with.
  public var filter: Filter
  /// What every byte around a letterboxed crop is set to.
  public var padding: UInt8

  /// A size, and how to fill it.
  public init(
    width: Int, height: Int, fit: Fit = .stretch, filter: Filter = .bilinear, padding: UInt8 = 114
  ) {
    self.width = width
    self.height = height
    self.fit = fit
    self.filter = filter
    self.padding = padding
  }

  /// Bytes of the result.
  public var byteCount: Int { width &* height &* 3 }

  /// As large as canvases of `ScaleTarget` may be.
  private static let maxSide = 65_500

  /// Whether it has a size that makes sense.
  var isValid: Bool { (1...Self.maxSide).contains(width) && (1...Self.maxSide).contains(height) }
}
