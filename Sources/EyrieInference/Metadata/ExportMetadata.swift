/// What an exporter wrote about a model, inside its file or beside it. Everything may be missing.
///
/// The keys are those of Ultralytics (`metadata.yaml`, ONNX metadata properties) and of OpenVINO's
/// Model API (`model_info` in an IR).
struct ExportMetadata: Equatable {
  /// Where it was found, for notes: "metadata.yaml", "the ONNX metadata", …
  var origin: String
  var task: String?
  var labels: [String]?
  var width: Int?
  var height: Int?
  var stride: Int?
  /// Whether the exporter put non-maximum suppression, or a head that needs none, into the model.
  var isEndToEnd: Bool?
  var channelOrder: ChannelOrder?
  var padValue: Int?
  /// What the pixel values are divided by, after `mean` was subtracted. One value, or one a channel.
  var scaleValues: [Double]?
  var meanValues: [Double]?
  var embeddedPreprocessing: Bool?
  var title: String?
  var author: String?
  var version: String?
  var license: String?
  /// What could not be understood, as sentences for the notes.
  var problems: [String] = []

  /// The most classes a model may name. A larger index is taken for damage.
  static let maximumClassCount = 65_536
  /// The largest side of an input, in pixels, taken seriously.
  static let maximumSide = 16_384

  init(origin: String) {
    self.origin = origin
  }

  /// Reads Ultralytics' keys.
  init(origin: String, ultralytics fields: [String: MetadataValue]) {
    self.init(origin: origin)
    task = fields["task"]?.text?.lowercased()
    title = fields["description"]?.text
    author = fields["author"]?.text
    version = fields["version"]?.text
    license = fields["license"]?.text
    if let value = fields["stride"] {
      if let number = value.int, (1...1024).contains(number) {
        stride = number
      } else {
        problems.append("stride in \(origin) is no number of pixels and was ignored")
      }
    }
    if let value = fields["imgsz"] { readImageSize(value) }
    if let value = fields["names"] { readNames(value) }
    let suppressed = fields["end2end"]?.bool == true || fields["args"]?["nms"]?.bool == true
    if suppressed { isEndToEnd = true }
  }

  private mutating func readImageSize(_ value: MetadataValue) {
    var sides: [Int] = []
    switch value {
    case .list(let items): sides = items.compactMap(\.int)
    default: sides = [value.int].compactMap { $0 }
    }
    guard let first = sides.first, let last = sides.last, sides.count <= 2,
      sides.allSatisfy({ (1...Self.maximumSide).contains($0) })
    else {
      problems.append("imgsz in \(origin) is no picture size and was ignored")
      return
    }
    // Ultralytics writes height first.
    height = first
    width = last
  }

  private mutating func readNames(_ value: MetadataValue) {
    guard let names = Self.labels(from: value) else {
      problems.append("names in \(origin) is no list of class names and was ignored")
      return
    }
    labels = names
  }

  /// The class names of a list, or of a dictionary from class index to name. Classes without a name
  /// are called `class_7`. `nil` for anything else.
  static func labels(from value: MetadataValue) -> [String]? {
    switch value {
    case .list(let items):
      let names = items.compactMap(\.text)
      guard names.count == items.count, !names.isEmpty, names.count <= maximumClassCount else { return nil }
      return names
    case .dict(let pairs):
      var byIndex: [Int: String] = [:]
      for pair in pairs {
        guard let index = pair.key.int, (0..<maximumClassCount).contains(index), let name = pair.value.text
        else { return nil }
        byIndex[index] = name
      }
      guard let last = byIndex.keys.max() else { return nil }
      return (0...last).map { byIndex[$0] ?? placeholderLabel($0) }
    default:
      return nil
    }
  }

  static func placeholderLabel(_ index: Int) -> String { "class_\(index)" }

  /// Reads the `model_info` keys of OpenVINO's Model API. Label texts are separated by spaces there.
  init(origin: String, modelInfo fields: [String: String]) {
    self.init(origin: origin)
    if let text = fields["labels"] {
      let names = text.split(whereSeparator: \.isWhitespace).map(String.init)
      if (1...Self.maximumClassCount).contains(names.count) {
        labels = names
      } else {
        problems.append("labels in \(origin) holds no class names and was ignored")
      }
    }
    if let swaps = fields["reverse_input_channels"].flatMap({ MetadataValue.string($0).bool }) {
      // Model API hands over BGR; a model that wants it reversed is an RGB model.
      channelOrder = swaps ? .rgb : .bgr
    }
    padValue = fields["pad_value"].flatMap { Int($0) }.flatMap { (0...255).contains($0) ? $0 : nil }
    scaleValues = Self.channelValues(fields["scale_values"]).flatMap { $0.contains(0) ? nil : $0 }
    meanValues = Self.channelValues(fields["mean_values"])
    embeddedPreprocessing = fields["embedded_processing"].flatMap { MetadataValue.string($0).bool }
    // Its iou_threshold is left alone: exporters write a fixed default (0.7), which nobody chose for this model.
  }

  private static func channelValues(_ text: String?) -> [Double]? {
    guard let text else { return nil }
    let parts = text.split { $0.isWhitespace || ",[]()".contains($0) }
    let values = parts.compactMap { Double($0) }.filter(\.isFinite)
    guard values.count == parts.count, values.count == 1 || values.count == 3 else { return nil }
    return values
  }

  /// Fills what this one leaves open from another, less telling one.
  func filled(from other: ExportMetadata?) -> ExportMetadata {
    guard let other else { return self }
    var result = self
    result.task = task ?? other.task
    result.labels = labels ?? other.labels
    if width == nil || height == nil {
      result.width = other.width
      result.height = other.height
    }
    result.stride = stride ?? other.stride
    result.isEndToEnd = isEndToEnd ?? other.isEndToEnd
    result.channelOrder = channelOrder ?? other.channelOrder
    result.padValue = padValue ?? other.padValue
    result.scaleValues = scaleValues ?? other.scaleValues
    result.meanValues = meanValues ?? other.meanValues
    result.embeddedPreprocessing = embeddedPreprocessing ?? other.embeddedPreprocessing
    result.title = title ?? other.title
    result.author = author ?? other.author
    result.version = version ?? other.version
    result.license = license ?? other.license
    result.problems += other.problems
    return result
  }
}
