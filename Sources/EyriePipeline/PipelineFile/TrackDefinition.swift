import EyrieVision

/// The options of a stage of kind track; nil takes the tracker's own.
struct TrackDefinition: Sendable {
  let lowConfidence: Double?
  let newTrackConfidence: Double?
  let confirmAfter: Int?
  let maxLost: Double?
  let matchIoU: Double?

  private static let lowConfidence = Field.number(
    "low_confidence", 0...1,
    "Detections that are too weak to be published continue a track from this confidence on. Default: 0.1.")
  private static let newTrackConfidence = Field.number(
    "new_track_confidence", 0...1, "The least confidence of a detection that begins a track. Default: any.")
  private static let confirmAfter = Field.integer(
    "confirm_after", 1...1000, "After how many detections a track gets its identity. Default: 2.")
  private static let maxLost = Field.duration(
    "max_lost", 0.01...3600,
    "How long a track is kept without a detection, in the stream's time. Default: 2s.")
  private static let matchIoU = Field.number(
    "match_iou", 0...1,
    "The least IoU of a detection and the place where its track is expected. Default: 0.2.")

  static let fields: [any FieldDescription] = [
    lowConfidence, newTrackConfidence, confirmAfter, maxLost, matchIoU,
  ]

  init(_ object: ObjectReader) {
    lowConfidence = object(Self.lowConfidence)
    newTrackConfidence = object(Self.newTrackConfidence)
    confirmAfter = object(Self.confirmAfter)
    maxLost = object(Self.maxLost)
    matchIoU = object(Self.matchIoU)
  }

  /// - Throws: `VisionError` when a value is out of range, which the table of keys has ruled out.
  func settings() throws(VisionError) -> TrackerSettings {
    let usual = try TrackerSettings()
    return try TrackerSettings(
      lowConfidence: lowConfidence.map { Float($0) } ?? usual.lowConfidence,
      newTrackConfidence: newTrackConfidence.map { Float($0) },
      confirmAfter: confirmAfter ?? usual.confirmAfter,
      maxLost: maxLost ?? usual.maxLost, matchIoU: matchIoU.map { Float($0) } ?? usual.matchIoU)
  }
}
