/// One object over time.
struct Track: Sendable {
  /// Whether it was found at the last update, and whether it has an identity.
  enum State: Sendable {
    /// Found at the last update, and not often enough for an identity.
    case unconfirmed
    /// Found at the last update.
    case found
    /// Confirmed once, not found at the last update.
    case lost
  }

  private(set) var state = State.unconfirmed
  /// Its identity, once it is confirmed.
  private(set) var id: Int?
  private(set) var filter: BoxFilter
  /// Where it is expected at the time of this update.
  private(set) var expected: Box
  /// When it was last found, on the tracker's clock.
  private(set) var lastFound: Double
  /// Class and confidence of the last detection.
  private(set) var classID: Int
  private(set) var confidence: Float
  /// Whether a detection of this update belongs to it.
  var isMatched = true

  private var hits = 1
  /// The class of most detections, by a vote in which each counts for or against the leader (Boyer and Moore
  /// 1981).
  private var usualClass: Int
  private var classVotes = 1
  /// So that a track that was long of one class can become another.
  private static let mostVotes = 30

  init(_ detection: Detection, at time: Double) {
    filter = BoxFilter(detection.box)
    expected = detection.box
    lastFound = time
    classID = detection.classID
    confidence = detection.confidence
    usualClass = detection.classID
  }

  mutating func advance(by step: TimeStep) {
    filter.advance(by: step)
    expected = filter.box
    isMatched = false
  }

  /// Whether a detection of a class is nothing new: its last or its usual one.
  func knows(class classID: Int) -> Bool { classID == self.classID || classID == usualClass }

  mutating func match(_ detection: Detection, at time: Double) {
    filter.correct(detection.box)
    expected = detection.box
    isMatched = true
    lastFound = time
    hits = min(hits + 1, 1 << 20)
    if id != nil { state = .found }
    classID = detection.classID
    confidence = detection.confidence
    if classID == usualClass {
      classVotes = min(classVotes + 1, Self.mostVotes)
    } else if classVotes > 0 {
      classVotes -= 1
    } else {
      (usualClass, classVotes) = (classID, 1)
    }
  }

  /// Gives the track its identity, if it is due.
  mutating func confirm(after hits: Int, nextID: () -> Int) {
    guard id == nil, self.hits >= hits else { return }
    id = nextID()
    state = .found
  }

  mutating func lose() {
    state = .lost
    filter.holdSize()
  }
}
