/// Follows objects from frame to frame: ByteTrack (Zhang et al., "ByteTrack: Multi-Object Tracking by
/// Associating Every Detection Box", 2022) on the stream's own time.
///
/// In each update, the tracks are moved to the time of the frame by their Kalman filters. Then
/// 1. strong detections are assigned to confirmed tracks, found and lost ones alike, by the overlap with
///    the place where each is expected;
/// 2. weak detections are assigned to those tracks of the last update that are left;
/// 3. strong detections that are left are assigned to confirmed tracks by the overlap of enlarged boxes, the
///    larger the longer the track was not found;
/// 4. then to tracks without an identity;
/// 5. what is left of the strong begins new tracks.
///
/// The third is not in the paper. It finds again what turned or changed its pace while it was hidden, or
/// between frames that are far apart (after Yang et al., "Hard to Track Objects with Irregular Motions and
/// Similar Appearances? Make It Easier by Buffering the Matching Space", 2023). At 30 frames a second a track
/// that was not hidden has next to no margin.
///
/// A track without an identity that is not found is forgotten; a confirmed one is kept as lost for a while.
/// Updates may come at any rate and with gaps. A time that does not advance, or goes back, counts as no time.
/// Detections are never changed or removed; those whose box is not finite or has no area take no part.
///
/// A tracker keeps its scratch memory. It is a value; use one for each source.
public struct ByteTracker: Sendable {
  /// Thresholds and limits.
  public let settings: TrackerSettings

  private var tracks: [Track] = []
  private var clock = TrackClock()
  private var isFirstUpdate = true
  private var association = Association()
  /// Indices of tracks and of strong detections that are still to be assigned.
  private var rows: [Int32] = []
  private var columns: [Int32] = []
  private var weakColumns: [Int32] = []
  /// Lost tracks beyond this are given up, the one that was lost the longest first: a bound on what a stream
  /// of nonsense, or one whose time stands still, can cost.
  private static let mostLost = 1000
  /// By which share of its size a box is enlarged on each side for each second that its track was not found.
  private static let marginRate: Float = 0.5

  /// Creates a tracker without tracks.
  public init(settings: TrackerSettings) {
    self.settings = settings
  }

  /// The number of tracks: found, lost and not yet confirmed.
  public var trackCount: Int { tracks.count }

  /// Forgets all tracks; the next update is a first one. No identity comes back.
  public mutating func reset() {
    tracks.removeAll(keepingCapacity: true)
    clock = TrackClock()
    isFirstUpdate = true
  }

  /// Takes in the detections of one frame.
  ///
  /// - Parameters:
  ///   - detections: strong detections, in any order. What is passed here counts as strong whatever its
  ///     confidence.
  ///   - weak: detections below the threshold of the strong ones; see `TrackerSettings.lowConfidence`.
  ///   - nanoseconds: presentation time of the frame on the stream's clock.
  ///   - nextID: gives a new identity each time that it is called.
  public mutating func update(
    _ detections: [Detection], weak: [Detection] = [], at nanoseconds: Int64, nextID: () -> Int
  ) -> TrackUpdate {
    var update = TrackUpdate(ids: Array(repeating: nil, count: detections.count))
    advance(to: nanoseconds, &update)

    columns.removeAll(keepingCapacity: true)
    for index in detections.indices where detections[index].isTrackable {
      columns.append(Int32(truncatingIfNeeded: index))
    }
    choose { $0.id != nil }
    associate(detections, least: settings.matchIoU, nextID, &update)
    choose { $0.state == .found }
    rescue(with: weak, &update)
    choose { $0.id != nil }
    let now = clock.now
    associate(detections, least: settings.matchIoU, nextID, &update) {
      Self.marginRate * Float(now - $0.lastFound)
    }
    choose { $0.state == .unconfirmed }
    associate(detections, least: settings.matchIoU, nextID, &update)
    beginTracks(detections, nextID, &update)
    dropUnmatched(&update)
    isFirstUpdate = false
    return update
  }

