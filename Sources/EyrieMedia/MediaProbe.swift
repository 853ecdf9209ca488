/// Finds out what an input is.
public enum MediaProbe {
  /// Size changes listed one by one; more are only counted.
  private static let maxSizeRuns = 256

  /// Opens the input and describes it; with `decode` also decodes all of it and adds what it held.
  ///
  /// Blocks: call it where blocking is allowed. A live stream decodes until `interrupt` fires.
  /// - Throws: `MediaError` as `VideoReader` does.
  public static func run(
    _ input: MediaInput, decode: Bool, interrupt: MediaInterrupt = MediaInterrupt()
  ) throws(MediaError) -> MediaDescription {
    let reader = try VideoReader(input, interrupt: interrupt)
    var description = reader.description
    guard decode else { return description }
    var content = MediaDescription.Content(frames: 0, sizes: [], warnings: [])
    var unlisted = WarningCounter()
    while let frame = try reader.nextFrame() {
      let seconds = Double(frame.streamNanoseconds) / 1e9
      if content.frames == 0 { content.firstSeconds = seconds }
      content.lastSeconds = seconds
      content.frames += 1
      if let last = content.sizes.last, last.width == frame.width, last.height == frame.height {
        content.sizes[content.sizes.count - 1].frames += 1
      } else if content.sizes.count < maxSizeRuns {
        content.sizes.append(.init(width: frame.width, height: frame.height, frames: 1))
      } else {
        unlisted.count(.sizeChangesNotListed)
      }
    }
    content.warnings = reader.warnings + unlisted.summary
    description.content = content
    return description
  }
}
