/// The boxes of a Core ML detector that suppresses by itself: `coordinates` `[n,4]` (centre x, centre y, width,
/// height as fractions of the input) and `confidence` `[n,C]` (one score a class).
enum SuppressedBoxes {
  /// The names of the two outputs, as coremltools and Ultralytics have them.
  static let coordinates = "coordinates"
  static let confidence = "confidence"

  /// Joins both to rows of ``DetectionLayout/endToEnd``: left, top, right, bottom in pixels of the input, the
  /// score of the best class (the lowest index among equals), that class.
  /// - Parameters:
  ///   - coordinate: gives the numbers of `coordinates` in row-major order, `confidence` those of the other.
  static func rows(
    count: Int, classCount: Int, width: Int, height: Int, coordinate: (Int) -> Double,
    confidence: (Int) -> Double
  ) -> [[Double]] {
    (0..<count).map { row in
      let first = row * classCount
      var best = (score: confidence(first), classID: 0)
      for classID in 1..<max(1, classCount) {
        let score = confidence(first + classID)
        // A NaN wins: the row is then dropped and counted by whoever reads it, not passed over.
        if score > best.score || score.isNaN { best = (score, classID) }
        if score.isNaN { break }
      }
      let (x, y) = (coordinate(row * 4) * Double(width), coordinate(row * 4 + 1) * Double(height))
      let (halfWidth, halfHeight) = (
        coordinate(row * 4 + 2) * Double(width) / 2, coordinate(row * 4 + 3) * Double(height) / 2
      )
      return [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight, best.score, Double(best.classID)]
    }
  }

  /// The same from tensors as a model gives them, as f32.
  /// - Throws: ``InferenceError`` when the two tensors do not belong together.
  static func rows(
    coordinates: TensorView, confidence: TensorView, width: Int, height: Int
  ) throws(InferenceError) -> (values: [Float], shape: [Int]) {
    guard let boxes = TensorReader(coordinates), let scores = TensorReader(confidence),
      coordinates.shape.count >= 2, confidence.shape.count >= 2,
      let classCount = confidence.shape.last, classCount > 0, coordinates.shape.last == 4,
      boxes.count / 4 == scores.count / classCount
    else {
      throw InferenceError(
        "coordinates \(shapeText(coordinates.shape)) and confidence \(shapeText(confidence.shape)) are not boxes "
          + "and their scores")
    }
    let rows = rows(
      count: boxes.count / 4, classCount: classCount, width: width, height: height,
      coordinate: { boxes[$0] }, confidence: { scores[$0] })
    return (rows.flatMap { $0.map { Float($0) } }, [1, rows.count, 6])
  }
}
