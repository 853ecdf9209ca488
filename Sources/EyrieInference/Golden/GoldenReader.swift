import Foundation

/// Turns the tensors of a golden file into what a model of a certain kind is compared with.
struct GoldenReader {
  static let schema = "eyrie.golden/1"

  let file: SafetensorsFile
  let model: ModelDescription

  func read() throws(ModelError) -> Golden {
    guard let schema = file.metadata["schema"], schema == Self.schema else {
      throw damage(
        "its schema is \"\(file.metadata["schema"] ?? "")\", and this version reads \"\(Self.schema)\"")
    }
    guard file.metadata["task"] == model.task.rawValue else {
      throw damage("it is for task \"\(file.metadata["task"] ?? "")\", the model for \(model.task.rawValue)")
    }
    let width = try side("width", of: model.input.width)
    let height = try side("height", of: model.input.height)
    let picture = try picture(width: width, height: height)
    let expected = try expectation(width: width, height: height)
    return Golden(
      path: file.path, width: width, height: height, picture: picture, expected: expected,
      tolerances: try tolerances(for: expected))
  }

  private func damage(_ reason: String) -> ModelError { ModelError(.corrupt, file.path, reason) }

  private func side(_ name: String, of modelSide: Int) throws(ModelError) -> Int {
    guard let text = file.metadata[name], let value = Int(text),
      (1...ExportMetadata.maximumSide).contains(value)
    else { throw damage("its \(name) is \"\(file.metadata[name] ?? "")\", no number of pixels") }
    guard value == modelSide || model.input.dynamicSpatial && value % model.input.stride == 0 else {
      throw damage("it was made at a \(name) of \(value) pixels, which the model does not run at")
    }
    return value
  }

  private func picture(width: Int, height: Int) throws(ModelError) -> Golden.Picture {
    let tensor = try file.tensor("input", .u8, axes: 4)
    let shape = tensor.shape
    guard shape[0] == 1, shape[3] == 3, (1...height).contains(shape[1]), (1...width).contains(shape[2]) else {
      throw damage("input is \(shapeText(shape)), not a picture of at most \(width)×\(height) pixels")
    }
    return Golden.Picture(width: shape[2], height: shape[1], bytes: file.bytes(of: tensor))
  }

  private func expectation(width: Int, height: Int) throws(ModelError) -> Golden.Expected {
    switch model.task {
    case .detect:
      model.output.layout == .endToEnd
        ? .boxes(try boxes(width: width, height: height)) : .anchors(try anchors())
    case .classify: .classes(try classes())
    case .embed: .embedding(try row("embedding").values)
    }
  }

  // MARK: - What the model must give

  private func anchors() throws(ModelError) -> Golden.Anchors {
    let tensor = try file.tensor("anchors", .i64, axes: 1)
    let (boxes, boxShape) = try matrix("boxes")
    let (scores, scoreShape) = try matrix("scores")
    let count = tensor.shape[0]
    guard count > 0, boxShape == [count, 4], scoreShape[0] == count, scoreShape[1] > 0 else {
      throw damage(
        "anchors \(shapeText(tensor.shape)), boxes \(shapeText(boxShape)) and scores \(shapeText(scoreShape)) do not "
          + "belong together")
    }
    var indices: [Int] = []
    for index in file.integers(of: tensor) {
      guard let index = Int(exactly: index), (0..<Int(Int32.max)).contains(index) else {
        throw damage("anchors has \(index), which is no index")
      }
      indices.append(index)
    }
    return Golden.Anchors(indices: indices, boxes: boxes, scores: scores, classCount: scoreShape[1])
  }

