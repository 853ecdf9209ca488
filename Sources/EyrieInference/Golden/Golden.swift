import Foundation

/// An input and the outputs that the original of a model gives for it: the proof that a package, on this
/// machine, does what its converter made it to do.
///
/// A package names the file in `validation.golden`; docs/models.md has its form. ``replay(on:)`` runs a session
/// on the input and compares.
public struct Golden: Sendable {
  /// The path of the file.
  public let path: String
  /// The width of the input that it was made at, in pixels.
  public let width: Int
  /// The height of that input, in pixels.
  public let height: Int

  let picture: Picture
  let expected: Expected
  let tolerances: [ExecutionPrecision: Tolerance]

  /// RGB bytes, rows without gaps, that lie at the top left of the input; the rest is padding.
  struct Picture: Sendable {
    var width: Int
    var height: Int
    var bytes: [UInt8]
  }

  /// What the model must give.
  enum Expected: Sendable {
    /// Some anchors of a detection grid.
    case anchors(Anchors)
    /// All boxes of a detector that suppresses by itself.
    case boxes([ReferenceBox])
    case classes(Classes)
    case embedding([Float])
  }

  /// Row by row: `boxes` has 4 numbers (centre x, centre y, width, height in pixels of the input), `scores` one
  /// a class.
  struct Anchors: Sendable {
    var indices: [Int]
    var boxes: [Float]
    var scores: [Float]
    var classCount: Int
  }

  /// In pixels of the input.
  struct ReferenceBox: Sendable, Equatable {
    var left, top, right, bottom: Double
    var score: Double
    var classID: Int
  }

  struct Classes: Sendable {
    var probabilities: [Float]
    var topScores: [Float]?
    var topIndices: [Int64]?
  }

  /// The largest differences that are allowed in one arithmetic.
  enum Tolerance: Sendable, Equatable {
    /// `boxes` in pixels, of the anchors with a score above `above`.
    case anchors(boxes: Double, above: Double, scores: Double)
    case boxes(iou: Double, scores: Double)
    case values(Double)
  }

  /// Whether it says how far results may be off in an arithmetic.
  public func hasTolerance(for precision: ExecutionPrecision) -> Bool { tolerances[precision] != nil }
}

extension Golden {
  /// Reads the golden file of a package. Blocks.
  /// - Returns: `nil` when the package names none.
  /// - Throws: ``ModelError`` when the file is absent, damaged, or made for another model.
  public static func load(for model: ModelDescription) throws(ModelError) -> Golden? {
    guard let name = model.validation?.golden, let directory = model.packageDirectory else { return nil }
    let path = (directory as NSString).appendingPathComponent(name)
    guard fileSize(path) != nil else {
      throw ModelError(.unreadable, path, "no such file, although validation.golden names it")
    }
    return try GoldenReader(file: try SafetensorsFile(path: path), model: model).read()
  }
}
