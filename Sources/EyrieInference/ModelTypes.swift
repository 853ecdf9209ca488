/// What a model does with a picture.
public enum ModelTask: String, Sendable, Codable, CaseIterable {
  /// Finds objects: boxes, classes and scores.
  case detect
  /// Names what a whole picture (a crop) shows.
  case classify
  /// Turns a picture into a vector that can be compared with others.
  case embed
}

/// The file format of a model.
public enum ModelFormat: String, Sendable, Codable, CaseIterable {
  /// OpenVINO IR: an `.xml` with a `.bin` beside it.
  case openvino
  /// Core ML: `.mlpackage` or `.mlmodel`.
  case coreml
  /// ONNX: `.onnx`, run through OpenVINO.
  case onnx
}

/// The number format of the weights in a model file (not of the arithmetic: see
/// ``ExecutionPrecision``).
public enum ModelPrecision: String, Sendable, Codable, CaseIterable {
  case float32
  case float16
  case mixed
  case int8
}

/// The order of the three channels a model expects.
public enum ChannelOrder: String, Sendable, Codable, CaseIterable {
  case rgb
  case bgr
}

/// The order of the axes of a model's input.
public enum InputLayout: String, Sendable, Codable, CaseIterable {
  case nchw
  case nhwc

  /// The shape of one picture in it.
  func shape(width: Int, height: Int) -> [Int] {
    self == .nchw ? [1, 3, height, width] : [1, height, width, 3]
  }
}

/// How a picture is brought to the size of a model's input.
public enum ResizeMode: String, Sendable, Codable, CaseIterable {
  /// Scaled with its aspect ratio kept, centred, the rest filled with the pad value.
  case letterbox
  /// Scaled to the input size, aspect ratio ignored.
  case stretch
  /// Scaled so that the shorter side fits, then the middle cut out.
  case centerCrop = "center_crop"
}

/// How pixels are filtered when a picture is resized.
public enum Interpolation: String, Sendable, Codable, CaseIterable {
  /// Over the two nearest pixels of each axis.
  case bilinear
  /// Over the four nearest pixels of each axis, by cubic polynomials.
  case bicubic
}

/// What the numbers that leave a model are.
public enum OutputKind: String, Sendable, Codable, CaseIterable {
  /// Box candidates, one per anchor, before non-maximum suppression: centre, size, class scores.
  case yoloGrid = "yolo_grid"
  /// Final boxes, one per row: corners, score, class. No further non-maximum suppression.
  case yoloEndToEnd = "yolo_end_to_end"
  /// Class scores before softmax.
  case logits
  /// Class scores after softmax or sigmoid.
  case probabilities
  /// The k best classes and their scores.
  case topK = "top_k"
  /// A feature vector.
  case embedding
}

/// Where the boxes are in a detector's output tensor.
public enum DetectionLayout: String, Sendable, Codable, CaseIterable {
  /// `[1, features, anchors]`, features = centre x, centre y, width, height, (objectness,) one score
  /// a class. Ultralytics' own export.
  case featuresFirst = "features_first"
  /// `[1, anchors, features]`, the same transposed.
  case anchorsFirst = "anchors_first"
  /// `[1, rows, 6]`, a row = x1, y1, x2, y2, score, class. Rows that are not used have score 0.
  case endToEnd = "end_to_end"
}

/// The type of one number in a tensor.
public enum ElementType: String, Sendable, Codable, CaseIterable {
  case f64, f32, f16, bf16
  case i64, i32, i16, i8
  case u64, u32, u16, u8
  /// Anything else (truth values, sub-byte integers, strings); Eyrie does not read such tensors.
  case other

  /// The size of one element in bytes; 0 for ``other``.
  public var byteSize: Int {
    switch self {
    case .f64, .i64, .u64: 8
    case .f32, .i32, .u32: 4
    case .f16, .bf16, .i16, .u16: 2
    case .i8, .u8: 1
    case .other: 0
    }
  }

  /// Reads the names that converters use: `f32`, `float32`, `float`, `uint8`, `FP16`, …
  init?(converterName: String) {
    let name = converterName.lowercased()
    switch name {
    case "float", "float32", "fp32": self = .f32
    case "half", "float16", "fp16": self = .f16
    case "bfloat16": self = .bf16
    case "double", "float64": self = .f64
    case "uint8": self = .u8
    case "int8": self = .i8
    case "int32": self = .i32
    case "int64": self = .i64
    default:
      guard let known = ElementType(rawValue: name), known != .other else { return nil }
      self = known
    }
  }
}

/// Writes a shape the way people do: `[1,84,8400]`, with `?` for a dimension that varies (−1).
func shapeText(_ shape: [Int]) -> String {
  "[" + shape.map { $0 < 0 ? "?" : String($0) }.joined(separator: ",") + "]"
}
