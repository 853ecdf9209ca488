public import Foundation

/// Writes files in the safetensors format, sound ones and others.
public struct SafetensorsBuilder: Sendable {
  /// One tensor as it is to be written.
  public struct Tensor: Sendable {
    /// The format's name of the type, such as `F32`.
    public var dtype: String
    /// The length of each axis.
    public var shape: [Int]
    /// The numbers, little-endian.
    public var bytes: [UInt8]

    /// Any tensor.
    public init(_ dtype: String, _ shape: [Int], _ bytes: [UInt8]) {
      self.dtype = dtype
      self.shape = shape
      self.bytes = bytes
    }

    /// Numbers of binary32.
    public static func f32(_ shape: [Int], _ values: [Float]) -> Tensor {
      Tensor("F32", shape, values.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) })
    }

    /// Whole numbers of 64 bits.
    public static func i64(_ shape: [Int], _ values: [Int64]) -> Tensor {
      Tensor("I64", shape, values.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) })
    }
  }

  /// By name.
  public var tensors: [String: Tensor] = [:]
  /// `__metadata__`.
  public var metadata: [String: String] = [:]

  /// An empty file.
  public init() {}

  /// The file.
  public func data() throws -> Data {
    var header: [String: Any] = ["__metadata__": metadata]
    var body: [UInt8] = []
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      header[name] = [
        "dtype": tensor.dtype, "shape": tensor.shape,
        "data_offsets": [body.count, body.count + tensor.bytes.count],
      ]
      body += tensor.bytes
    }
    return Self.file(
      header: String(decoding: try JSONSerialization.data(withJSONObject: header), as: UTF8.self), body: body)
  }

  /// A file with any header.
  /// - Parameter headerLength: what the file says of its header's length; nil for the truth.
  public static func file(header: String, body: [UInt8], headerLength: UInt64? = nil) -> Data {
    let length = (headerLength ?? UInt64(header.utf8.count)).littleEndian
    return withUnsafeBytes(of: length) { Data($0) } + Data(header.utf8) + Data(body)
  }
}
