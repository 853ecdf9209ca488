/// A colour of eight bits a channel, in the picture's own RGB space.
public struct RGBColor: Hashable, Sendable {
  /// Red, 0…255.
  public var red: UInt8
  /// Green, 0…255.
  public var green: UInt8
  /// Blue, 0…255.
  public var blue: UInt8

  /// Creates a colour from its channels.
  public init(red: UInt8, green: UInt8, blue: UInt8) {
    self.red = red
    self.green = green
    self.blue = blue
  }

  /// Black.
  public static let black = RGBColor(red: 0, green: 0, blue: 0)
  /// White.
  public static let white = RGBColor(red: 255, green: 255, blue: 255)

  /// Black or white, whichever reads better on this colour.
  public var readableTextColor: RGBColor { luma > 140_000 ? .black : .white }

  /// ITU-R BT.601 luma in thousandths, 0…255 000.
  var luma: Int { 299 * Int(red) + 587 * Int(green) + 114 * Int(blue) }
}

/// A picture that cannot be made. The description is one line.
public enum RGBImageError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Width or height below 1, or more than `RGBImage.largestPixelCount` pixels.
  case size(width: Int, height: Int)
  /// The bytes handed in are not three for each pixel.
  case byteCount(width: Int, height: Int, found: Int)
  /// A contact sheet of no pictures.
  case noImages

  /// What failed and why.
  public var description: String {
    switch self {
    case .size(let width, let height):
      "a picture of \(width)x\(height) pixels cannot be made: both sides must be at least 1 and the whole at most \(RGBImage.largestPixelCount) pixels"
    case .byteCount(let width, let height, let found):
      "a picture of \(width)x\(height) pixels needs three bytes for each, \(found) bytes were given"
    case .noImages:
      "a contact sheet needs at least one picture"
    }
  }
}

/// A picture in memory to draw on: packed RGB, eight bits a channel, rows from top to bottom without
/// padding between them.
///
/// A value: a copy is independent, and drawing on it is for one task at a time. Whatever lies outside the
/// picture is clipped, and coordinates that are not finite draw nothing.
public struct RGBImage: Hashable, Sendable {
  /// The most pixels a picture may have: 16384 by 16384, 768 MiB.
  public static let largestPixelCount = 1 << 28

  /// Columns.
  public let width: Int
  /// Rows.
  public let height: Int
  /// Red, green and blue of each pixel, row by row: `3 * width * height` bytes.
  public internal(set) var pixels: [UInt8]

  /// Creates a picture of one colour.
  ///
  /// - Throws: `RGBImageError.size`.
  public init(width: Int, height: Int, color: RGBColor = .black) throws(RGBImageError) {
    let count = try Self.pixelCount(width, height)
    self.width = width
    self.height = height
    pixels = [UInt8](unsafeUninitializedCapacity: 3 * count) { buffer, initialized in
      for index in 0..<count {
        buffer.initializeElement(at: 3 * index, to: color.red)
        buffer.initializeElement(at: 3 * index + 1, to: color.green)
        buffer.initializeElement(at: 3 * index + 2, to: color.blue)
      }
      initialized = 3 * count
    }
  }

  /// Creates a picture from packed RGB bytes.
  ///
  /// - Throws: `RGBImageError.size` or `.byteCount`.
  public init(width: Int, height: Int, pixels: [UInt8]) throws(RGBImageError) {
    let count = try Self.pixelCount(width, height)
    guard pixels.count == 3 * count else {
      throw .byteCount(width: width, height: height, found: pixels.count)
    }
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// The colour at a column and a row; nil outside the picture.
  public func color(x: Int, y: Int) -> RGBColor? {
    guard x >= 0, x < width, y >= 0, y < height else { return nil }
    let offset = 3 * (y * width + x)
    return RGBColor(red: pixels[offset], green: pixels[offset + 1], blue: pixels[offset + 2])
  }

  /// Fills a rectangle given by its top-left pixel and its size in pixels.
  public mutating func fill(x: Int, y: Int, width: Int, height: Int, color: RGBColor) {
    let columns = Self.clip(start: x, length: width, limit: self.width)
    let rows = Self.clip(start: y, length: height, limit: self.height)
    guard !columns.isEmpty else { return }
    for row in rows {
      var offset = 3 * (row * self.width + columns.lowerBound)
      for _ in columns {
        pixels[offset] = color.red
        pixels[offset + 1] = color.green
        pixels[offset + 2] = color.blue
        offset += 3
      }
    }
  }

  /// Draws the outline of a box given in pixels, `thickness` pixels thick, inwards from its edges. A box
  /// too small for its lines is filled.
  public mutating func drawRectangle(
    x: Float, y: Float, width: Float, height: Float, thickness: Int, color: RGBColor
  ) {
    guard let left = Self.pixel(x), let top = Self.pixel(y), let right = Self.pixel(x + width),
      let bottom = Self.pixel(y + height), width >= 0, height >= 0
    else { return }
    let columns = max(right - left, 1)
    let rows = max(bottom - top, 1)
    let line = min(max(thickness, 1), max(columns, rows))
    fill(x: left, y: top, width: columns, height: min(line, rows), color: color)
    fill(x: left, y: max(bottom - line, top), width: columns, height: min(line, rows), color: color)
    fill(x: left, y: top, width: min(line, columns), height: rows, color: color)
    fill(x: max(right - line, left), y: top, width: min(line, columns), height: rows, color: color)
  }

  /// The whole pixel nearest to a coordinate; nil for NaN and infinities. Far-off ones are brought near
  /// enough that sums of them fit an Int; that is still far outside any picture.
  static func pixel(_ coordinate: Float) -> Int? {
    guard coordinate.isFinite else { return nil }
    return Int(min(max(coordinate, -1e12), 1e12).rounded())
  }

  /// The part of `start ..< start + length` within `0 ..< limit`.
  private static func clip(start: Int, length: Int, limit: Int) -> Range<Int> {
    let (end, overflow) = start.addingReportingOverflow(max(length, 0))
    let first = min(max(start, 0), limit)
    return first..<max(first, min(overflow ? limit : end, limit))
  }

  private static func pixelCount(_ width: Int, _ height: Int) throws(RGBImageError) -> Int {
    let (count, overflow) = width.multipliedReportingOverflow(by: height)
    guard width >= 1, height >= 1, !overflow, count <= largestPixelCount else {
      throw .size(width: width, height: height)
    }
    return count
  }
}
