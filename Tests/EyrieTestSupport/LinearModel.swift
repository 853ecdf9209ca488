public import Foundation

/// A model whose answer can be worked out by hand: a linear function of the means of the three channels of its
/// input. So every byte of the picture, the order of the channels, the scale and every weight count.
public struct LinearModel: Sendable {
  /// What becomes of the numbers.
  public enum Head: Sendable, Equatable {
    /// `[1, 4 + classes, anchors]`.
    case featuresFirst(classes: Int, anchors: Int)
    /// `[1, anchors, 4 + classes]`.
    case anchorsFirst(classes: Int, anchors: Int)
    /// `probabilities` `[1, classes]` after softmax and, where k is above 0, `top_k_scores` and `top_k_indices`.
    case classes(Int, topK: Int)
    /// `embedding` `[1, dimension]`.
    case embedding(Int)
  }

  /// What becomes of the numbers.
  public let head: Head
  /// The shape of the input, −1 for a dimension that varies.
  public var input = [1, 3, 64, 64]
  /// Three a number: for red, green and blue.
  public var weights: [Float]
  private let offsets: [Float]
  /// Added to what the model gives, outside of the linear function: a NaN makes all of it NaN.
  public var disturbance: Float = 0
  /// Added to the indices of the best classes.
  public var indexShift: Int64 = 0
  /// Whether each picture of a batch gets the largest numbers of all: with one picture that changes nothing.
  public var mixesBatch = false

  /// A model with weights that look random and are always the same.
  public init(_ head: Head) {
    self.head = head
    var state: UInt32 = 12345
    func next() -> Float {
      state = state &* 1_664_525 &+ 1_013_904_223
      return Float(state >> 8) / Float(1 << 24) * 2 - 1
    }
    let count = Self.count(head)
    weights = (0..<count * 3).map { _ in next() }
    offsets = (0..<count).map { _ in next() }
    for index in 0..<count { scaleRow(index) }
  }

  private static func count(_ head: Head) -> Int {
    switch head {
    case .featuresFirst(let classes, let anchors), .anchorsFirst(let classes, let anchors):
      (4 + classes) * anchors
    case .classes(let count, _), .embedding(let count): count
    }
  }

  /// What number of an anchor an output is; nil for models without anchors.
  private func feature(_ index: Int) -> Int? {
    switch head {
    case .featuresFirst(_, let anchors): index / anchors
    case .anchorsFirst(let classes, _): index % (4 + classes)
    default: nil
    }
  }

  /// Brings boxes to pixels, and scores between 0 and 1.
  private mutating func scaleRow(_ index: Int) {
    let factor: Float =
      switch feature(index) {
      case nil: 3
      case .some(0..<4): 12
      default: 0.15
      }
    for channel in 0..<3 { weights[index * 3 + channel] *= factor }
  }

  private func offset(_ index: Int) -> Float {
    switch feature(index) {
    case nil: offsets[index]
    case .some(0..<4): 30 + 4 * offsets[index]
    default: 0.45 + 0.1 * offsets[index]
    }
  }

  /// The file.
  public func onnx() -> Data {
    let count = Self.count(head)
    var model = ONNXBuilder()
    model.input("images", .f32, input)
    model.node("ReduceMean", ["images"], "means", integers: ["keepdims": 0], lists: ["axes": [2, 3]])
    let columns = (0..<3).flatMap { channel in (0..<count).map { weights[$0 * 3 + channel] } }
    model.constant("weights", shape: [3, count], columns)
    model.constant("offsets", shape: [1, count], (0..<count).map { offset($0) + disturbance })
    model.node("MatMul", ["means", "weights"], "product")
    model.node("Add", ["product", "offsets"], mixesBatch ? "own" : "sum")
    if mixesBatch {
      model.node("ReduceMax", ["own"], "largest", integers: ["keepdims": 1], lists: ["axes": [0]])
      model.node("Max", ["own", "largest"], "sum")
    }
    switch head {
    case .featuresFirst(let classes, let anchors): reshape(&model, [1, 4 + classes, anchors])
    case .anchorsFirst(let classes, let anchors): reshape(&model, [1, anchors, 4 + classes])
    case .classes(_, let k):
      model.node("Softmax", ["sum"], "probabilities", integers: ["axis": 1])
      if k > 0 {
        model.constant("k", [Int64(k)])
        model.node(
          "TopK", ["probabilities", "k"], outputs: ["top_k_scores", "places"], integers: ["axis": 1])
        model.constant("shift", [indexShift])
        model.node("Add", ["places", "shift"], "top_k_indices")
        // Not first, as an exporter may have them.
        model.output("top_k_indices", .i64, [1, k])
        model.output("top_k_scores", .f32, [1, k])
      }
      model.output("probabilities", .f32, [1, count])
    case .embedding:
      model.node("Identity", ["sum"], "embedding")
      model.output("embedding", .f32, [1, count])
    }
    return model.data()
  }

  private func reshape(_ model: inout ONNXBuilder, _ shape: [Int]) {
    model.constant("shape", shape.map(Int64.init))
    model.node("Reshape", ["sum", "shape"], "output0")
    model.output("output0", .f32, shape)
  }

  /// What the model gives, in the order of the file.
  /// - Parameter means: of red, green and blue, as the model is fed them.
  public func outputs(means: [Double]) -> [Double] {
    let sums = (0..<Self.count(head)).map { index in
      Double(offset(index)) + (0..<3).reduce(0.0) { $0 + means[$1] * Double(weights[index * 3 + $1]) }
    }
    guard case .classes = head else { return sums }
    let exponentials = sums.map { exp($0 - (sums.max() ?? 0)) }
    let total = exponentials.reduce(0, +)
    return exponentials.map { $0 / total }
  }
}
