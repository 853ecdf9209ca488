import EyrieTestSupport
import Foundation
import Testing

/// A debug build allocates what an optimised one does not.
private let countsAllocations: Bool = {
  #if DEBUG || !os(Linux)
    false
  #else
    true
  #endif
}()

/// What a frame may allocate on the heap. Whoever adds to it finds the place in the message; `make bench-allocations`
/// shows the whole table.
@Suite("Heap allocations", .enabled(if: countsAllocations, "needs optimised code, and glibc"))
struct AllocationTests {
  private struct Place: Decodable {
    let perFrame: Double
    let functions: [String]

    func isIn(_ name: String) -> Bool { functions.contains { $0.contains(name) } }
  }

  private struct Report: Decodable {
    let frames: Int
    let libraries: [String: Double]
    let own: [Place]

    /// Of the Swift runtime on its own account: what it needs to hand jobs to its pool.
    var runtime: Double {
      libraries.filter {
        $0.key.hasPrefix("libswift") || $0.key.hasPrefix("libc.") || $0.key == "libdispatch.so"
      }
      .values.reduce(0, +)
    }
  }

  private func measure<Value: Decodable>(_ arguments: [String], as type: Value.Type) async throws -> Value {
    let result = try await Tool.measure.run(arguments)
    try #require(result.code == 0, "\(result.errors)")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(type, from: Data(result.output.utf8))
  }

  /// The frame, its place in the run, its slot, and the loan of an infer request: objects of which the end gives back a
  /// picture, a count, a slot and a request. And the list of the objects, where there are some.
  private static let perFrame = 5.0
  /// Frames under way when counting began and ended, and what happens once a second.
  private static let tolerance = 0.5

  @Test("of a frame on its way through a run are the frame itself, its request and the list of its objects")
  func frame() async throws {
    let report = try await measure(
      ["frames", "testsrc:320x180", TinyDetector.path, "--json", "--where", "4"], as: Report.self)
    #expect(report.frames >= 400)
    #expect(report.libraries.keys.contains { $0.hasPrefix("libopenvino") }, "nothing else is counted")
    let sum = report.own.reduce(0) { $0 + $1.perFrame }
    #expect(sum <= Self.perFrame + Self.tolerance, "\(report.own)")
    // Each of them is found, so counting works.
    #expect(sum >= Self.perFrame - Self.tolerance, "\(report.own)")
    #expect(report.runtime <= Self.tolerance, "\(report.libraries)")
  }

  @Test("are no more where frames come too fast and are dropped")
  func drops() async throws {
    let report = try await measure(
      ["frames", "testsrc:320x180", TinyDetector.path, "--drop", "--json", "--where", "4"], as: Report.self)
    // More frames are decoded than leave.
    let decoding = report.own.filter { $0.isIn("VideoReader") || $0.isIn("emitFrames") }
    #expect(decoding.count == 2)
    let rest = report.own.filter { !$0.isIn("VideoReader") && !$0.isIn("emitFrames") }
    #expect(rest.reduce(0) { $0 + $1.perFrame } <= Self.perFrame - 2 + Self.tolerance, "\(rest)")
    #expect(report.runtime <= Self.tolerance, "\(report.libraries)")
  }

  private struct Part: Decodable {
    let name: String
    let own: Double
    let functions: [String]
  }

  @Test("of the parts that say they need none are none")
  func parts() async throws {
    let parts = try await measure(["parts", "--json"], as: [Part].self)
    #expect(parts.count >= 8)
    for part in parts { #expect(part.own == 0, "\(part)") }
  }
}
