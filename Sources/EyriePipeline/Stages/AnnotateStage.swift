import EyrieEvents
import EyrieGraph
import EyrieMedia
import EyrieVision
import Foundation

/// Keeps a few frames with their boxes, spread over the run, and writes them as one JPEG picture at the end.
///
/// It does not know how long the run will be: it takes every frame with detections until it has eight, then
/// drops every other one and takes only every second such frame, and so on. What it holds is bounded, and so
/// is its work.
actor AnnotateStage: SinkStage {
  private static let mostKept = 8
  private static let shown = 4
  private static let tileWidth = 640
  private static let tileHeight = 480

  nonisolated let executor = ThreadExecutor(name: "annotate")
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let path: String
  /// What asked for it: an option or a key of a pipeline file.
  private let origin: String
  private let scaler = FrameScaler()
  private var kept: [RGBImage] = []
  /// Frames with detections so far.
  private var seen = 0
  private var interval = 1

  init(path: String, origin: String) {
    self.path = path
    self.origin = origin
  }

  func consume(_ item: DetectedFrame) async throws(StageFailure) {
    guard !item.objects.isEmpty else { return }
    defer { seen += 1 }
    guard seen.isMultiple(of: interval) else { return }
    do {
      kept.append(try draw(item))
    } catch {
      throw .item(reason: "draw_failed", message: "frame \(item.source.index): \(error)")
    }
    if kept.count >= Self.mostKept {
      interval *= 2
      kept = kept.indices.filter { $0.isMultiple(of: 2) }.map { kept[$0] }
    }
  }

  func finish() async throws(StageFailure) {
    guard !kept.isEmpty else {
      throw .item(
        reason: "nothing_to_show", message: "\(origin) \(path): not written, as no frame had a detection")
    }
    let step = max(1, kept.count / Self.shown)
    let images = stride(from: 0, to: kept.count, by: step).prefix(Self.shown).map { kept[$0] }
    do {
      let sheet = try RGBImage.contactSheet(images, columns: images.count < 2 ? 1 : 2)
      let jpeg = try sheet.pixels.withUnsafeBytes { bytes in
        try JPEGEncoder.encode(
          rgb: bytes, width: sheet.width, height: sheet.height, rowBytes: sheet.width * 3, quality: 90)
      }
      try OutputFile.write(Data(jpeg), to: path, option: origin)
    } catch let failure as EyrieFailure {
      throw .fatal(failure)
    } catch {
      throw .fatal(EyrieFailure(.run, "\(origin) \(path): cannot be drawn: \(error)"))
    }
  }

  /// The frame, reduced to the size of a tile, with its boxes.
  private func draw(_ item: DetectedFrame) throws -> RGBImage {
    let frame = item.source.frame
    let fit = min(
      1, Double(Self.tileWidth) / Double(frame.width), Double(Self.tileHeight) / Double(frame.height))
    let width = max(1, Int((Double(frame.width) * fit).rounded()))
    let height = max(1, Int((Double(frame.height) * fit).rounded()))
    var pixels = [UInt8](repeating: 0, count: width * height * 3)
    try pixels.withUnsafeMutableBytes { bytes in
      try scaler.scale(
        frame, into: bytes,
        target: ScaleTarget(
          canvasWidth: width, canvasHeight: height, x: 0, y: 0, width: width, height: height,
          pixelOrder: .rgb, padding: 0))
    }
    var image = try RGBImage(width: width, height: height, pixels: pixels)
    let scaleX = Float(width) / Float(frame.width)
    let scaleY = Float(height) / Float(frame.height)
    // The surest on top.
    for object in item.objects.reversed() {
      let detection = object.detection
      let color = ClassPalette.color(forClass: detection.classID)
      let box = detection.box
      image.drawRectangle(
        x: box.x * scaleX, y: box.y * scaleY, width: box.width * scaleX, height: box.height * scaleY,
        thickness: image.lineThickness, color: color)
      image.drawLabel(
        Self.caption(of: object, item.detector), x: box.x * scaleX, y: box.y * scaleY, background: color)
    }
    return image
  }

  /// Such as `person #3 87%, firefighter 64%`.
  private static func caption(of object: FoundObject, _ detector: DetectorIdentity) -> String {
    func percent(_ share: Double) -> String { "\(Int((share * 100).rounded()))%" }
    var text = detector.labels[object.detection.classID]
    if let trackID = object.trackID { text += " #\(trackID)" }
    text += object.isPredicted ? " ?" : " " + percent(Double(object.detection.confidence))
    if let best = object.classifications?.first { text += ", \(best.label) \(percent(best.confidence))" }
    return text
  }
}
