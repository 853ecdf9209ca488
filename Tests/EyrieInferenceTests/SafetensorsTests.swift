import EyrieTestSupport
import Foundation
import Testing

@testable import EyrieInference

/// The reader of a stranger's file.
struct SafetensorsTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func read(_ data: Data) throws -> SafetensorsFile {
    try SafetensorsFile(path: try directory.write(data, "golden.safetensors"))
  }

  @Test func readsWhatWasWritten() throws {
    var file = SafetensorsBuilder()
    file.metadata = ["schema": "x", "ü": "ß"]
    file.tensors = [
      "bytes": .init("U8", [1, 2, 1, 3], [1, 2, 3, 4, 5, 255]),
      "numbers": .f32([2, 2], [1, -2, .pi, 1e-30]),
      "whole": .i64([3], [1, -1, .max]), "empty": .f32([0, 7], []), "one": .f32([], [5]),
    ]
    let found = try read(try file.data())
    #expect(found.metadata == file.metadata)
    #expect(found.bytes(of: try found.tensor("bytes", .u8, axes: 4)) == [1, 2, 3, 4, 5, 255])
    #expect(found.floats(of: try found.tensor("numbers", .f32, axes: 2)) == [1, -2, .pi, 1e-30])
    #expect(found.integers(of: try found.tensor("whole", .i64, axes: 1)) == [1, -1, .max])
    #expect(found.floats(of: try found.tensor("empty", .f32, axes: 2)) == [])
    #expect(found.floats(of: try found.tensor("one", .f32, axes: 0)) == [5])
    for (name, type, axes) in [("absent", ElementType.f32, 1), ("bytes", .f32, 4), ("bytes", .u8, 3)] {
      let error = #expect(throws: ModelError.self) { try found.tensor(name, type, axes: axes) }
      #expect(error?.code == .corrupt)
      #expect(error?.reason.contains(name) == true)
    }
  }

  struct Hostile: Sendable, CustomTestStringConvertible {
    var name: String
    var header: String
    var bodyCount = 8
    var length: UInt64?
    var says: String
    var testDescription: String { name }
  }

  private static func entry(_ shape: String, _ offsets: String, dtype: String = "F32") -> String {
    #"{"a": {"dtype": "\#(dtype)", "shape": \#(shape), "data_offsets": \#(offsets)}}"#
  }

  static let hostile = [
    Hostile(
      name: "header longer than the file", header: "{}", length: 1 << 16, says: "ends within its header"),
    Hostile(name: "header of 2^63", header: "{}", length: 1 << 63, says: "9223372036854775808"),
    Hostile(name: "header of 2^64 − 1", header: "{}", length: .max, says: "18446744073709551615"),
    Hostile(name: "header of 2^63 − 1", header: "{}", length: UInt64(Int64.max), says: "9223372036854775807"),
    Hostile(name: "no header", header: "", says: "header"),
    Hostile(name: "no JSON", header: "{\"a\": ", says: "no JSON"),
    Hostile(name: "an array", header: "[]", says: "header"),
    Hostile(name: "deep JSON", header: String(repeating: "[", count: 100_000), says: "no JSON"),
    Hostile(name: "no tensor", header: "{}", says: "8 bytes at its end"),
    Hostile(name: "unknown type", header: entry("[2]", "[0, 8]", dtype: "F8"), says: "type F8"),
    Hostile(name: "sub-byte type", header: entry("[16]", "[0, 8]", dtype: "F4"), says: "type F4"),
    Hostile(
      name: "type is no text", header: #"{"a": {"dtype": 1, "shape": [], "data_offsets": []}}"#, says: "dtype"
    ),
    Hostile(
      name: "no offsets", header: #"{"a": {"dtype": "F32", "shape": [2]}}"#, says: "data_offsets is missing"),
    Hostile(name: "one offset", header: entry("[2]", "[8]"), says: "lies at [8]"),
    Hostile(name: "three offsets", header: entry("[2]", "[0, 4, 8]"), says: "lies at [0, 4, 8]"),
    Hostile(name: "end before begin", header: entry("[2]", "[8, 0]"), says: "lies at [8, 0]"),
    Hostile(name: "negative begin", header: entry("[2]", "[-8, 0]"), says: "lies at [-8, 0]"),
    Hostile(name: "end behind the file", header: entry("[4]", "[0, 16]"), says: "outside the 8 bytes"),
    Hostile(name: "end of 2^63 − 1", header: entry("[2]", "[0, 9223372036854774784]"), says: "lies at"),
    Hostile(name: "end of 1e300", header: entry("[2]", "[0, 1e300]"), says: "not a whole number"),
    Hostile(name: "half an offset", header: entry("[2]", "[0, 8.5]"), says: "not a whole number"),
    Hostile(name: "shape too large", header: entry("[3]", "[0, 8]"), says: "has 8 bytes"),
    Hostile(name: "shape too small", header: entry("[1]", "[0, 8]"), says: "has 8 bytes"),
    Hostile(name: "negative shape", header: entry("[-1, -2]", "[0, 8]"), says: "has 8 bytes"),
    Hostile(
      name: "shape that overflows", header: entry("[4294967296, 4294967296]", "[0, 8]"), says: "has 8 bytes"),
    Hostile(name: "overflow to 8", header: entry("[4611686018427387904, 4]", "[0, 8]"), says: "has 8 bytes"),
    Hostile(
      name: "overlap",
      header:
        #"{"a": {"dtype": "U8", "shape": [6], "data_offsets": [0, 6]}, "b": {"dtype": "U8", "shape": [6], "data_offsets": [2, 8]}}"#,
      says: "b overlaps"),
    Hostile(
      name: "the same bytes twice",
      header:
        #"{"a": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}, "b": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}}"#,
      says: "overlaps"),
    Hostile(
      name: "a gap",
      header:
        #"{"a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}, "b": {"dtype": "U8", "shape": [2], "data_offsets": [6, 8]}}"#,
      says: "follows a gap"),
    Hostile(name: "bytes left over", header: entry("[1]", "[0, 4]"), says: "4 bytes at its end"),
    Hostile(
      name: "metadata that is no text", header: #"{"__metadata__": {"schema": 1}}"#, says: "schema is no text"
    ),
    Hostile(name: "metadata that is no object", header: #"{"__metadata__": "x"}"#, says: "__metadata__"),
  ]

  @Test(arguments: hostile)
  func hostileHeadersAreRefused(_ file: Hostile) throws {
    let data = SafetensorsBuilder.file(
      header: file.header, body: [UInt8](repeating: 0, count: file.bodyCount), headerLength: file.length)
    let error = #expect(throws: ModelError.self) { try read(data) }
    #expect(error?.code == .corrupt)
    #expect(error?.path.hasSuffix("golden.safetensors") == true)
    #expect(error?.reason.contains(file.says) == true, "\(error?.description ?? "")")
    #expect(error?.description.contains("\n") == false)
  }

  @Test func everyTruncationIsRefused() throws {
    var file = SafetensorsBuilder()
    file.metadata = ["schema": "x"]
    file.tensors = ["a": .f32([2], [1, 2]), "b": .i64([1], [3])]
    let data = try file.data()
    for length in 0..<data.count {
      let error = #expect(throws: ModelError.self) { try read(data.prefix(length)) }
      #expect(error?.code == .corrupt)
    }
    #expect(throws: ModelError.self) { try read(data + [0]) }
  }

  @Test func noiseIsRefused() throws {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<50 {
      let noise = Data((0..<200).map { _ in UInt8.random(in: 0...255, using: &generator) })
      #expect(throws: ModelError.self) { try read(noise) }
    }
  }

  @Test func onlyRegularFilesOfReasonableSizeAreRead() throws {
    for path in [directory.path("absent"), directory.root, "/dev/zero"] {
      let error = #expect(throws: ModelError.self) { try SafetensorsFile(path: path) }
      #expect(error?.code == .unreadable)
    }
    let path = try directory.write(Data(), "huge")
    #expect(truncate(path, off_t(SafetensorsFile.maximumByteCount + 1)) == 0)
    let error = #expect(throws: ModelError.self) { try SafetensorsFile(path: path) }
    #expect(error?.code == .corrupt)
  }
}
