import EyrieTestSupport
import Foundation
import Testing

@testable import EyrieInference

/// Several pictures in one request, on OpenVINO: which row belongs to which picture, and what cannot have it.
@Suite(.timeLimit(.minutes(10)))
struct BatchTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func session(_ model: Data, batch: Int, requests: Int = 1) throws -> InferenceSession {
    let path = try directory.write(model, "model.onnx")
    return try compile(path, batch: batch, requests: requests)
  }

  private func compile(_ path: String, batch: Int, requests: Int = 1) throws -> InferenceSession {
    var options = CompileOptions.exact
    options.requestCount = requests
    options.batch = batch
    return try OpenVINOBackend.compile(try ModelPackage.load(path), options: options)
  }

  /// Different ones.
  private static func colours(_ count: Int, blue: UInt8 = 77) -> [Colour] {
    (0..<count).map { place in Colour(200 - UInt8(7 * place), UInt8(count), blue + UInt8(11 * place)) }
  }

  private func means(_ session: InferenceSession, _ colours: [Colour]) async throws -> [[Int]] {
    let lease = try await session.acquire()
    for (place, colour) in colours.enumerated() { lease.fill(place, colour, of: session) }
    try await lease.infer(count: colours.count)
    return try lease.rows().map { row in row.map { Int(($0 * 255).rounded()) } }
  }

  @Test(
    arguments: [
      [-1, 3, 32, 48], [1, 3, 32, 48], [4, 3, 32, 48], [-1, 48, 32, 3], [1, 3, -1, -1], [-1, -1, -1, 3],
    ], [2, 5])
  func eachPictureHasItsRow(_ shape: [Int], _ batch: Int) async throws {
    let session = try session(TestModels.channelMeans(input: shape).data(), batch: batch)
    #expect(session.batch == batch)
    #expect(session.inputByteSize == session.inputWidth * session.inputHeight * 3)
    #expect(session.model.notes.allSatisfy { !$0.contains("batch of") }, "\(session.model.notes)")
    // Up and down: a request goes from any number to any other.
    for count in Array(1...batch) + [1, batch, 2, 1] {
      let colours = Self.colours(count)
      let found = try await means(session, colours)
      #expect(found == colours.map(\.values), "\(count) of \(shape)")
    }
  }

  @Test func aRunTakesTheFirstPicturesOfTheMemory() async throws {
    let session = try session(TestModels.channelMeans(input: [-1, 3, 32, 32]).data(), batch: 3)
    let lease = try await session.acquire()
    #expect(lease.withInput { $0.count } == 3 * session.inputByteSize)
    #expect(lease.withInput { $0.allSatisfy { $0 == 0 } })
    for place in 0..<3 { lease.fill(place, Colour(UInt8(place + 1), 0, 0), of: session) }
    for count in [3, 2, 1] {
      try await lease.infer(count: count)
      #expect(try lease.rows().map { Int(($0[0] * 255).rounded()) } == Array(1...count))
      try lease.withOutput { view in
        #expect(view.shape == [count, 3])
        #expect(view.bytes.count == count * 12)
        #expect(view.row(count) == nil)
        #expect(view.row(-1) == nil)
        #expect(view.row(count - 1)?.shape == [1, 3])
      }
    }
  }

  @Test func anotherCountIsRefusedAndTheLeaseGoesOn() async throws {
    let session = try session(TestModels.channelMeans(input: [-1, 3, 32, 32]).data(), batch: 3)
    let lease = try await session.acquire()
    for count in [0, -1, 4, .max, .min] {
      let error = await #expect(throws: InferenceError.self) { try await lease.infer(count: count) }
      #expect(error?.description.contains("1 to 3") == true, "\(error?.description ?? "")")
    }
    lease.fill(0, Colour(255, 0, 0), of: session)
    try await lease.infer(count: 1)
    #expect(try lease.rows() == [[1, 0, 0]])
  }

  @Test func requestsDoNotDisturbOneAnother() async throws {
    let session = try session(
      TestModels.channelMeans(input: [-1, 3, 64, 64]).data(), batch: 4, requests: 3)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<60 {
        group.addTask {
          let colours = Self.colours(1 + number % 4, blue: UInt8(number))
          let found = try await self.means(session, colours)
          #expect(found == colours.map(\.values))
        }
      }
      try await group.waitForAll()
    }
    #expect(session.availableCount == 3)
  }

  // MARK: - Packages

  @Test func allOutputsOfAClassifierHaveARowForEachPicture() async throws {
    // The file has the batch in the shape of its input alone.
    let package = GoldenPackage(.classes(20, topK: 5))
    try package.write(to: URL(fileURLWithPath: directory.root), digest: SHA256.hexadecimal(ofFile:))
    let session = try compile(directory.root, batch: 3)
    #expect(session.batch == 3)
    let output = session.model.output
    let names = try #require(output.topKOutputs)
    let lease = try await session.acquire()
    let colours = [Colour(250, 3, 20), Colour(9, 200, 90), Colour(60, 60, 255)]
    for (place, colour) in colours.enumerated() { lease.fill(place, colour, of: session) }
    try await lease.infer(count: 3)
    let all = try lease.rows(output.index)
    let scores = try lease.rows(try #require(output.names.firstIndex(of: names.scores)))
    let indices = try #require(output.names.firstIndex(of: names.indices))
    #expect(Set(all.map { $0.firstIndex(of: $0.max() ?? 0) }).count > 1, "the colours are told apart")
    try lease.withOutput(indices) { view in
      #expect(view.shape == [3, 5])
      #expect(view.elementType == .i64)
      for (place, colour) in colours.enumerated() {
        let expected = package.original.outputs(means: colour.values.map { Double($0) / 255 })
        #expect(zip(all[place], expected).allSatisfy { abs(Double($0) - $1) < 1e-5 })
        let best = expected.indices.sorted { expected[$0] > expected[$1] }.prefix(5)
        let row = try #require(view.row(place))
        let found = (0..<5).map { row.bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self) }
        #expect(found == best.map(Int64.init))
        #expect(zip(scores[place], best).allSatisfy { abs(Double($0) - expected[$1]) < 1e-5 })
      }
    }
  }

  @Test(arguments: [LinearModel.Head.classes(7, topK: 0), .classes(20, topK: 5), .embedding(16)])
  func theGoldenFileIsReplayedInABatch(_ head: LinearModel.Head) async throws {
    var package = GoldenPackage(head)
    func report(batch: Int) async throws -> GoldenReport {
      try package.write(to: URL(fileURLWithPath: directory.root), digest: SHA256.hexadecimal(ofFile:))
      let session = try compile(directory.root, batch: batch)
      #expect(session.batch == batch)
      let golden = try #require(try Golden.load(for: session.model))
      return try await golden.replay(on: session)
    }
    let sound = try await report(batch: 4)
    #expect(sound.passed, "\(sound.failure ?? "")")
    // With one picture nothing is wrong with a model that mixes up its pictures.
    var mixing = package.original
    mixing.mixesBatch = true
    package.model = mixing.onnx()
    #expect(try await report(batch: 1).passed)
    #expect(try await !report(batch: 4).passed)
  }

  // MARK: - What cannot have it

  @Test(arguments: [
    LinearModel.Head.featuresFirst(classes: 2, anchors: 84), .anchorsFirst(classes: 2, anchors: 84),
  ])
  func aBatchInTheConstantsFallsBackToOne(_ head: LinearModel.Head) async throws {
    let package = GoldenPackage(head)
    try package.write(to: URL(fileURLWithPath: directory.root), digest: SHA256.hexadecimal(ofFile:))
    let session = try compile(directory.root, batch: 4)
    #expect(session.batch == 1)
    let note = session.model.notes.first { $0.contains("a batch of 4 was asked for") }
    #expect(note?.contains("one picture at a time") == true, "\(session.model.notes)")
    let lease = try await session.acquire()
    #expect(lease.withInput { $0.count } == session.inputByteSize)
    await #expect(throws: InferenceError.self) { try await lease.infer(count: 2) }
    let golden = try #require(try Golden.load(for: session.model))
    #expect(try await golden.replay(on: try compile(directory.root, batch: 4)).passed)
  }

  @Test func aFixedBatchOfSeveralFallsBackToOne() async throws {
    var model = ONNXBuilder()
    model.metadata = [("task", "embed")]
    model.input("images", .f32, [2, 3, 4, 6])
    model.constant("flat", [2, 72])
    model.node("Reshape", ["images", "flat"], "output0")
    model.output("output0", .f32, [2, 72])
    let session = try session(model.data(), batch: 2)
    #expect(session.batch == 1)
    #expect(session.model.notes.contains { $0.contains("it takes 2 at once") }, "\(session.model.notes)")
    let lease = try await session.acquire()
    lease.fill(0, Colour(255, 255, 255), of: session)
    try await lease.infer()
    #expect(try lease.rows() == [[Float](repeating: 1, count: 72)])
  }

  @Test func anOutputWithOtherRowsThanPicturesIsNotRead() async throws {
    // n × n rows for n pictures: with one picture all is well, and shapes do not tell before a run.
    var model = ONNXBuilder()
    model.metadata = [("task", "embed")]
    model.input("images", .f32, [-1, 3, 8, 8])
    model.node("Shape", ["images"], "shape")
    model.constant("first", [0])
    model.constant("end", [1])
    model.node("Slice", ["shape", "first", "end"], "count")
    model.node("Mul", ["count", "count"], "square")
    model.constant("length", [3])
    model.node("Concat", ["square", "length"], "rows", integers: ["axis": 0])
    model.node("ReduceMean", ["images"], "mean", integers: ["keepdims": 0])
    model.node("Expand", ["mean", "rows"], "output0")
    model.output("output0", .f32, [-1, 3])
    let session = try session(model.data(), batch: 3)
    #expect(session.batch == 3)
    let lease = try await session.acquire()
    try await lease.infer(count: 1)
    #expect(try lease.rows().count == 1)
    try await lease.infer(count: 2)
    let error = #expect(throws: InferenceError.self) { try lease.rows() }
    #expect(error?.description.contains("[4,3]") == true, "\(error?.description ?? "")")
  }

  @Test(arguments: [0, -1, 257, Int.max, Int.min])
  func anImpossibleBatchIsRefused(_ batch: Int) throws {
    let error = #expect(throws: ModelError.self) {
      try session(TestModels.channelMeans(input: [-1, 3, 32, 32]).data(), batch: batch)
    }
    #expect(error?.code == .invalidOption)
    #expect(error?.reason.contains("\(batch)") == true)
  }

  @Test func aBatchThatWouldExhaustMemoryIsRefused() throws {
    let path = try directory.write(
      TestModels.channelMeans(input: [-1, 3, -1, -1]).data(), "model.onnx")
    var options = CompileOptions.exact
    (options.batch, options.inputWidth, options.inputHeight) = (256, 8192, 8192)
    let model = try ModelPackage.load(path)
    let error = #expect(throws: ModelError.self) { try OpenVINOBackend.compile(model, options: options) }
    #expect(error?.code == .invalidOption)
  }
}

/// A picture of one colour.
private struct Colour {
  let red, green, blue: UInt8

  init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
    (self.red, self.green, self.blue) = (red, green, blue)
  }

  var values: [Int] { [Int(red), Int(green), Int(blue)] }
}

extension RequestLease {
  /// Fills one of the pictures with a colour.
  fileprivate func fill(_ place: Int, _ colour: Colour, of session: InferenceSession) {
    withInput { bytes in
      let start = place * session.inputByteSize
      for pixel in stride(from: start, to: start + session.inputByteSize, by: 3) {
        (bytes[pixel], bytes[pixel + 1], bytes[pixel + 2]) = (colour.red, colour.green, colour.blue)
      }
    }
  }

  /// The rows of an output of f32.
  fileprivate func rows(_ index: Int = 0) throws -> [[Float]] {
    try withOutput(index) { view in
      try (0..<view.shape[0]).map { place in
        let row = try #require(view.row(place))
        return Array(row.bytes.bindMemory(to: Float.self))
      }
    }
  }
}
