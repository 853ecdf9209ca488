import EyrieTestSupport
import Foundation
import Testing

@testable import EyrieInference

/// The text embeddings of a package: sound ones are read, and everything else is named.
@Suite(.timeLimit(.minutes(10)))
struct ZeroShotTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private static let sound = """
    {"labels": ["a cat", "a dog", "ein Käfer"], "embeddings": "text_embeddings.safetensors", "logit_scale": 100,
     "prompts": ["a photo of a {}."]}
    """

  /// Three rows of length 1 in 16 dimensions, but for what rounding does.
  private static func rows(scale: Float = 1) -> [Float] {
    (0..<3).flatMap { row -> [Float] in
      let values = (0..<16).map { Float(($0 * 7 + row * 5) % 13) - 6 }
      let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return values.map { $0 / length * scale }
    }
  }

  private static func file(
    _ values: [Float] = rows(), shape: [Int] = [3, 16], name: String = "text_embeddings",
    schema: String? = "eyrie.text_embeddings/1"
  ) throws -> Data {
    var file = SafetensorsBuilder()
    if let schema { file.metadata = ["schema": schema] }
    file.tensors[name] = .f32(shape, values)
    return try file.data()
  }

  private func package(_ zeroShot: String? = sound, file: Data? = nil) throws -> GoldenPackage {
    var package = GoldenPackage(.embedding(16))
    package.zeroShot = zeroShot
    package.textEmbeddings = try file ?? Self.file()
    return package
  }

  private func load(_ package: GoldenPackage) throws -> ModelDescription {
    try package.write(to: URL(fileURLWithPath: directory.root), digest: SHA256.hexadecimal(ofFile:))
    return try ModelPackage.load(directory.root)
  }

  private func refusal(_ package: GoldenPackage) throws -> ModelError? {
    let error = #expect(throws: ModelError.self) { try load(package) }
    #expect(error?.description.contains("\n") == false)
    return error
  }

  @Test func labelsAndRowsAreRead() throws {
    let model = try load(package())
    #expect(model.notes.isEmpty, "\(model.notes)")
    #expect(
      model.output.zeroShot
        == ZeroShotLabels(
          labels: ["a cat", "a dog", "ein Käfer"], embeddings: "text_embeddings.safetensors", logitScale: 100,
          prompts: ["a photo of a {}."]))
    #expect(model.output.labels.isEmpty)
    let texts = try #require(try TextEmbeddings.load(for: model))
    #expect((texts.dimension, texts.count) == (16, 3))
    #expect(zip(texts.values, Self.rows()).allSatisfy { abs($0 - $1) < 1e-6 })
    let json = try JSONEncoder().encode(model)
    #expect(try JSONDecoder().decode(ModelDescription.self, from: json) == model)
    #expect(String(decoding: json, as: UTF8.self).contains(#""logit_scale":100"#))
  }

  @Test func aModelWithoutThemHasNone() throws {
    let model = try load(package(nil))
    #expect(model.output.zeroShot == nil)
    #expect(try TextEmbeddings.load(for: model) == nil)
  }

  @Test func labelsByIndexAndNoPromptsAreRead() throws {
    let model = try load(
      package(
        #"{"labels": {"0": "a", "2": "c", "1": "b"}, "embeddings": "text_embeddings.safetensors", "#
          + #""logit_scale": 0.5, "prompts": 7}"#))
    #expect(model.output.zeroShot?.labels == ["a", "b", "c"])
    #expect(model.output.zeroShot?.prompts == [])
  }

  @Test func rowsAreBroughtToLengthOneWhereRoundingLeftThem() throws {
    let model = try load(package(file: try Self.file(Self.rows(scale: 1.0009))))
    let values = try #require(try TextEmbeddings.load(for: model)).values
    for row in 0..<3 {
      let length = values[row * 16..<row * 16 + 16].reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      #expect(abs(length - 1) < 1e-6)
    }
    for scale: Float in [0.998, 1.002, 0, -.infinity, 1e30] {
      let error = try refusal(package(file: try Self.file(Self.rows(scale: scale))))
      #expect(error?.code == .corrupt)
      #expect(error?.reason.contains("row 0") == true, "\(error?.description ?? "")")
    }
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity, .greatestFiniteMagnitude])
  func numbersThatAreNoneAreRefused(_ value: Float) throws {
    var rows = Self.rows()
    rows[2 * 16 + 15] = value
    let error = try refusal(package(file: try Self.file(rows)))
    #expect(error?.code == .corrupt)
    #expect(error?.reason.contains("row 2") == true, "\(error?.description ?? "")")
  }

  @Test func anotherShapeOrTypeIsRefused() throws {
    let rows = Self.rows()
    var half = SafetensorsBuilder()
    half.metadata = ["schema": "eyrie.text_embeddings/1"]
    half.tensors["text_embeddings"] = .init("F16", [3, 16], [UInt8](repeating: 0, count: 96))
    let wrong: [(Data, String)] = [
      (try Self.file(rows, shape: [16, 3]), "[16,3]"), (try Self.file(rows, shape: [48]), "2 axes"),
      (try Self.file(rows, shape: [1, 3, 16]), "2 axes"),
      (try Self.file(Array(rows.prefix(32)), shape: [2, 16]), "3 labels"),
      (try Self.file(rows + rows, shape: [6, 16]), "3 labels"),
      (try Self.file([], shape: [0, 16]), "3 labels"),
      (try Self.file(Array(rows.prefix(24)), shape: [3, 8]), "16 dimensions"),
      (try Self.file(name: "embeddings"), "no tensor text_embeddings"), (try half.data(), "f16"),
      (try Self.file(schema: nil), "its schema"), (try Self.file(schema: "eyrie.golden/1"), "eyrie.golden/1"),
      (Data(), "first 8 bytes"), (Data(repeating: 0xFF, count: 64), "header"),
      (
        SafetensorsBuilder.file(
          header: #"{"text_embeddings": {"dtype": "F32", "shape": [9223372036854775807, 16], "#
            + #""data_offsets": [0, 8]}}"#, body: [UInt8](repeating: 0, count: 8)), "text_embeddings"
      ),
      (
        SafetensorsBuilder.file(
          header: #"{"text_embeddings": {"dtype": "F32", "shape": [3, 16], "data_offsets": [0, 192]}}"#,
          body: [UInt8](repeating: 0, count: 8)), "text_embeddings"
      ),
    ]
    for (file, says) in wrong {
      let error = try refusal(package(file: file))
      #expect(error?.code == .corrupt, "\(says): \(error?.description ?? "")")
      #expect(error?.path.hasSuffix("text_embeddings.safetensors") == true)
      #expect(error?.reason.contains(says) == true, "\(says): \(error?.description ?? "")")
    }
  }

  @Test(
    arguments: [
      (#""labels": ["a", "b", "c"]"#, #""labels": []"#, "output.zero_shot.labels"),
      (#""labels": ["a", "b", "c"]"#, #""labels": "a""#, "output.zero_shot.labels"),
      (#""labels": ["a", "b", "c"]"#, #""labels": ["a", 1]"#, "output.zero_shot.labels"),
      (#""labels": ["a", "b", "c"], "#, "", "output.zero_shot.labels"),
      ("text_embeddings.safetensors", "", "output.zero_shot.embeddings"),
      ("text_embeddings.safetensors", "../text_embeddings.safetensors", "does not stay inside"),
      ("text_embeddings.safetensors", "a/../../b", "does not stay inside"),
      ("text_embeddings.safetensors", "/etc/passwd", "does not stay inside"),
      ("10}", "0}", "output.zero_shot.logit_scale"), ("10}", "-1}", "output.zero_shot.logit_scale"),
      ("10}", "1000.5}", "output.zero_shot.logit_scale"), ("10}", "1e308}", "output.zero_shot.logit_scale"),
      ("10}", "\"10\"}", "output.zero_shot.logit_scale"), (#", "logit_scale": 10}"#, "}", "logit_scale"),
    ])
  func wrongMetadataIsNamed(_ original: String, _ replacement: String, _ says: String) throws {
    let json = #"{"labels": ["a", "b", "c"], "embeddings": "text_embeddings.safetensors", "logit_scale": 10}"#
    _ = try load(package(json))
    let error = try refusal(package(json.replacing(original, with: replacement)))
    #expect(error?.code == .invalidMetadata)
    #expect(error?.reason.contains(says) == true, "\(error?.description ?? "")")
  }

  @Test func moreLabelsThanAnyModelHasAreRefused() throws {
    let labels = String(repeating: "\"a\",", count: 65_537).dropLast()
    let error = try refusal(
      package(#"{"labels": [\#(labels)], "embeddings": "text_embeddings.safetensors", "logit_scale": 1}"#))
    #expect(error?.code == .invalidMetadata)
    #expect(error?.reason.contains("65537") == true)
  }

  @Test func aClassifierHasNone() throws {
    var package = GoldenPackage(.classes(7, topK: 0))
    package.zeroShot = Self.sound
    package.textEmbeddings = try Self.file()
    let error = try refusal(package)
    #expect(error?.code == .invalidMetadata)
    #expect(error?.reason.contains("classify") == true)
  }

  @Test func anAbsentOrExchangedFileIsNamed() throws {
    let model = try load(package())
    try FileManager.default.removeItem(atPath: directory.path("text_embeddings.safetensors"))
    let absent = #expect(throws: ModelError.self) { try TextEmbeddings.load(for: model) }
    #expect(absent?.code == .unreadable)
    #expect(throws: ModelError.self) { try ModelPackage.load(directory.root) }
    try directory.write(try Self.file(Self.rows().reversed()), "text_embeddings.safetensors")
    let exchanged = #expect(throws: ModelError.self) { try ModelPackage.load(directory.root) }
    #expect(exchanged?.reason.contains("SHA-256") == true)
    var unlisted = try package()
    unlisted.hasDigests = false
    let notes = try load(unlisted).notes
    #expect(notes.contains { $0.contains("text_embeddings.safetensors has no sha256") }, "\(notes)")
  }

  // MARK: - The fakes that other tests use

  @Test func theFakesGiveARowForEachPicture() async throws {
    let session = FakeClassifier.session(requests: 2, batch: 3) { picture in
      [Float(picture[0]), Float(picture.count), 0]
    }
    #expect((session.requestCount, session.batch, session.inputByteSize) == (2, 3, FakeClassifier.inputBytes))
    let lease = try await session.acquire()
    lease.withInput { bytes in
      for place in 0..<3 { bytes[place * FakeClassifier.inputBytes] = UInt8(place + 5) }
    }
    for count in [3, 1, 2] {
      try await lease.infer(count: count)
      try lease.withOutput { view in
        #expect(view.shape == [count, 3])
        for place in 0..<count {
          let row = try #require(view.row(place))
          #expect(Array(row.bytes.bindMemory(to: Float.self)) == [Float(place + 5), 192, 0])
        }
      }
    }
    let folder = URL(fileURLWithPath: directory.root)
    let labels = try FakeEmbedder.writeTextEmbeddings(labels: ["a", "b"], to: folder)
    let model = FakeEmbedder.description(zeroShot: labels, directory: directory.root)
    #expect(try TextEmbeddings.load(for: model)?.values == [1, 0, 0, 0, 0, 1, 0, 0])
    let embedder = FakeEmbedder.session(model: model) { _ in [.nan, 1, 2, 3] }
    let embedding = try await embedder.acquire()
    try await embedding.infer()
    try embedding.withOutput { view in
      #expect(view.shape == [1, 4])
      #expect(view.bytes.load(as: Float.self).isNaN)
    }
  }
}
