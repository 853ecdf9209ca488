import EyrieTestSupport
import Foundation
import Testing

@testable import EyrieInference

/// Models made on the spot, run on OpenVINO: what goes in and what comes out.
@Suite(.timeLimit(.minutes(10)))
struct GeneratedModelTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func session(
    _ model: ONNXBuilder, metadata: String? = nil, options: CompileOptions = .exact
  ) throws -> InferenceSession {
    let path = try directory.write(model.data(), "model.onnx")
    if let metadata { try directory.write(metadata, "conversion_metadata.json") }
    let description = try ModelPackage.load(metadata == nil ? path : directory.root)
    return try OpenVINOBackend.compile(description, options: options)
  }

  private func near(_ values: [Float], _ expected: [Float], within tolerance: Float = 1e-4) -> Bool {
    values.count == expected.count && zip(values, expected).allSatisfy { abs($0 - $1) <= tolerance }
  }

  private func means(_ session: InferenceSession) async throws -> [Float] {
    let lease = try await session.acquire()
    lease.fill(red: 255, green: 102, blue: 51)
    try await lease.infer()
    return try lease.floats()
  }

  @Test(arguments: [[1, 3, 32, 48], [1, 48, 32, 3], [-1, 3, 32, 48], [1, 3, -1, -1], [-1, -1, -1, 3]])
  func colourArrivesInRGB(_ shape: [Int]) async throws {
    let session = try session(TestModels.channelMeans(input: shape))
    let found = try await means(session)
    #expect(near(found, [1, 0.4, 0.2], within: 1e-3), "\(found)")
    #expect(session.model.input.layout == (shape[3] == 3 ? .nhwc : .nchw))
  }

  @Test func halfPrecisionInput() async throws {
    let session = try session(TestModels.channelMeans(type: .f16))
    #expect(session.model.input.elementType == .f16)
    #expect(near(try await means(session), [1, 0.4, 0.2], within: 1e-3))
  }

  @Test func byteInputIsNotScaled() async throws {
    let session = try session(TestModels.channelMeans(type: .u8))
    #expect(near(try await means(session), [255, 102, 51], within: 1e-2))
  }

  private static func metadata(_ input: String) -> String {
    """
    {"schema": "eyrie.model/1", "task": "classify", "format": "onnx", "input": {\(input)},
     "output": {"labels": ["a", "b", "c"]}}
    """
  }

  @Test func channelOrderOfThePackage() async throws {
    let session = try session(
      TestModels.channelMeans(), metadata: Self.metadata("\"channel_order\": \"bgr\""))
    #expect(near(try await means(session), [0.2, 0.4, 1]))
  }

  @Test func normalisationOfThePackage() async throws {
    let numbers = "\"scale\": 0.00392156862745098, \"mean\": [0.5, 0.4, 0.3], \"std\": [0.5, 0.25, 0.1]"
    let session = try session(TestModels.channelMeans(), metadata: Self.metadata(numbers))
    #expect(near(try await means(session), [1, 0, -1]))
  }

  @Test func embeddedPreprocessingGetsBytes() async throws {
    let session = try session(
      TestModels.channelMeans(), metadata: Self.metadata("\"embedded_preprocessing\": true"))
    #expect(near(try await means(session), [255, 102, 51], within: 1e-2))
  }

  @Test func everyPixelArrivesWhereItWasWritten() async throws {
    // Two pictures that differ in where the bright half is: width and height must not be swapped.
    var model = ONNXBuilder()
    model.metadata = [("task", "embed")]
    model.input("images", .f32, [1, 3, 4, 6])
    model.constant("flat", [1, 72])
    model.node("Reshape", ["images", "flat"], "output0")
    model.output("output0", .f32, [1, 72])
    let session = try session(model)
    #expect(session.inputRowStride == 18)
    #expect(session.inputByteSize == 72)
    let lease = try await session.acquire()
    lease.withInput { bytes in
      for index in 0..<bytes.count { bytes[index] = UInt8(index) }
    }
    try await lease.infer()
    let planes = try lease.floats().map { Int(($0 * 255).rounded()) }
    let expected = (0..<3).flatMap { channel in (0..<24).map { $0 * 3 + channel } }
    #expect(planes == expected)
  }

  @Test func halfPrecisionOutput() async throws {
    let session = try session(TestModels.detector(output: [1, 7, 84], outputType: .f16))
    #expect(session.model.output.elementType == .f16)
    let lease = try await session.acquire()
    lease.fill(red: 51, green: 51, blue: 51)
    try await lease.infer()
    try lease.withOutput { view in
      #expect(view.elementType == .f16)
      #expect(view.shape == [1, 7, 84])
      #expect(view.bytes.count == 7 * 84 * 2)
    }
    let values = try lease.floats()
    #expect(near([values[0], values[587]], [0.2, 0.2], within: 1e-3))
  }

  @Test func rowsThatDifferFromRunToRun() async throws {
    let session = try session(TestModels.brightRows())
    #expect(session.model.output.layout == .endToEnd)
    #expect(session.model.output.shape == [1, -1, 6])
    let lease = try await session.acquire()
    for rows in [[3, 9, 40], [], [63]] {
      lease.withInput { bytes in
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        for row in rows { for index in row * 192..<(row + 1) * 192 { bytes[index] = 255 } }
      }
      try await lease.infer()
      let shape = try lease.withOutput { $0.shape }
      #expect(shape == [1, rows.count, 6])
      #expect(try lease.floats() == rows.flatMap { [Float](repeating: Float($0), count: 6) })
    }
  }

  @Test func otherSizesOfADynamicModel() async throws {
    var options = CompileOptions.exact
    options.inputWidth = 96
    options.inputHeight = 64
    let model = TestModels.detector(
      input: [1, 3, -1, -1], output: [1, 7, 84],
      metadata: [("imgsz", "[64, 64]"), ("stride", "32"), ("names", "{0: 'a', 1: 'b', 2: 'c'}")])
    let session = try session(model, options: options)
    #expect(session.inputWidth == 96)
    #expect(session.inputHeight == 64)
    let lease = try await session.acquire()
    #expect(lease.withInput { $0.count } == 96 * 64 * 3)
    lease.fill(red: 255, green: 255, blue: 255)
    try await lease.infer()
    #expect(near([try lease.floats()[0]], [1]))

    options.inputWidth = 100
    let error = #expect(throws: ModelError.self) { try self.session(model, options: options) }
    #expect(error?.code == .invalidOption)
    #expect(error?.reason.contains("stride 32") == true)
    options.inputWidth = -5
    #expect(throws: ModelError.self) { try self.session(model, options: options) }
    options.inputWidth = .max
    #expect(throws: ModelError.self) { try self.session(model, options: options) }
  }

  @Test func fixedModelRefusesAnotherSize() throws {
    var options = CompileOptions.exact
    options.inputWidth = 128
    let error = #expect(throws: ModelError.self) {
      try self.session(TestModels.detector(output: [1, 7, 84]), options: options)
    }
    #expect(error?.code == .invalidOption)
    #expect(error?.reason.contains("fixed at 64×64") == true)
  }

  @Test func batchOfFourRunsWithOnePicture() async throws {
    let session = try session(TestModels.channelMeans(input: [4, 3, 32, 32]))
    #expect(session.model.input.batch == 4)
    #expect(try await means(session).count == 3)
    #expect(near(try await means(session), [1, 0.4, 0.2]))
  }

  @Test func batchThatCannotBeChanged() async throws {
    // The batch stands in a constant as well, as in many exports.
    var model = ONNXBuilder()
    model.metadata = [("task", "classify")]
    model.input("images", .f32, [4, 3, 8, 8])
    model.node("ReduceMean", ["images"], "means", integers: ["keepdims": 0], lists: ["axes": [2, 3]])
    model.constant("four", shape: [4, 1], [1, 1, 1, 1])
    model.node("Mul", ["means", "four"], "scores")
    model.output("scores", .f32, [4, 3])
    let session = try session(model)
    #expect(session.inputByteSize == 8 * 8 * 3)
    #expect(session.model.output.shape == [1, 3])
    #expect(session.model.notes.contains { $0.contains("4 pictures at once") })
    let lease = try await session.acquire()
    #expect(lease.withInput { $0.count } == 8 * 8 * 3)
    lease.fill(red: 255, green: 102, blue: 51)
    try await lease.infer()
    #expect(try lease.withOutput { $0.shape } == [1, 3])
    #expect(near(try lease.floats(), [1, 0.4, 0.2]))
  }

  @Test func optionsAreChecked() throws {
    for change: (inout CompileOptions) -> Void in [
      { $0.requestCount = 0 }, { $0.requestCount = 1_000_000 }, { $0.threadCount = -1 },
      { $0.streamCount = .max },
    ] {
      var options = CompileOptions.exact
      change(&options)
      let error = #expect(throws: ModelError.self) {
        try self.session(TestModels.channelMeans(), options: options)
      }
      #expect(error?.code == .invalidOption)
    }
  }

  @Test(arguments: ExecutionPrecision.allCases.filter { $0 != .int8 })
  func reportsThePrecisionItRunsIn(_ precision: ExecutionPrecision) async throws {
    var options = CompileOptions()
    options.precision = precision
    options.requestCount = 3
    options.threadCount = 1
    options.streamCount = 1
    options.performance = .latency
    let session = try session(TestModels.channelMeans(), options: options)
    #expect(session.executedPrecision != .auto)
    #expect(session.requestCount == 3)
    #expect(!session.deviceName.isEmpty)
    let isOther = precision != .auto && precision != session.executedPrecision
    #expect(session.model.notes.contains { $0.contains("was asked for") } == isOther)
    #expect(near(try await means(session), [1, 0.4, 0.2], within: 0.01))
  }

  @Test func onlyTheExpectedTaskIsLoaded() async throws {
    let path = try directory.write(TestModels.channelMeans().data(), "means.onnx")
    let session = try await OpenVINOBackend.open(path, expecting: .classify, options: .exact)
    #expect(session.requestCount >= 2)
    await #expect(throws: ModelError.self) { try await OpenVINOBackend.open(path, expecting: .detect) }
  }

  @Test func integersAreRefusedOfAModelThatHasNone() throws {
    var options = CompileOptions()
    options.precision = .int8
    let error = #expect(throws: ModelError.self) {
      try session(TestModels.channelMeans(), options: options)
    }
    #expect(error?.code == .invalidOption)
    #expect(error?.reason.contains("not quantised") == true)
  }
}
