import EyrieEvents
import Foundation
import Testing

@Suite struct IdentifierTests {
  @Test(arguments: [
    ("cam1", "detections/cam1/"), ("front door", "detections/front door/"), ("a/b", "detections/a%2Fb/"),
    ("a%2Fb", "detections/a%252Fb/"), ("a\nb\u{7f}", "detections/a%0Ab%7F/"),
    ("\u{85}", "detections/%C2%85/"),
    ("Straße 猫", "detections/Straße 猫/"), ("..", "detections/../"),
  ])
  func topicsHaveTwoPartsWhateverTheSourceIsCalled(name: String, topic: String) throws {
    let source = try SourceID(name)
    #expect(EventType.detections.topic(for: source) == topic)
    #expect(source.value == name)
    #expect(topic.filter { $0 == "/" }.count == 2)
    #expect(TopicFilter(.detections, from: source).prefix == topic)
    #expect(try TopicFilter(parsing: topic).prefix == topic)
  }

  @Test func equalIdentifiersAreEqualBytes() throws {
    let composed = try SourceID("caf\u{e9}")
    let decomposed = try SourceID("cafe\u{301}")
    #expect(composed == decomposed)
    #expect(Array(composed.topicComponent.utf8) == Array(decomposed.topicComponent.utf8))
    let typed = try TopicFilter(parsing: "stats/cafe\u{301}")
    #expect(Array(typed.prefix.utf8) == Array("stats/caf\u{e9}/".utf8))
  }

  @Test func identifiersHaveOneTo255Bytes() throws {
    #expect(throws: EventError.self) { try SourceID("") }
    #expect(throws: EventError.self) { try SourceID(String(repeating: "é", count: 128)) }
    _ = try SourceID(String(repeating: "é", count: 127))
  }

  @Test(arguments: [
    ("", ""), ("detections", "detections/"), ("detections/", "detections/"), ("stats/cam1", "stats/cam1/"),
    ("stream/cam1/", "stream/cam1/"), ("stream/a%2Fb", "stream/a%2Fb/"),
  ])
  func filtersAreClosedByASlash(text: String, prefix: String) throws {
    #expect(try TopicFilter(parsing: text).prefix == prefix)
  }

  @Test(arguments: [
    "cam1", "det", "/", "*", "Detections/cam1", "detections/a/b", "detections/a//", "detections//",
  ])
  func filtersThatMatchNothingAreRefused(text: String) {
    let error = #expect(throws: EventError.self) { try TopicFilter(parsing: text) }
    #expect(error?.code == .malformed)
    #expect(error?.description.contains("\"\(text)\"") == true)
  }

  @Test func sequencesCountPerTypeAndSource() throws {
    var sequencer = EventSequencer()
    let (first, second) = (try SourceID("a"), try SourceID("b"))
    let numbers = [
      sequencer.next(.detections, from: first), sequencer.next(.detections, from: first),
      sequencer.next(.stats, from: first), sequencer.next(.detections, from: second),
      sequencer.next(.detections, from: first),
    ]
    #expect(numbers == [0, 1, 0, 0, 2])
  }

  @Test func dropCountsAddUpWithoutOverflow() {
    var counts = DropCounts()
    #expect(counts.isEmpty)
    counts.add(stage: "decode", reason: "drop_oldest")
    counts.add(2, stage: "decode", reason: "drop_oldest")
    counts.add(3, stage: "detect", reason: "not_finite")
    #expect(counts["decode", "drop_oldest"] == 3)
    #expect(counts["no", "such"] == 0)
    #expect(counts.total == 6)
    counts.add(.max, stage: "decode", reason: "drop_oldest")
    #expect(counts["decode", "drop_oldest"] == .max)
    #expect(counts.total == .max)
  }
}

@Suite struct WallTimeTests {
  @Test(arguments: [
    (0, "1970-01-01T00:00:00.000000Z"), (-1, "1969-12-31T23:59:59.999999Z"),
    (951_782_400_000_001_999, "2000-02-29T00:00:00.000001Z"),
    (1_769_850_487_123_456_789, "2026-01-31T09:08:07.123456Z"),
    (Int64.max, "2262-04-11T23:47:16.854775Z"), (Int64.min, "1677-09-21T00:12:43.145224Z"),
  ])
  func momentsReadAsRFC3339(nanoseconds: Int64, text: String) {
    let time = WallTime(nanoseconds: nanoseconds)
    #expect(time.description == text)
    // Back to the microsecond that was written; the earliest of all lies half a microsecond outside.
    if nanoseconds != .min { #expect(WallTime(text)?.description == text) }
  }

  @Test(arguments: [
    ("1970-01-01T00:00:01Z", 1_000_000_000), ("1970-01-01t00:00:00.5z", 500_000_000),
    ("1970-01-01T01:00:00+01:00", 0), ("1969-12-31T23:30:00-00:30", 0),
    ("1970-01-01T00:00:00.1234567891Z", 123_456_789),
  ])
  func otherFormsAreReadToo(text: String, nanoseconds: Int64) {
    #expect(WallTime(text)?.nanoseconds == nanoseconds)
  }

  @Test(arguments: [
    "", "1970", "1970-01-01", "1970-13-01T00:00:00Z", "1970-02-29T00:00:00Z", "1970-01-01T24:00:00Z",
    "1970-01-01T00:00:00",
    "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00Zx", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z",
    "1970-01-01T00:00:00+25:00", "١٩٧٠-01-01T00:00:00Z", "-970-01-01T00:00:00Z",
  ])
  func anythingElseIsRefused(text: String) {
    #expect(WallTime(text) == nil)
  }

  @Test func nowAgreesWithFoundation() {
    let before = Date()
    let now = Double(WallTime.now().nanoseconds) / 1e9
    #expect(now >= before.timeIntervalSince1970 - 1)
    #expect(now <= Date().timeIntervalSince1970 + 1)
  }
}
