import Foundation

/// A file of named tensors in the safetensors format: the length of a JSON header (8 bytes, little-endian), the
/// header `{name: {dtype, shape, data_offsets}, "__metadata__": {string: string}}`, and the numbers, little-endian
/// and without gaps (https://github.com/huggingface/safetensors, "Format").
///
/// The file is a stranger's: everything it says about itself is checked before it is followed.
struct SafetensorsFile {
  /// One tensor, of which the bytes are known to be there.
  struct Tensor {
    var elementType: ElementType
    var shape: [Int]
    fileprivate var range: Range<Int>
  }

  /// A golden file has up to some megabytes: one picture and the numbers of some anchors.
  static let maximumByteCount = 64 << 20
  private static let maximumHeaderByteCount = 1 << 20

  let path: String
  let metadata: [String: String]
  let tensors: [String: Tensor]
  /// What follows the header.
  private let body: Data

  /// Reads a file whole.
  /// - Throws: ``ModelError``: `unreadable` where there is no file, `corrupt` where it is not what it should be.
  init(path: String) throws(ModelError) {
    self.path = path
    guard let size = fileSize(path) else { throw ModelError(.unreadable, path, "no such file") }
    guard size <= Self.maximumByteCount else {
      throw Self.damage(path, "\(size) bytes are more than the \(Self.maximumByteCount) that are read")
    }
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw ModelError(.unreadable, path, "cannot be read: \(reason(of: error))")
    }
    guard data.count >= 8 else { throw Self.damage(path, "it ends within its first 8 bytes") }
    let length = data.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    guard let headerCount = Int(exactly: length), headerCount <= Self.maximumHeaderByteCount else {
      throw Self.damage(path, "its header is said to have \(length) bytes")
    }
    guard headerCount <= data.count - 8 else {
      throw Self.damage(path, "it ends within its header of \(headerCount) bytes")
    }
    let start = data.startIndex + 8
    body = data[(start + headerCount)...]
    let header: Header
    do {
      header = try JSONDecoder().decode(Header.self, from: data[start..<start + headerCount])
    } catch {
      throw Self.damage(path, "its header: \(reason(ofDecoding: error))")
    }
    metadata = header.metadata
    tensors = try Self.check(header.entries, byteCount: body.count, path: path)
  }

  private static func damage(_ path: String, _ reason: String) -> ModelError {
    ModelError(.corrupt, path, "is no sound safetensors file: \(reason)")
  }

  /// Checks that each tensor has the bytes its shape needs, and that together they fill the file without gaps
  /// or overlaps, as the format demands.
  private static func check(
    _ entries: [String: Entry], byteCount: Int, path: String
  ) throws(ModelError) -> [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for (name, entry) in entries {
      guard let type = elementType(entry.dtype) else {
        throw damage(path, "\(name) has elements of type \(entry.dtype)")
      }
      let shape = entry.shape.map(\.value)
      let offsets = entry.dataOffsets.map(\.value)
      guard offsets.count == 2, 0 <= offsets[0], offsets[0] <= offsets[1], offsets[1] <= byteCount else {
        throw damage(path, "\(name) lies at \(offsets), outside the \(byteCount) bytes that there are")
      }
      guard let needed = elementCount(shape, times: type.byteSize), needed == offsets[1] - offsets[0] else {
        throw damage(
          path,
          "\(name) of shape \(shapeText(shape)) and type \(entry.dtype) has \(offsets[1] - offsets[0]) bytes")
      }
      tensors[name] = Tensor(elementType: type, shape: shape, range: offsets[0]..<offsets[1])
    }
    var end = 0
    for (name, tensor) in tensors.sorted(by: {
      ($0.value.range.lowerBound, $0.value.range.upperBound) < (
        $1.value.range.lowerBound, $1.value.range.upperBound
      )
    }) {
      guard tensor.range.lowerBound == end else {
        throw damage(path, "\(name) overlaps another tensor or follows a gap")
      }
      end = tensor.range.upperBound
    }
    guard end == byteCount else {
      throw damage(path, "\(byteCount - end) bytes at its end belong to no tensor")
    }
    return tensors
  }

  /// The format's own names.
  private static func elementType(_ name: String) -> ElementType? {
    switch name {
    case "F64": .f64
    case "F32": .f32
    case "F16": .f16
    case "BF16": .bf16
    case "I64": .i64
    case "I32": .i32
    case "I16": .i16
    case "I8": .i8
    case "U64": .u64
    case "U32": .u32
    case "U16": .u16
    case "U8", "BOOL": .u8
    default: nil
    }
  }

  // MARK: - Reading

  /// The tensor of a name, type and number of axes.
  /// - Throws: ``ModelError`` when it is not there or is another.
  func tensor(_ name: String, _ type: ElementType, axes: Int) throws(ModelError) -> Tensor {
    guard let tensor = tensors[name] else { throw Self.damage(path, "it has no tensor \(name)") }
    guard tensor.elementType == type, tensor.shape.count == axes else {
      throw Self.damage(
        path,
        "\(name) is \(tensor.elementType.rawValue) \(shapeText(tensor.shape)), where \(type.rawValue) with "
          + "\(axes) axes is needed")
    }
    return tensor
  }

  func bytes(of tensor: Tensor) -> [UInt8] {
    Array(body[(body.startIndex + tensor.range.lowerBound)..<(body.startIndex + tensor.range.upperBound)])
  }

  /// The numbers of a tensor of f32.
  func floats(of tensor: Tensor) -> [Float] {
    bytes(of: tensor).withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map {
        Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)))
      }
    }
  }

  /// The numbers of a tensor of i64.
  func integers(of tensor: Tensor) -> [Int64] {
    bytes(of: tensor).withUnsafeBytes { bytes in
      (0..<bytes.count / 8).map {
        Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self))
      }
    }
  }
}

/// The header: what is said of each tensor, and free text.
private struct Header: Decodable {
  var metadata: [String: String] = [:]
  var entries: [String: Entry] = [:]

  private struct Name: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { return nil }
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Name.self)
    for key in container.allKeys {
      if key.stringValue == "__metadata__" {
        metadata = try container.decode([String: String].self, forKey: key)
      } else {
        entries[key.stringValue] = try container.decode(Entry.self, forKey: key)
      }
    }
  }
}

private struct Entry: Decodable {
  var dtype: String
  var shape: [WholeNumber]
  var dataOffsets: [WholeNumber]

  enum CodingKeys: String, CodingKey {
    case dtype, shape
    case dataOffsets = "data_offsets"
  }
}
