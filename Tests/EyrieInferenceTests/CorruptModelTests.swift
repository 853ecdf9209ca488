import EyrieTestSupport
import Foundation
import Testing

@testable import EyrieInference

/// Damaged files: an error in one line, never a crash.
@Suite(.timeLimit(.minutes(10)))
struct CorruptModelTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func failure(_ path: String) throws -> ModelError {
    let error = #expect(throws: ModelError.self) { try ModelPackage.load(path) }
    let found = try #require(error)
    #expect(!found.description.contains("\n"))
    #expect(!found.description.contains(".cpp"), "\(found)")
    return found
  }

  @Test func damagedXML() throws {
    let ir = TestModels.irDetector(features: 7, anchors: 84)
    _ = try ir.write(to: directory)
    let xml = ir.xml
    for (text, says) in [
      ("", "is empty"), ("<html><body>404 Not Found</body></html>", "<net>"), ("\u{0}\u{1}\u{2}", "<net>"),
      ("{\"a\": 1}", "<net>"), (String(xml.prefix(xml.count / 2)), "OpenVINO cannot read"),
      (xml.replacing("version=\"11\"", with: "version=\"7\""), "IR version 7"),
      (xml.replacing("\"ReduceMean\"", with: "\"ReduceMystery\""), "ReduceMystery"),
      (xml.replacing("</net>", with: ""), "OpenVINO cannot read"),
    ] {
      let error = try failure(try directory.write(text, "model.xml"))
      #expect(error.code == .corrupt, "\(error)")
      #expect(error.reason.contains(says), "\(error)")
    }
  }

  @Test func missingOrShortWeights() throws {
    let path = try TestModels.irDetector(features: 7, anchors: 84).write(to: directory)
    let size = 32 + 7 * 84 * 4
    try directory.write(Data(count: 100), "model.bin")
    #expect(try failure(path).reason.contains("has 100 bytes, the model needs \(size)"))
    try FileManager.default.removeItem(atPath: directory.path("model.bin"))
    #expect(try failure(path).reason.contains("model.bin must stand beside it"))
    try directory.write("", "model.bin/file")
    #expect(try failure(path).code == .corrupt)
  }

  @Test func weightsThatReachBeyondAllNumbers() throws {
    let ir = TestModels.irDetector(features: 7, anchors: 84)
    _ = try ir.write(to: directory)
    let path = try directory.write(
      ir.xml.replacing("offset=\"32\"", with: "offset=\"18446744073709551615\""), "model.xml")
    #expect(try failure(path).code == .corrupt)
  }

  @Test func damagedONNX() throws {
    let data = TestModels.detector(output: [1, 7, 84]).data()
    for content in [
      Data(), Data("<html></html>".utf8), Data(repeating: 0xFF, count: 100), Data(count: 1000),
      data.prefix(data.count / 2),
      Data("PK\u{3}\u{4}".utf8),
    ] {
      #expect(try failure(try directory.write(content, "model.onnx")).code == .corrupt)
    }
  }

  @Test func unknownOperation() throws {
    var model = ONNXBuilder()
    model.input("images", .f32, [1, 3, 64, 64])
    model.node("FluxCapacitor", ["images"], "output0")
    model.output("output0", .f32, [1, 7, 84])
    let error = try failure(try directory.write(model.data(), "model.onnx"))
    #expect(error.reason.contains("FluxCapacitor"), "\(error)")
  }

  /// Loads, compiles and runs once whatever still can be: nothing may crash.
  private func survive(_ path: String) async -> Bool {
    do {
      // On a thread of its own: hundreds of these must not hold up the tests that run beside.
      let session = try await OpenVINOBackend.open(path, options: .exact)
      let lease = try await session.acquire()
      try await lease.infer()
      _ = try lease.withOutput(session.model.output.index) { view in
        // A byte of each page: damage can ask for outputs of hundreds of megabytes.
        stride(from: 0, to: view.bytes.count, by: 4096).reduce(0) { $0 &+ Int(view.bytes[$1]) }
      }
      return true
    } catch {
      let text = "\(error)"
      #expect(!text.isEmpty && !text.contains("\n") && !text.contains(".cpp:"), "\(text)")
      return false
    }
  }

  @Test func flippedBitsAndCutsOfONNX() async throws {
    let whole = TestModels.detector(
      output: [1, 7, 84], metadata: [("names", "{0: 'a', 1: 'b', 2: 'c'}"), ("imgsz", "[64, 64]")]
    ).data()
    var survivors = 0
    for damaged in Damage.variants(of: whole, count: 300) {
      if await survive(try directory.write(damaged, "model.onnx")) { survivors += 1 }
    }
    // Many flips hit names and labels; if none survived, the test would not reach the backend.
    #expect((1..<300).contains(survivors))
  }

  @Test func flippedBitsAndCutsOfXML() async throws {
    let ir = TestModels.irDetector(features: 7, anchors: 84)
    _ = try ir.write(to: directory)
    var survivors = 0
    for damaged in Damage.variants(of: Data(ir.xml.utf8), count: 300) {
      if await survive(try directory.write(damaged, "model.xml")) { survivors += 1 }
    }
    #expect((1..<300).contains(survivors))
  }
}

/// The same damage on every run.
enum Damage {
  /// Every third cut short, the others with one to three bits flipped.
  static func variants(of data: Data, count: Int) -> [Data] {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    func next(_ bound: Int) -> Int {
      // xorshift64: Marsaglia, "Xorshift RNGs", 2003.
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(bound))
    }
    return (0..<count).map { index in
      if index % 3 == 0 { return data.prefix(next(data.count)) }
      var damaged = Data(data)
      for _ in 0...next(3) { damaged[next(damaged.count)] ^= 1 << UInt8(next(8)) }
      return damaged
    }
  }
}
