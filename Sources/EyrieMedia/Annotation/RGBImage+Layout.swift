extension RGBImage {
  /// Lays pictures out in rows of `columns`, in cells as large as the largest of them, each centred in its
  /// cell, with `gap` pixels between and around them.
  ///
  /// - Throws: `RGBImageError.noImages`, or `.size` where the sheet would be too large.
  public static func contactSheet(
    _ images: [RGBImage], columns: Int, gap: Int = 8,
    background: RGBColor = RGBColor(red: 24, green: 24, blue: 28)
  ) throws(RGBImageError) -> RGBImage {
    guard !images.isEmpty else { throw .noImages }
    let columns = min(max(columns, 1), images.count)
    let rows = (images.count - 1) / columns + 1
    let gap = min(max(gap, 0), 1024)
    let cellWidth = images.reduce(1) { max($0, $1.width) }
    let cellHeight = images.reduce(1) { max($0, $1.height) }
    // Sides are at most 2^28 and columns as many as there are pictures, so this fits; init checks the rest.
    var sheet = try RGBImage(
      width: columns * (cellWidth + gap) + gap, height: rows * (cellHeight + gap) + gap, color: background)
    for (index, image) in images.enumerated() {
      let (row, column) = index.quotientAndRemainder(dividingBy: columns)
      sheet.paste(
        image, x: gap + column * (cellWidth + gap) + (cellWidth - image.width) / 2,
        y: gap + row * (cellHeight + gap) + (cellHeight - image.height) / 2)
    }
    return sheet
  }

  /// The picture reduced so that it fits into the given size, aspect ratio kept, each pixel the mean of the
  /// area it covers. A picture that fits is returned as it is. Limits below 1 count as 1.
  public func downscaled(toFitWidth maximumWidth: Int, height maximumHeight: Int) -> RGBImage {
    let maximumWidth = max(maximumWidth, 1)
    let maximumHeight = max(maximumHeight, 1)
    guard width > maximumWidth || height > maximumHeight else { return self }
    let gain = min(Double(maximumWidth) / Double(width), Double(maximumHeight) / Double(height))
    let columns = Self.spans(of: width, over: max(Int((Double(width) * gain).rounded()), 1))
    let rows = Self.spans(of: height, over: max(Int((Double(height) * gain).rounded()), 1))
    var narrowed = [Float](repeating: 0, count: height * columns.count * 3)
    for y in 0..<height {
      for (x, span) in columns.enumerated() {
        for (step, weight) in span.weights.enumerated() {
          let source = 3 * (y * width + span.first + step)
          let target = 3 * (y * columns.count + x)
          for channel in 0..<3 { narrowed[target + channel] += weight * Float(pixels[source + channel]) }
        }
      }
    }
    let rowLength = columns.count * 3
    var bytes: [UInt8] = []
    bytes.reserveCapacity(rows.count * rowLength)
    for span in rows {
      for offset in 0..<rowLength {
        var sum: Float = 0.5
        for (step, weight) in span.weights.enumerated() {
          sum += weight * narrowed[(span.first + step) * rowLength + offset]
        }
        bytes.append(UInt8(min(sum, 255)))
      }
    }
    // The sides are at least 1 and smaller than this picture's, so a picture of that size can be made.
    return (try? RGBImage(width: columns.count, height: rows.count, pixels: bytes)) ?? self
  }

  /// Source pixels that each of `count` target pixels covers, with their shares of it, which add up to 1.
  private static func spans(of length: Int, over count: Int) -> [(first: Int, weights: [Float])] {
    let size = Double(length) / Double(count)
    return (0..<count).map { index in
      let start = Double(index) * size
      let end = min(Double(index + 1) * size, Double(length))
      let first = min(Int(start), length - 1)
      let last = min(max(Int(end.rounded(.up)), first + 1), length)
      let weights = (first..<last).map { Float((min(Double($0 + 1), end) - max(Double($0), start)) / size) }
      return (first, weights)
    }
  }

  /// Copies a picture that lies wholly inside this one.
  private mutating func paste(_ image: RGBImage, x: Int, y: Int) {
    for row in 0..<image.height {
      let source = 3 * row * image.width
      let target = 3 * ((y + row) * width + x)
      pixels.replaceSubrange(
        target..<target + 3 * image.width, with: image.pixels[source..<source + 3 * image.width])
    }
  }
}
