import EyrieEvents
import EyrieVision

/// A frame with 100 objects, as a detector gives it and as an event says it.
struct BusyFrame {
  static let objects = 100
  private static let anchors = 8_400
  private static let classes = 80

  let settings: DetectionSettings
  let head: YOLOHead
  let transform: PictureTransform
  private let values: [Float]

  init() throws {
    settings = try DetectionSettings()
    head = try YOLOHead(layout: .featuresFirst, shape: [1, 4 + Self.classes, Self.anchors])
    transform = try PictureTransform(
      .letterbox, sourceWidth: 1920, sourceHeight: 1080, modelWidth: 640, modelHeight: 640)
    values = Self.tensor()
  }

  /// Scores of what is not there lie far below the threshold, as a sigmoid's do; each object is seen by eight anchors.
  private static func tensor() -> [Float] {
    var random = SmallGenerator()
    var values = [Float](repeating: 0, count: (4 + classes) * anchors)
    for index in 4 * anchors..<values.count { values[index] = random.next() * 0.02 }
    for anchor in 0..<anchors {
      let box = [320, 320, 20 + 30 * random.next(), 20 + 30 * random.next()]
      for (row, value) in box.enumerated() { values[row * anchors + anchor] = value }
    }
    for object in 0..<objects {
      let (column, row) = (Float(object % 10), Float(object / 10))
      for copy in 0..<8 {
        let anchor = object * 80 + copy * 7
        values[anchor] = 32 + 64 * column + random.next()
        values[anchors + anchor] = 172 + 36 * row + random.next()
        values[2 * anchors + anchor] = 30 + random.next()
        values[3 * anchors + anchor] = 28 + random.next()
        values[(4 + object % classes) * anchors + anchor] = 0.3 + 0.6 * random.next()
      }
    }
    return values
  }

  /// The output tensor.
  func bytes(_ element: TensorElement) -> [UInt8] {
    switch element {
    case .float32: Self.bytes(of: values)
    case .float64: Self.bytes(of: values.map(Double.init))
    case .float16: Self.bytes(of: values.map(Self.half))
    }
  }

  private static func bytes<Number>(of values: [Number]) -> [UInt8] { values.withUnsafeBytes { Array($0) } }

  /// To binary16, rounded towards zero; for the numbers in question, which are not negative and in its range.
  private static func half(_ value: Float) -> UInt16 {
    let exponent = Int(value.bitPattern >> 23) - 127
    let fraction = value.bitPattern & 0x7f_ffff
    if exponent < -14 { return UInt16(value * 16_777_216) }
    return UInt16(exponent + 15) << 10 | UInt16(fraction >> 13)
  }

  /// The event of the frame.
  func event() throws -> DetectionsEvent {
    let labels = ["person", "traffic light", "car", "bicycle"]
    let detections = (0..<Self.objects).map { index -> EyrieEvents.Detection in
      let step = Double(index)
      let box = EyrieEvents.Box(x: 17.31 * step, y: 9.77 * step, width: 41.237 + step, height: 87.643)
      return EyrieEvents.Detection(
        classID: index % 80, label: labels[index % 4], confidence: 0.25 + step * 0.0073, box: box,
        pictureWidth: 1920, pictureHeight: 1080, trackID: index)
    }
    return DetectionsEvent(
      runID: "0b6f7a62-3c1e-4a4e-8f64-2f1a7f0f6f11", source: try SourceID("entrance"), sequence: 12_345,
      frame: 12_345, presentationTime: 411_499_999_999, capturedAt: .now(), clock: .arrival,
      latency: 23.456, width: 1920, height: 1080, model: "yolov8n", detections: detections,
      dropped: DropCounts(["resize": ["queue_full": 12]]))
  }
}

/// The same numbers in each run.
struct SmallGenerator {
  private var state: UInt64 = 0x9e37_79b9_7f4a_7c15

  /// 0…1.
  mutating func next() -> Float {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Float(state >> 40) / Float(1 << 24)
  }
}
