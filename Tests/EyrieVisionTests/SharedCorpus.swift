import Foundation

/// The corpus beside the package, used by the tests that need it where it is there.
enum SharedCorpus {
  static let models: URL = {
    if let path = ProcessInfo.processInfo.environment["EYRIE_SHARED"] {
      return URL(fileURLWithPath: path).appending(path: "corpus/models")
    }
    return URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appending(path: "shared/corpus/models")
  }()

  static var isPresent: Bool {
    FileManager.default.fileExists(atPath: models.appending(path: "letterbox_public.json").path)
  }

  static func read<Value: Decodable>(_ name: String, as type: Value.Type) throws -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(type, from: Data(contentsOf: models.appending(path: name)))
  }
}

struct LetterboxCase: Decodable {
  struct Example: Decodable {
    let modelBox: [Double]
    let frameBox: [Double]
  }

  let modelWh: [Int]
  let frameWh: [Int]
  let gain: Double
  let resizedWh: [Int]
  let left: Int
  let top: Int
  let right: Int
  let bottom: Int
  let example: Example
}

struct DetectionCase: Decodable {
  struct Settings: Decodable {
    let conf: Float
    let iou: Float
    let agnostic: Bool
    let maxDet: Int
  }

  struct Expected: Decodable {
    let box: [Float]
    let score: Float
    let cls: Int
  }

  struct Frame: Decodable {
    let frameWh: [Int]
    let detections: [Expected]
  }

  struct Result: Decodable {
    let settings: Settings
    let detectionsModelPx: [Expected]
    let count: Int
    let frames: [Frame]?
    let imageValue_0_1: Float?
  }

  let file: String
  let inputHw: [Int]
  let outputLayout: String
  let results: [Result]?
}

/// Just enough of the ONNX container (protocol buffers) to get at the constants of a model.
struct ONNXConstants {
  enum Failure: Error {
    case truncated
    case noOutput
  }

  /// The constant output of the model for a black image, row-major, and its shape without the batch.
  let values: [Float]
  let shape: [Int]

  private struct Tensor {
    var shape: [Int] = []
    var type = 0
    var raw = Data()

    func elements<Element: BitwiseCopyable>(_: Element.Type) -> [Element] {
      raw.withUnsafeBytes { bytes in
        stride(from: 0, to: bytes.count, by: MemoryLayout<Element>.size).map {
          bytes.loadUnaligned(fromByteOffset: $0, as: Element.self)
        }
      }
    }
  }

  init(_ name: String) throws {
    let file = try Data(contentsOf: SharedCorpus.models.appending(path: name))
    var constants: [String: Tensor] = [:]
    try Self.forEachField(file) { number, _, graph in
      guard number == 7 else { return }
      try Self.forEachField(graph) { number, _, content in
        guard number == 5 else { return }
        var tensor = Tensor()
        var name = ""
        try Self.forEachField(content) { number, value, bytes in
          switch number {
          case 1: tensor.shape.append(value)
          case 2: tensor.type = value
          case 8: name = String(decoding: bytes, as: UTF8.self)
          case 9: tensor.raw = bytes
          default: break
          }
        }
        constants[name] = tensor
      }
    }
    if let shape = constants["base_shape"]?.elements(Int64.self).map(Int.init),
      let indices = constants["base_idx"]?.elements(Int64.self).map(Int.init),
      let scattered = constants["base_val"]?.elements(Float.self)
    {
      var values = [Float](repeating: 0, count: shape.reduce(1, *))
      for (number, value) in scattered.enumerated() {
        values[indices[number * 3 + 1] * shape[2] + indices[number * 3 + 2]] = value
      }
      self.values = values
      self.shape = Array(shape.dropFirst())
    } else if let dense = constants["dense"], let pads = constants["pads"]?.elements(Int64.self).map(Int.init)
    {
      let rows = dense.shape[1] + pads[1] + pads[4]
      let columns = dense.shape[2] + pads[2] + pads[5]
      var values = [Float](repeating: 0, count: rows * columns)
      for (number, value) in dense.elements(Float.self).enumerated() {
        let (row, column) = number.quotientAndRemainder(dividingBy: dense.shape[2])
        values[(row + pads[1]) * columns + column + pads[2]] = value
      }
      self.values = values
      shape = [rows, columns]
    } else if let base = constants["base"] {
      values = base.elements(Float.self)
      shape = Array(base.shape.dropFirst())
    } else {
      throw Failure.noOutput
    }
  }

  private static func forEachField(_ data: Data, _ body: (Int, Int, Data) throws -> Void) throws {
    var position = data.startIndex
    func varint() throws -> Int {
      var value: UInt64 = 0
      var shift: UInt64 = 0
      while position < data.endIndex {
        let byte = data[position]
        position += 1
        value |= UInt64(byte & 127) << shift
        shift += 7
        if byte < 128 { return Int(truncatingIfNeeded: value) }
      }
      throw Failure.truncated
    }
    while position < data.endIndex {
      let tag = try varint()
      var value = 0
      var length = 0
      switch tag & 7 {
      case 0: value = try varint()
      case 1: length = 8
      case 2: length = try varint()
      default: length = 4
      }
      guard length >= 0, position + length <= data.endIndex else { throw Failure.truncated }
      try body(tag >> 3, value, data[position..<position + length])
      position += length
    }
  }
}
