import EyrieInference
import EyrieVision

/// How the pictures of a detector come to their size in its input.
struct DetectorSizing: Sendable {
  let mode: EyrieVision.ResizeMode
  /// Gives each picture a rectangle of its own; nil where the model has one size for all.
  let rectangle: InputRectangle?
  /// The size for all pictures, or for those without a rectangle.
  let square: PixelSize

  /// One size for all.
  init(fixed input: ModelInput) {
    mode = input.resize == .stretch ? .stretch : .letterbox
    rectangle = nil
    square = PixelSize(width: input.width, height: input.height)
  }

  /// - Parameters:
  ///   - input: of the model as loaded.
  ///   - size: what is asked for; nil for the model's own.
  ///   - rect: whether rectangles are wanted where the model can have them.
  init(_ input: ModelInput, size: DetectorInputSize?, rect: Bool) {
    mode = input.resize == .stretch ? .stretch : .letterbox
    let own = PixelSize(width: input.width, height: input.height)
    let ownSide = max(own.width, own.height)
    let side: Int
    switch size {
    case .exact(let width, let height):
      square = PixelSize(width: width, height: height)
      rectangle = nil
      return
    case .longSide(let asked):
      side = asked
      square = asked == ownSide && !input.dynamicSpatial ? own : PixelSize(width: asked, height: asked)
    case nil:
      side = ownSide
      square = own
    }
    let takesRectangles = rect && input.dynamicSpatial && mode == .letterbox
    rectangle = takesRectangles ? InputRectangle(longSide: side, stride: input.stride) : nil
  }

  /// The sizes to compile before the run, the most wanted first.
  /// - Parameter pictures: the displayed size of each source; nil where it is not known yet.
  func sizes(for pictures: [PixelSize?]) -> [PixelSize] {
    guard let rectangle else { return [square] }
    var wanted: [(size: PixelSize, count: Int)] = []
    for picture in pictures {
      guard let picture,
        let transform = try? rectangle.transform(width: picture.width, height: picture.height)
      else { continue }
      let size = PixelSize(width: transform.modelWidth, height: transform.modelHeight)
      if let index = wanted.firstIndex(where: { $0.size == size }) {
        wanted[index].count += 1
      } else {
        wanted.append((size, 1))
      }
    }
    let ranked = wanted.sorted { $0.count > $1.count }.map(\.size)
    let taken = ranked.prefix(DetectorSessions.mostSizes)
    // A source that is not open yet begins at the square, and gets its rectangle when it is known.
    let needsSquare = pictures.contains(nil) || ranked.count > taken.count || taken.isEmpty
    return needsSquare && !taken.contains(square) ? [square] + taken : Array(taken)
  }
}
