/// The size at which a detector looks at pictures.
public enum DetectorInputSize: Sendable, Hashable {
  /// The longer side in pixels. A model with open height and width takes the least rectangle that holds the picture
  /// at it (see ``RunOptions/rect``); otherwise it is the side of a square.
  case longSide(Int)
  /// So many pixels, whatever the picture.
  case exact(width: Int, height: Int)

  /// The most pixels of a side.
  public static let sides = 1...16_384

  /// Reads `640` (the longer side) or `640x384` (width and height).
  /// - Returns: nil for anything else, and for a side beyond ``sides``.
  public init?(_ text: String) {
    let parts = text.lowercased().split(separator: "x", omittingEmptySubsequences: false).map { part in
      part.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(part) : nil
    }
    let numbers = parts.compactMap(\.self)
    guard numbers.count == parts.count, numbers.allSatisfy(Self.sides.contains) else { return nil }
    switch numbers.count {
    case 1: self = .longSide(numbers[0])
    case 2: self = .exact(width: numbers[0], height: numbers[1])
    default: return nil
    }
  }
}

extension DetectorInputSize: CustomStringConvertible {
  /// As it is read.
  public var description: String {
    switch self {
    case .longSide(let side): "\(side)"
    case .exact(let width, let height): "\(width)x\(height)"
    }
  }
}

/// Width and height in pixels.
struct PixelSize: Sendable, Hashable, CustomStringConvertible {
  let width: Int
  let height: Int

  var description: String { "\(width)×\(height)" }
}
