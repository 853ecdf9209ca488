/// A generated moving picture, as its name says: `testsrc`, `testsrc:1280x720`, `testsrc@30`,
/// `testsrc:640x480@29.97`, `testsrc:640x480@30000/1001`.
///
/// Eight colour bars, a ramp, and a square that moves in each frame; BT.601, limited range. It never ends. Like
/// a file it comes as fast as it is read: pace it to make it a camera.
struct TestPattern: Equatable {
  static let name = "testsrc"

  var width = 1280
  var height = 720
  /// Frames a second, as a fraction.
  var rate: (numerator: Int, denominator: Int) = (25, 1)

  static func == (a: TestPattern, b: TestPattern) -> Bool {
    a.width == b.width && a.height == b.height && a.rate == b.rate
  }

  /// Whether a name asks for a pattern, rightly or not.
  static func isMeant(by name: String) -> Bool {
    name == Self.name || name.hasPrefix(Self.name + ":") || name.hasPrefix(Self.name + "@")
  }

  /// `nil` if the name is none, or asks for less than 16×16 or more than 8192×8192, or not for 0.1 to 1000
  /// frames a second.
  init?(_ name: String) {
    guard Self.isMeant(by: name) else { return nil }
    let parts = name.dropFirst(Self.name.count).split(
      separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    if let size = parts.first, !size.isEmpty {
      let sides = size.dropFirst().split(separator: "x", omittingEmptySubsequences: false)
      guard size.hasPrefix(":"), sides.count == 2, let width = Int(sides[0]), let height = Int(sides[1]),
        (16...8192).contains(width), (16...8192).contains(height)
      else { return nil }
      (self.width, self.height) = (width, height)
    }
    if parts.count == 2 {
      guard let rate = Self.rate(parts[1]) else { return nil }
      self.rate = rate
    }
  }

  private static func rate(_ text: Substring) -> (numerator: Int, denominator: Int)? {
    let terms = text.split(separator: "/", omittingEmptySubsequences: false)
    let (numerator, denominator): (Int, Int)
    if terms.count == 2, let above = Int(terms[0]), let below = Int(terms[1]) {
      (numerator, denominator) = (above, below)
    } else if terms.count == 1, let value = Double(text), (0.1...1000).contains(value) {
      (numerator, denominator) =
        value == value.rounded() ? (Int(value), 1) : (Int((value * 1000).rounded()), 1000)
    } else {
      return nil
    }
    guard (1...1_000_000).contains(denominator), (1...1_000_000_000).contains(numerator),
      (0.1...1000).contains(Double(numerator) / Double(denominator))
    else { return nil }
    return (numerator, denominator)
  }

  private var chromaWidth: Int { (width + 1) / 2 }
  private var chromaHeight: Int { (height + 1) / 2 }
  /// Bytes of a picture: 4:2:0 of 8 bits.
  private var pictureBytes: Int { width * height + 2 * chromaWidth * chromaHeight }

  private static let frameMark = Array("FRAME\n".utf8)

  /// The first bytes of the stream, in YUV4MPEG2.
  var header: [UInt8] {
    Array(
      "YUV4MPEG2 W\(width) H\(height) F\(rate.numerator):\(rate.denominator) Ip A1:1 C420mpeg2 XCOLORRANGE=LIMITED\n"
        .utf8)
  }

  /// What all frames have in common, and the mark before it.
  var background: [UInt8] {
    // 75 % bars: white, yellow, cyan, green, magenta, red, blue, black (ITU-R BT.601, 8 bits).
    let bars: [(y: UInt8, u: UInt8, v: UInt8)] = [
      (180, 128, 128), (162, 44, 142), (131, 156, 44), (112, 72, 58), (84, 184, 198), (65, 100, 212),
      (35, 212, 114), (16, 128, 128),
    ]
    var frame = Self.frameMark
    frame.reserveCapacity(frame.count + pictureBytes)
    let line = (0..<width).map { bars[$0 * 8 / width].y }
    let ramp = (0..<width).map { UInt8(16 + $0 * 219 / width) }
    for row in 0..<height { frame += row < height * 3 / 4 ? line : ramp }
    let columns = (0..<chromaWidth).map { bars[$0 * 8 / chromaWidth] }
    let gray = [UInt8](repeating: 128, count: chromaWidth)
    for chroma in [columns.map(\.u), columns.map(\.v)] {
      for row in 0..<chromaHeight { frame += row < chromaHeight * 3 / 4 ? chroma : gray }
    }
    return frame
  }

  /// The rows of the square in a frame, and its columns: it goes from left to right in 97 frames.
  func square(_ index: Int) -> (rows: Range<Int>, columns: Range<Int>) {
    let side = max(4, min(width, height) / 8)
    let left = (width - side) * (index % 97) / 96
    let top = (height - side) / 2
    return (top..<top + side, left..<left + side)
  }

  /// Where a pixel's luma is in the bytes of a frame.
  func offset(row: Int, column: Int) -> Int { Self.frameMark.count + row * width + column }
}
