public import EyrieInference
import Foundation

/// A backend without a model: what comes out is computed by the test.
public final class FakeRequest: InferenceRequest, @unchecked Sendable {
  // Unchecked because its memory is touched by its one owner at a time, as `InferenceRequest` demands.

  /// The memory of the input tensor.
  public let input: UnsafeMutableRawBufferPointer
  private let values: UnsafeMutableBufferPointer<Float>
  private let shape: [Int]
  private let inputBytes: Int
  private let valueCount: Int
  /// How many pictures the last run had.
  private var count = 1
  private let body: @Sendable (UnsafeRawBufferPointer) async throws -> [Float]

  /// - Parameters:
  ///   - inputBytes: the size of one picture.
  ///   - shape: of the output tensor of f32 for one picture.
  ///   - batch: the most pictures at once; the session needs the same number.
  ///   - body: computes the output of one picture from its bytes. Called for each of a batch, in their order.
  public init(
    inputBytes: Int, shape: [Int], batch: Int = 1,
    body: @escaping @Sendable (UnsafeRawBufferPointer) async throws -> [Float]
  ) {
    input = .allocate(byteCount: inputBytes * batch, alignment: 64)
    input.initializeMemory(as: UInt8.self, repeating: 0)
    valueCount = shape.reduce(1, *)
    values = .allocate(capacity: valueCount * batch)
    values.initialize(repeating: 0)
    self.shape = shape
    self.inputBytes = inputBytes
    self.body = body
  }

  deinit {
    input.deallocate()
    values.deallocate()
  }

  /// Runs the test's body for each picture.
  public func infer(count: Int) async throws(InferenceError) {
    self.count = count
    do {
      for picture in 0..<count {
        let bytes = UnsafeRawBufferPointer(
          rebasing: input[(picture * inputBytes)..<((picture + 1) * inputBytes)])
        for (index, value) in try await body(bytes).prefix(valueCount).enumerated() {
          values[picture * valueCount + index] = value
        }
      }
    } catch {
      throw InferenceError("\(error)")
    }
  }

  /// The only output.
  public func output(_ index: Int) throws(InferenceError) -> TensorView {
    TensorView(
      elementType: .f32, shape: [count] + shape.dropFirst(),
      bytes: UnsafeRawBufferPointer(UnsafeMutableBufferPointer(rebasing: values[..<(count * valueCount)])))
  }
}

/// A detector of two classes at 64×64 with a features-first head of 10 anchors.
public enum FakeModel {
  /// The output that has no detection.
  public static let nothing = [Float](repeating: 0, count: 60)

  /// The output with one box of a class in the middle of the picture.
  public static func box(classID: Int, confidence: Float) -> [Float] {
    var values = nothing
    for (row, value) in [32, 32, 16, 16].enumerated() { values[row * 10] = Float(value) }
    values[(4 + classID) * 10] = confidence
    return values
  }

  /// What `ModelPackage.load` would say of it.
  /// - Parameter isDynamic: whether it claims to run at any multiple of 32 pixels.
  public static func description(isDynamic: Bool = false) throws -> ModelDescription {
    let json = """
      {"schema": "eyrie.model/1", "name": "fake", "task": "detect", "format": "onnx", "path": "fake.onnx",
       "files": [], "source": {},
       "input": {"name": "images", "width": 64, "height": 64, "channel_order": "rgb", "layout": "nchw",
         "element_type": "f32", "resize": "letterbox", "pad_value": 114, "mean": [0, 0, 0], "std": [1, 1, 1],
         "scale": 255, "embedded_preprocessing": false, "dynamic_spatial": \(isDynamic), "stride": 32,
         "dynamic_batch": false, "batch": 1},
       "output": {"kind": "yolo_grid", "names": ["output0"], "index": 0, "labels": ["person", "car"],
         "class_count": 2, "shape": [1, 6, 10], "element_type": "f32", "layout": "features_first",
         "objectness": false},
       "nms": {"embedded": false}, "notes": []}
      """
    return try JSONDecoder().decode(ModelDescription.self, from: Data(json.utf8))
  }

  /// A session of so many requests that all compute the same, for up to `batch` pictures at once.
  /// - Parameters:
  ///   - width: of the input in pixels.
  ///   - height: likewise.
  ///   - anchors: the boxes of the output.
  ///   - isDynamic: whether the model claims to run at other sizes.
  public static func session(
    requests: Int, batch: Int = 1, width: Int = 64, height: Int = 64, anchors: Int = 10,
    isDynamic: Bool = false,
    body: @escaping @Sendable (UnsafeRawBufferPointer) async throws -> [Float]
  ) throws -> InferenceSession {
    let made: [any InferenceRequest] = (0..<requests).map { _ in
      FakeRequest(inputBytes: width * height * 3, shape: [1, 6, anchors], batch: batch, body: body)
    }
    var model = try description(isDynamic: isDynamic)
    model.input.width = width
    model.input.height = height
    model.output.shape = [1, 6, anchors]
    return InferenceSession(
      model: model, deviceName: "fake", executedPrecision: .f32, requests: made,
      batch: batch)
  }
}