  private func boxes(width: Int, height: Int) throws(ModelError) -> [Golden.ReferenceBox] {
    let (coordinates, boxShape) = try matrix("coordinates")
    let (confidence, scoreShape) = try matrix("confidence")
    let classCount = scoreShape[1]
    guard boxShape == [scoreShape[0], 4], classCount > 0 else {
      throw damage(
        "coordinates \(shapeText(boxShape)) and confidence \(shapeText(scoreShape)) do not belong together")
    }
    return SuppressedBoxes.rows(
      count: scoreShape[0], classCount: classCount, width: width, height: height,
      coordinate: { Double(coordinates[$0]) }, confidence: { Double(confidence[$0]) }
    ).map { row in
      Golden.ReferenceBox(
        left: row[0], top: row[1], right: row[2], bottom: row[3], score: row[4], classID: Int(row[5]))
    }
  }

  private func classes() throws(ModelError) -> Golden.Classes {
    var classes = Golden.Classes(probabilities: try row("probabilities").values)
    if file.tensors["top_k_scores"] != nil || file.tensors["top_k_indices"] != nil {
      let scores = try row("top_k_scores").values
      let indices = try file.tensor("top_k_indices", .i64, axes: 2)
      guard indices.shape == [1, scores.count] else {
        throw damage(
          "top_k_indices is \(shapeText(indices.shape)), and there are \(scores.count) top_k_scores")
      }
      classes.topScores = scores
      classes.topIndices = file.integers(of: indices)
      guard classes.topIndices?.allSatisfy({ (0..<Int64(classes.probabilities.count)).contains($0) }) == true
      else {
        throw damage("top_k_indices names a class that is not among the \(classes.probabilities.count)")
      }
    }
    return classes
  }

  private func row(_ name: String) throws(ModelError) -> (values: [Float], shape: [Int]) {
    let (values, shape) = try matrix(name)
    guard shape[0] == 1, shape[1] > 0 else { throw damage("\(name) is \(shapeText(shape)), not one row") }
    return (values, shape)
  }

  private func matrix(_ name: String) throws(ModelError) -> (values: [Float], shape: [Int]) {
    let tensor = try file.tensor(name, .f32, axes: 2)
    let values = file.floats(of: tensor)
    guard values.allSatisfy(\.isFinite) else { throw damage("\(name) has numbers that are not finite") }
    return (values, tensor.shape)
  }

  // MARK: - How far it may be off

  private func tolerances(
    for expected: Golden.Expected
  ) throws(ModelError) -> [ExecutionPrecision: Golden.Tolerance] {
    let text = file.metadata["tolerance"] ?? ""
    guard let stated = try? JSONDecoder().decode([String: JSONValue].self, from: Data(text.utf8)) else {
      throw damage("its tolerance is no JSON object")
    }
    var result: [ExecutionPrecision: Golden.Tolerance] = [:]
    for precision in [ExecutionPrecision.f32, .bf16, .f16] {
      guard let value = stated[precision.rawValue] else { continue }
      result[precision] = try tolerance(value, for: expected, "tolerance.\(precision.rawValue)")
    }
    guard !result.isEmpty else { throw damage("its tolerance has neither f32 nor bf16 nor f16") }
    return result
  }

  private func tolerance(
    _ value: JSONValue, for expected: Golden.Expected, _ key: String
  ) throws(ModelError) -> Golden.Tolerance {
    guard case .object(let fields) = value else { throw damage("\(key) is no JSON object") }
    func number(_ name: String, from least: Double = 0) throws(ModelError) -> Double {
      let number: Double? =
        switch fields[name] {
        case .number(let value): value
        case .integer(let value): Double(value)
        default: nil
        }
      guard let number, number.isFinite, number >= least else {
        throw damage("\(key).\(name) is missing or no number of at least \(Int(least))")
      }
      return number
    }
    switch expected {
    case .anchors:
      return .anchors(
        boxes: try number("boxes"), above: try number("boxes_above", from: -1), scores: try number("scores"))
    case .boxes: return .boxes(iou: try number("iou"), scores: try number("scores"))
    case .classes, .embedding: return .values(try number("values"))
    }
  }
}
