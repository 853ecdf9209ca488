import Foundation

/// The few things Eyrie reads from an ONNX file by itself: the metadata properties, which OpenVINO's C
/// interface does not give, and the type of the weights.
///
/// Walks the protobuf wire format of `onnx.ModelProto` (field numbers from onnx/onnx.proto3). Every
/// length is checked against the file, so a damaged file gives an error here, before a library sees it.
struct ONNXFile {
  /// `metadata_props`, in the order of the file; a later key replaces an earlier one.
  private(set) var properties: [String: String] = [:]
  /// The number format most of the weights have; `nil` without weights.
  private(set) var precision: ModelPrecision?

  private enum ModelField {
    static let irVersion: UInt64 = 1
    static let graph: UInt64 = 7
    static let operatorSet: UInt64 = 8
    static let metadata: UInt64 = 14
  }

  init(path: String) throws(ModelError) {
    self = try withFileBytes(path) { bytes throws(ModelError) in
      do throws(ProtobufReader.Damage) {
        return try ONNXFile(bytes: bytes)
      } catch {
        throw ModelError(
          .corrupt, path, "no usable ONNX file: \(error.reason); it may be damaged or only half copied")
      }
    }
  }

  init(bytes: UnsafeRawBufferPointer) throws(ProtobufReader.Damage) {
    guard !bytes.isEmpty else { throw .init(reason: "it is empty") }
    var reader = ProtobufReader(bytes)
    var hasVersion = false
    var hasGraph = false
    var hasOperatorSet = false
    var weights = WeightCount()
    while let field = try reader.next() {
      switch (field.number, field.payload) {
      case (ModelField.irVersion, .varint): hasVersion = true
      case (ModelField.graph, .bytes(let graph)):
        hasGraph = true
        try Self.count(graph, into: &weights)
      case (ModelField.operatorSet, .bytes): hasOperatorSet = true
      case (ModelField.metadata, .bytes(let entry)): try readProperty(entry)
      case (ModelField.irVersion, _), (ModelField.graph, _), (ModelField.operatorSet, _),
        (ModelField.metadata, _), (0, _):
        throw .init(reason: "its structure is not that of an ONNX model")
      default: break
      }
    }
    guard hasVersion, hasGraph, hasOperatorSet else {
      throw .init(reason: hasGraph ? "its header is missing" : "it holds no model graph")
    }
    precision = weights.precision
  }

  /// `StringStringEntryProto`: key = 1, value = 2.
  private mutating func readProperty(_ entry: UnsafeRawBufferPointer) throws(ProtobufReader.Damage) {
    var reader = ProtobufReader(entry)
    var key: String?
    var value: String?
    while let field = try reader.next() {
      guard case .bytes(let bytes) = field.payload else { continue }
      // Invalid UTF-8 becomes U+FFFD rather than an error: it is only text for people.
      if field.number == 1 { key = String(decoding: bytes, as: UTF8.self) }
      if field.number == 2 { value = String(decoding: bytes, as: UTF8.self) }
    }
    if let key { properties[key] = value ?? "" }
  }

  /// The metadata in Ultralytics' keys.
  var exportMetadata: ExportMetadata {
    let texts: Set = ["task", "description", "author", "version", "license"]
    let fields = properties.reduce(into: [String: MetadataValue]()) { fields, property in
      let asText = MetadataValue.string(property.value)
      fields[property.key] =
        texts.contains(property.key) ? asText : MetadataValue(pythonLiteral: property.value) ?? asText
    }
    return ExportMetadata(origin: "the ONNX metadata", ultralytics: fields)
  }

  /// `GraphProto.initializer` = 5, a `TensorProto` with dims = 1, data_type = 2.
  private static func count(
    _ graph: UnsafeRawBufferPointer, into weights: inout WeightCount
  ) throws(ProtobufReader.Damage) {
    var reader = ProtobufReader(graph)
    while let field = try reader.next() {
      guard field.number == 5, case .bytes(let tensor) = field.payload else { continue }
      var fields = ProtobufReader(tensor)
      var type = ElementType.other
      var elementCount = 1.0
      while let field = try fields.next() {
        switch (field.number, field.payload) {
        case (1, .varint(let length)): elementCount *= Double(length)
        case (1, .bytes(let packed)):
          var lengths = ProtobufReader(packed)
          while !lengths.isAtEnd { elementCount *= Double(try lengths.varint()) }
        case (2, .varint(let value)): type = elementType(value)
        default: break
        }
      }
      weights.add(elementCount, type: type)
    }
  }

  /// The types of `TensorProto.DataType` that weights have.
  private static func elementType(_ code: UInt64) -> ElementType {
    switch code {
    case 1: .f32
    case 2: .u8
    case 3: .i8
    case 10: .f16
    case 11: .f64
    case 16: .bf16
    default: .other
    }
  }
}