  /// Where the tracks that were found at the last update are at another time, for frames without
  /// detections. Times before the last update count as that.
  public func predictions(at nanoseconds: Int64) -> [TrackPrediction] {
    let seconds = clock.seconds(to: nanoseconds)
    guard seconds <= settings.maxLost else { return [] }
    let step = TimeStep(seconds: seconds)
    var predictions: [TrackPrediction] = []
    predictions.reserveCapacity(tracks.count)
    for track in tracks where track.state == .found {
      guard let id = track.id else { continue }
      let box = track.filter.box(after: step)
      guard box.isTrackable else { continue }
      predictions.append(
        TrackPrediction(id: id, classID: track.classID, confidence: track.confidence, box: box))
    }
    return predictions
  }

  /// Moves all tracks to the time of this update, and gives up those that were lost for too long.
  private mutating func advance(to nanoseconds: Int64, _ update: inout TrackUpdate) {
    let seconds = clock.advance(to: nanoseconds)
    // What is older is not moved but given up, so no step is longer than the setting.
    let step = TimeStep(seconds: min(seconds, settings.maxLost))
    let oldest = clock.now - settings.maxLost
    tracks.removeAll { track in
      guard track.lastFound < oldest else { return false }
      if let id = track.id { update.ended.append(id) }
      return true
    }
    for index in tracks.indices { tracks[index].advance(by: step) }
  }

  /// Makes the unmatched tracks that meet a condition the rows of the next assignment.
  private mutating func choose(_ condition: (Track) -> Bool) {
    rows.removeAll(keepingCapacity: true)
    for index in tracks.indices where !tracks[index].isMatched && condition(tracks[index]) {
      rows.append(Int32(truncatingIfNeeded: index))
    }
  }

  private mutating func associate(
    _ detections: [Detection], least: Float, _ nextID: () -> Int, _ update: inout TrackUpdate,
    margin: (Track) -> Float = { _ in 0 }
  ) {
    guard !rows.isEmpty, !columns.isEmpty else { return }
    association.solve(
      tracks, rows, detections, columns, least: least, classPenalty: settings.classPenalty, margin: margin)
    for (row, column) in association.matches {
      let (track, detection) = (Int(rows[row]), Int(columns[column]))
      tracks[track].match(detections[detection], at: clock.now)
      tracks[track].confirm(after: settings.confirmAfter, nextID: nextID)
      update.ids[detection] = tracks[track].id
      columns[column] = -1
    }
    columns.removeAll { $0 < 0 }
  }

  private mutating func rescue(with weak: [Detection], _ update: inout TrackUpdate) {
    guard !rows.isEmpty, !weak.isEmpty else { return }
    weakColumns.removeAll(keepingCapacity: true)
    for index in weak.indices
    where weak[index].confidence > settings.lowConfidence && weak[index].isTrackable {
      weakColumns.append(Int32(truncatingIfNeeded: index))
    }
    association.solve(
      tracks, rows, weak, weakColumns, least: settings.weakIoU, classPenalty: settings.classPenalty)
    for (row, column) in association.matches {
      let (track, detection) = (Int(rows[row]), Int(weakColumns[column]))
      tracks[track].match(weak[detection], at: clock.now)
      if let id = tracks[track].id { update.rescued.append(.init(index: detection, id: id)) }
    }
    update.rescued.sort { $0.index < $1.index }
  }

  private mutating func beginTracks(
    _ detections: [Detection], _ nextID: () -> Int, _ update: inout TrackUpdate
  ) {
    let least = settings.newTrackConfidence ?? 0
    for index in columns.lazy.map(Int.init) where detections[index].confidence >= least {
      var track = Track(detections[index], at: clock.now)
      track.confirm(after: isFirstUpdate ? 1 : settings.confirmAfter, nextID: nextID)
      update.ids[index] = track.id
      tracks.append(track)
    }
  }

  private mutating func dropUnmatched(_ update: inout TrackUpdate) {
    tracks.removeAll { !$0.isMatched && $0.id == nil }
    var lost = 0
    for index in tracks.indices where !tracks[index].isMatched {
      if tracks[index].state == .found { tracks[index].lose() }
      lost += 1
    }
    guard lost > Self.mostLost else { return }
    rows.removeAll(keepingCapacity: true)
    choose { _ in true }
    rows.sort { tracks[Int($0)].lastFound < tracks[Int($1)].lastFound }
    var givenUp = Set(rows.prefix(lost - Self.mostLost).map { tracks[Int($0)].id })
    tracks.removeAll { track in
      guard !track.isMatched, givenUp.remove(track.id) != nil else { return false }
      if let id = track.id { update.ended.append(id) }
      return true
    }
  }
}
