/// The pixels of Core ML's pictures.
enum PixelPacking {
  /// Writes RGB bytes as BGRA, opaque.
  /// - Parameters:
  ///   - rgb: `height × width × 3` bytes, rows without gaps.
  ///   - target: at least `height` rows of `bytesPerRow` bytes.
  ///   - bytesPerRow: how far apart the rows of `target` begin; at least 4 × `width`.
  /// - Returns: false, and nothing is written, where the memory is too small.
  static func bgra(
    _ rgb: UnsafeRawBufferPointer, width: Int, height: Int, into target: UnsafeMutableRawBufferPointer,
    bytesPerRow: Int
  ) -> Bool {
    guard rgb.count >= width * height * 3, bytesPerRow >= width * 4, target.count >= height * bytesPerRow,
      let source = rgb.baseAddress, let base = target.baseAddress
    else { return false }
    for row in 0..<height {
      var from = source + row * width * 3
      var to = base + row * bytesPerRow
      for _ in 0..<width {
        let red = UInt32(from.load(as: UInt8.self))
        let green = UInt32(from.load(fromByteOffset: 1, as: UInt8.self))
        let blue = UInt32(from.load(fromByteOffset: 2, as: UInt8.self))
        // Blue in the lowest byte.
        let pixel = (0xFF00_0000 | red << 16 | green << 8 | blue).littleEndian
        to.storeBytes(of: pixel, as: UInt32.self)
        from += 3
        to += 4
      }
    }
    return true
  }
}
