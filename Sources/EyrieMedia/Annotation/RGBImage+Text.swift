extension RGBImage {
  /// The size in pixels of a line of text drawn at an integer scale. Each character is 6 columns wide, of
  /// which the last is the space to the next one and does not count at the end.
  public static func textSize(_ text: String, scale: Int) -> (width: Int, height: Int) {
    let scale = usableScale(scale)
    let columns = text.isEmpty ? 0 : text.count * BitmapFont.advance - 1
    return (columns * scale, BitmapFont.glyphHeight * scale)
  }

  /// Draws one line of text with its top-left corner at a pixel. A scale is held within 1…64. There are no
  /// line breaks; a character the font does not have is a hollow box.
  public mutating func drawText(_ text: String, x: Int, y: Int, scale: Int, color: RGBColor) {
    let scale = Self.usableScale(scale)
    // Farther off than any picture is large; also keeps the sums below from overflowing.
    guard x.magnitude <= Self.largestPixelCount, y.magnitude <= Self.largestPixelCount else { return }
    var left = x
    for character in text {
      if left >= width { return }
      if left > -BitmapFont.advance * scale {
        drawGlyph(BitmapFont.glyph(for: character), x: left, y: y, scale: scale, color: color)
      }
      left += BitmapFont.advance * scale
    }
  }

  /// Draws text on a patch of colour at the top-left corner of a box: above the box where there is room,
  /// else below its upper edge, and moved as needed to stay inside the picture. Text too long for the
  /// picture is cut. The text is black or white, whichever reads better.
  ///
  /// - Parameters:
  ///   - text: one line.
  ///   - x: left edge of the box in pixels.
  ///   - y: upper edge of the box in pixels.
  ///   - background: colour of the patch.
  ///   - scale: pixels per font pixel; nil takes `labelScale`.
  public mutating func drawLabel(
    _ text: String, x: Float, y: Float, background: RGBColor, scale: Int? = nil
  ) {
    guard let left = Self.pixel(x), let top = Self.pixel(y), !text.isEmpty else { return }
    let scale = Self.usableScale(scale ?? labelScale)
    let margin = 2 * scale
    let room = (width - 2 * margin + scale) / (BitmapFont.advance * scale)
    let shown = String(text.prefix(max(room, 1)))
    let size = Self.textSize(shown, scale: scale)
    let patchWidth = size.width + 2 * margin
    // The two rows below the base line are margin enough at the bottom.
    let patchHeight = size.height + margin
    let patchX = max(min(left, width - patchWidth), 0)
    let above = top - patchHeight
    let patchY = max(min(above >= 0 ? above : top, height - patchHeight), 0)
    fill(x: patchX, y: patchY, width: patchWidth, height: patchHeight, color: background)
    drawText(
      shown, x: patchX + margin, y: patchY + margin, scale: scale, color: background.readableTextColor)
  }

  /// The text scale that suits the picture's shorter side: 1 below 320 pixels, 2 below 900, 3 at 1080, and
  /// so on. Capitals are 7 pixels high times the scale.
  public var labelScale: Int {
    let side = min(width, height)
    return side < 320 ? 1 : max(2, (side + 180) / 360)
  }

  /// The line thickness that suits the picture's shorter side: 2 pixels below 1000, 3 at 1080, and so on.
  public var lineThickness: Int {
    max(2, (min(width, height) + 200) / 400)
  }

  private mutating func drawGlyph(_ rows: ArraySlice<UInt8>, x: Int, y: Int, scale: Int, color: RGBColor) {
    for (row, bits) in rows.enumerated() where bits != 0 {
      for column in 0..<BitmapFont.glyphWidth where bits >> UInt8(BitmapFont.glyphWidth - 1 - column) & 1 == 1
      {
        fill(x: x + column * scale, y: y + row * scale, width: scale, height: scale, color: color)
      }
    }
  }

  private static func usableScale(_ scale: Int) -> Int { min(max(scale, 1), 64) }
}
