import EyrieVision
import Foundation

// Runs the tracker over detections from standard input, so that programs in other languages can measure it.
//
//     eyrie-track [strong=0.25] [SETTING=VALUE …] <detections.csv >tracks.csv
//
// A line of the input is one of
//     TIME                                     an update at a presentation time in nanoseconds; what follows is its
//     TIME,CLASS,CONFIDENCE,X,Y,WIDTH,HEIGHT   a detection; a new time begins an update too
//     TIME,predict                             asks where the tracks are, without an update
// Detections up to the confidence `strong` are weak ones. A line of the output is
//     TIME,ID,X,Y,WIDTH,HEIGHT
// for each detection that belongs to a track, in their order, the rescued behind the strong, and for each predicted
// place.

/// What stops the tool: one line.
struct ToolError: Error, CustomStringConvertible {
  var description: String
}

/// The options, each with the value that it has if it is not given.
struct Options {
  var strong: Float = 0.25
  var low: Float = 0.1
  var new: Float?
  var confirmAfter = 2
  var maxLost = 2.0
  var matchIoU: Float = 0.2
  var weakIoU: Float = 0.5
  var classPenalty: Float = 0.3

  init(_ arguments: some Sequence<String>) throws {
    for argument in arguments {
      let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, let value = Float(parts[1]), value.isFinite else {
        throw ToolError(description: "\(argument): expected SETTING=NUMBER")
      }
      switch parts[0] {
      case "strong": strong = value
      case "low": low = value
      case "new": new = value
      case "confirm_after": confirmAfter = Int(exactly: value) ?? 0
      case "max_lost": maxLost = Double(value)
      case "match_iou": matchIoU = value
      case "weak_iou": weakIoU = value
      case "class_penalty": classPenalty = value
      default: throw ToolError(description: "\(argument): there is no such setting")
      }
    }
  }

  func settings() throws -> TrackerSettings {
    try TrackerSettings(
      lowConfidence: low, newTrackConfidence: new, confirmAfter: confirmAfter, maxLost: maxLost,
      matchIoU: matchIoU, weakIoU: weakIoU, classPenalty: classPenalty)
  }
}

/// The tracker, and the frame that is being read.
struct Session {
  var tracker: ByteTracker
  var strong: Float
  var time: Int64?
  var detections: [Detection] = []
  var weak: [Detection] = []
  var lastID = 0
  var output = ""

  mutating func read(_ line: Substring) throws {
    let fields = line.split(separator: ",", omittingEmptySubsequences: false)
    guard let time = Int64(fields[0]) else { throw ToolError(description: "\(line): expected TIME,…") }
    if fields.count == 2, fields[1] == "predict" {
      finishFrame()
      for prediction in tracker.predictions(at: time) { write(time, prediction.id, prediction.box) }
      return
    }
    if time != self.time || fields.count == 1 {
      finishFrame()
      self.time = time
    }
    if fields.count == 1 { return }
    let values = fields.dropFirst(2).compactMap { Float($0) }
    guard fields.count == 7, let classID = Int(fields[1]), values.count == 5 else {
      throw ToolError(description: "\(line): expected TIME,CLASS,CONFIDENCE,X,Y,WIDTH,HEIGHT")
    }
    let detection = Detection(
      classID: classID, confidence: values[0],
      box: Box(x: values[1], y: values[2], width: values[3], height: values[4]))
    if detection.confidence > strong { detections.append(detection) } else { weak.append(detection) }
  }

  mutating func finishFrame() {
    guard let time else { return }
    let update = tracker.update(detections, weak: weak, at: time) {
      lastID += 1
      return lastID
    }
    for (detection, id) in zip(detections, update.ids) {
      if let id { write(time, id, detection.box) }
    }
    for rescue in update.rescued { write(time, rescue.id, weak[rescue.index].box) }
    self.time = nil
    detections.removeAll(keepingCapacity: true)
    weak.removeAll(keepingCapacity: true)
  }

  private mutating func write(_ time: Int64, _ id: Int, _ box: Box) {
    output += "\(time),\(id),\(box.x),\(box.y),\(box.width),\(box.height)\n"
    if output.utf8.count > 1 << 16 { flush() }
  }

  mutating func flush() {
    FileHandle.standardOutput.write(Data(output.utf8))
    output = ""
  }
}

do {
  let options = try Options(CommandLine.arguments.dropFirst())
  var session = Session(tracker: ByteTracker(settings: try options.settings()), strong: options.strong)
  while let line = readLine() {
    if !line.isEmpty { try session.read(line[...]) }
  }
  session.finishFrame()
  session.flush()
} catch {
  FileHandle.standardError.write(Data("eyrie-track: \(error)\n".utf8))
  exit(2)
}
