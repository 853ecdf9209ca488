import EyrieTestSupport
import Foundation
import Synchronization
import Testing

@testable import EyrieInference

/// Golden files, replayed on the real backend: sound packages pass, and each kind of damage fails.
@Suite(.timeLimit(.minutes(10)))
struct GoldenTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  static let heads: [LinearModel.Head] = [
    .featuresFirst(classes: 2, anchors: 84), .anchorsFirst(classes: 2, anchors: 84), .classes(7, topK: 0),
    .classes(20, topK: 5), .embedding(16),
  ]

  private func load(_ package: GoldenPackage) throws -> (model: ModelDescription, golden: Golden) {
    try package.write(to: URL(fileURLWithPath: directory.root), digest: SHA256.hexadecimal(ofFile:))
    let model = try ModelPackage.load(directory.root)
    return (model, try #require(try Golden.load(for: model)))
  }

  private func replay(
    _ package: GoldenPackage, _ precision: ExecutionPrecision = .f32
  ) async throws -> GoldenReport {
    let (model, golden) = try load(package)
    var options = CompileOptions()
    options.precision = precision
    options.requestCount = 1
    options.inputWidth = golden.width
    options.inputHeight = golden.height
    return try await golden.replay(on: try OpenVINOBackend.compile(model, options: options))
  }

  @Test(arguments: heads)
  func soundPackagesPass(_ head: LinearModel.Head) async throws {
    let report = try await replay(GoldenPackage(head))
    #expect(report.passed, "\(report.failure ?? "")")
    #expect(report.precision == .f32)
    #expect(!report.comparisons.isEmpty)
    #expect(report.failure == nil)
    let json = try JSONEncoder().encode(report)
    #expect(try JSONDecoder().decode(GoldenReport.self, from: json) == report)
  }

  @Test(arguments: heads)
  func theDefaultArithmeticHasItsOwnTolerance(_ head: LinearModel.Head) async throws {
    let report = try await replay(GoldenPackage(head), .auto)
    #expect(report.passed, "\(report.failure ?? "")")
    // The difference of bf16 is more than f32 is allowed, and not nothing.
    guard report.precision == .bf16 else { return }
    var strict = GoldenPackage(head)
    let tolerance = strict.golden?.metadata["tolerance"] ?? ""
    strict.golden?.metadata["tolerance"] = tolerance.replacing("0.02", with: "1e-9")
      .replacing("0.05", with: "1e-9").replacing("0.1}", with: "1e-9}")
    let failed = try await replay(strict, .auto)
    #expect(!failed.passed)
  }

  struct Damage: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var change: @Sendable (inout GoldenPackage) -> Void

    init(_ name: String, _ change: @escaping @Sendable (inout GoldenPackage) -> Void) {
      testDescription = name
      self.change = change
    }
  }

  static let damages = [
    Damage("BGR for RGB") { $0.channelOrder = "bgr" },
    Damage("a wrong scale") { $0.scale = 1.0 / 256 },
    Damage("bytes as they are") { $0.scale = 1 },
    Damage("another padding") { $0.padding = 0 },
    Damage("negated weights") { package in
      var other = package.original
      for index in 0..<other.weights.count { other.weights[index].negate() }
      package.model = other.onnx()
    },
    Damage("one flipped weight") { package in
      var other = package.original
      // Of the first number of anchor 1, which is one of those in the file.
      let number = if case .anchorsFirst(let classes, _) = other.head { 4 + classes } else { 1 }
      other.weights[number * 3].negate()
      package.model = other.onnx()
    },
    Damage("NaN") { package in
      var other = package.original
      other.disturbance = .nan
      package.model = other.onnx()
    },
    Damage("infinity") { package in
      var other = package.original
      other.disturbance = .infinity
      package.model = other.onnx()
    },
  ]

  @Test(arguments: damages, heads)
  func damageFails(_ damage: Damage, _ head: LinearModel.Head) async throws {
    var package = GoldenPackage(head)
    damage.change(&package)
    let report = try await replay(package)
    let passed = report.passed
    #expect(!passed)
    let (model, golden) = try load(package)
    let made = golden.refusal(report, of: model)
    let refusal = try #require(made)
    #expect(refusal.code == .failedGolden)
    #expect(refusal.description.contains("eyrie model check \(directory.root)"))
    #expect(!refusal.description.contains("\n"))
  }

  @Test func coarseDamageShowsInLowPrecisionToo() async throws {
    for damage in Self.damages
    where ["BGR for RGB", "negated weights", "NaN"].contains(damage.testDescription) {
      var package = GoldenPackage(.featuresFirst(classes: 2, anchors: 84))
      damage.change(&package)
      #expect(try await !replay(package, .auto).passed, "\(damage)")
    }
  }

  @Test func otherShapesFail() async throws {
    let detector = GoldenPackage(.featuresFirst(classes: 2, anchors: 84))
    var fewer = detector
    fewer.golden?.tensors["anchors"] = .i64([28], (0..<28).map { $0 + 57 })
    #expect(try await replay(fewer).failure?.contains("shape") == true)
    var classes = GoldenPackage(.classes(7, topK: 0))
    classes.golden = GoldenPackage(.classes(8, topK: 0)).golden
    #expect(try await replay(classes).failure?.contains("there are 7") == true)
    var embedding = GoldenPackage(.embedding(16))
    embedding.golden = GoldenPackage(.embedding(17)).golden
    #expect(try await replay(embedding).failure?.contains("there are 16") == true)
    var list = GoldenPackage(.classes(20, topK: 0))
    list.golden = GoldenPackage(.classes(20, topK: 5)).golden
    #expect(try await replay(list).failure?.contains("the model lists none") == true)
  }

  @Test func aWrongListOfBestClassesFails() async throws {
    var package = GoldenPackage(.classes(20, topK: 5))
    var other = package.original
    other.indexShift = 1
    package.model = other.onnx()
    let report = try await replay(package)
    #expect(report.comparisons.filter { !$0.passed }.map(\.what) == ["top_k_indices"])
  }

  @Test func aDynamicModelIsReplayedAtTheSizeOfTheGoldenFile() async throws {
    let package = GoldenPackage(.anchorsFirst(classes: 2, anchors: 84), size: (96, 64), isDynamic: true)
    let (model, golden) = try load(package)
    #expect(model.input.width == 64)
    #expect((golden.width, golden.height) == (96, 64))
    #expect(try await replay(package).passed)
    let usual = try OpenVINOBackend.compile(model, options: .exact)
    await #expect(throws: ModelError.self) { try await golden.replay(on: usual) }
  }

  @Test func theRequestIsGivenBackAndGoesOnAsBefore() async throws {
    let (model, golden) = try load(GoldenPackage(.embedding(16)))
    var options = CompileOptions.exact
    options.requestCount = 1
    let session = try OpenVINOBackend.compile(model, options: options)
    func answer() async throws -> [Float] {
      let lease = try await session.acquire()
      lease.fill(red: 1, green: 2, blue: 3)
      try await lease.infer()
      return try lease.floats(session.model.output.index)
    }
    let before = try await answer()
    #expect(try await golden.replay(on: session).passed)
    #expect(session.availableCount == 1)
    #expect(try await answer() == before)
  }

  @Test func thePictureLiesAtTheTopLeftAndTheRestIsPadding() async throws {
    let package = GoldenPackage(.featuresFirst(classes: 2, anchors: 84))
    let (model, golden) = try load(package)
    let seen = Mutex<[UInt8]>([])
    let request = EyrieTestSupport.FakeRequest(inputBytes: 64 * 64 * 3, shape: [1, 6, 84]) { input in
      seen.withLock { $0 = Array(input) }
      var output = [Float](repeating: 0, count: 6 * 84)
      // Of an anchor that is not in the file.
      output[2 * 84] = .nan
      return output
    }
    // What an owner before left there.
    request.input.initializeMemory(as: UInt8.self, repeating: 7)
    let session = InferenceSession(
      model: model, deviceName: "fake", executedPrecision: .f32, requests: [request])
    let report = try await golden.replay(on: session)
    let picture = try #require(package.golden?.tensors["input"]?.bytes)
    var expected = [UInt8](repeating: 114, count: 64 * 64 * 3)
    for row in 0..<32 {
      expected.replaceSubrange(row * 192..<row * 192 + 144, with: picture[row * 144..<(row + 1) * 144])
    }
    let isAsExpected = seen.withLock { $0 == expected }
    #expect(isAsExpected)
    #expect(report.comparisons.first { $0.what == "NaN or infinity" }?.found == 1)
  }

  // MARK: - The file

  @Test(arguments: [
    ("schema", "eyrie.golden/2", "eyrie.golden/2"), ("task", "embed", "task \"embed\""),
    ("width", "0", "width"),
    ("width", "-64", "width"), ("width", "9999999999999999999999", "width"),
    ("width", "32", "does not run at"),
    ("height", "64.0", "height"), ("tolerance", "", "no JSON object"), ("tolerance", "[]", "no JSON object"),
    ("tolerance", "{}", "neither f32"), ("tolerance", #"{"f32": 1}"#, "tolerance.f32"),
    ("tolerance", #"{"f32": {"boxes": 1}}"#, "boxes_above"),
    ("tolerance", #"{"f32": {"boxes": -1, "boxes_above": 0, "scores": 1}}"#, "tolerance.f32.boxes"),
    ("tolerance", #"{"f32": {"boxes": 1e999, "boxes_above": 0, "scores": 1}}"#, "tolerance"),
    ("tolerance", #"{"f32": {"boxes": "1", "boxes_above": 0, "scores": 1}}"#, "tolerance.f32.boxes"),
  ])
  func wrongMetadataIsNamed(_ key: String, _ value: String, _ says: String) throws {
    var package = GoldenPackage(.featuresFirst(classes: 2, anchors: 84))
    package.golden?.metadata[key] = value
    let error = #expect(throws: ModelError.self) { try load(package) }
    #expect(error?.code == .corrupt)
    #expect(error?.reason.contains(says) == true, "\(error?.description ?? "")")
  }

  @Test func wrongTensorsAreNamed() throws {
    let wrong: [(String, SafetensorsBuilder.Tensor?)] = [
      ("input", nil), ("input", .init("U8", [1, 1, 1, 4], [0, 0, 0, 0])),
      ("input", .init("U8", [1, 0, 0, 3], [])),
      ("input", .init("U8", [1, 65, 1, 3], [UInt8](repeating: 0, count: 195))),
      ("input", .f32([1, 1, 1, 3], [0, 0, 0])), ("anchors", nil), ("anchors", .i64([1], [0])),
      ("anchors", .i64([28], [Int64](repeating: -1, count: 28))),
      ("anchors", .i64([28], [Int64](repeating: .max, count: 28))),
      ("anchors", .f32([28], .init(repeating: 0, count: 28))),
      ("boxes", .f32([28, 3], .init(repeating: 0, count: 84))),
      ("boxes", .f32([28, 4], .init(repeating: .nan, count: 112))), ("scores", .f32([28, 0], [])),
      ("scores", .f32([28, 1], .init(repeating: .infinity, count: 28))),
    ]
    for (name, tensor) in wrong {
      var package = GoldenPackage(.featuresFirst(classes: 2, anchors: 84))
      package.golden?.tensors[name] = tensor
      let error = #expect(throws: ModelError.self) { try load(package) }
      #expect(error?.code == .corrupt, "\(name): \(error?.description ?? "")")
      #expect(error?.reason.contains(name) == true, "\(error?.description ?? "")")
    }
    var none = GoldenPackage(.featuresFirst(classes: 2, anchors: 84))
    none.golden?.tensors["anchors"] = .i64([0], [])
    none.golden?.tensors["boxes"] = .f32([0, 4], [])
    none.golden?.tensors["scores"] = .f32([0, 2], [])
    #expect(throws: ModelError.self) { try load(none) }
    var outside = GoldenPackage(.classes(20, topK: 5))
    outside.golden?.tensors["top_k_indices"] = .i64([1, 5], [0, 1, 2, 3, 20])
    #expect(throws: ModelError.self) { try load(outside) }
  }

  @Test func anAbsentFileIsNamed() throws {
    let (model, _) = try load(GoldenPackage(.embedding(4)))
    try FileManager.default.removeItem(atPath: directory.path("golden.safetensors"))
    let error = #expect(throws: ModelError.self) { try Golden.load(for: model) }
    #expect(error?.code == .unreadable)
    // With its digest the package itself notices.
    #expect(throws: ModelError.self) { try ModelPackage.load(directory.root) }
  }

  @Test func aPackageWithoutOneHasNone() throws {
    var package = GoldenPackage(.embedding(4))
    package.golden = nil
    try package.write(to: URL(fileURLWithPath: directory.root), digest: SHA256.hexadecimal(ofFile:))
    #expect(try Golden.load(for: try ModelPackage.load(directory.root)) == nil)
  }

  // MARK: - Descriptions

  @Test func aClassifierThatListsItsBestIsDescribed() throws {
    let (model, _) = try load(GoldenPackage(.classes(20, topK: 5)))
    #expect(model.task == .classify)
    #expect(model.output.kind == .probabilities)
    #expect(model.output.names == ["top_k_indices", "top_k_scores", "probabilities"])
    #expect(model.output.index == 2)
    #expect(model.output.classCount == 20)
    #expect(model.output.topK == 5)
    #expect(model.output.topKOutputs == TopKOutputs(scores: "top_k_scores", indices: "top_k_indices"))
    #expect(model.notes.isEmpty, "\(model.notes)")
  }
}
