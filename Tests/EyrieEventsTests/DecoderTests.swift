import EyrieEvents
import EyrieTestTools
import Foundation
import Testing

@Suite struct DecoderTests {
  @Test func eventsComeBackAsTheyWere() throws {
    var encoder = EventEncoder()
    // Numbers that rounding leaves alone.
    let detection = Detection(
      classID: 2, label: "é \"quoted\" 猫", confidence: 0.5, box: Box(x: 16, y: 32, width: 64, height: 8),
      pictureWidth: 64, pictureHeight: 64, trackID: 9, predicted: true,
      classifications: [Classification(label: "van", confidence: 0.25)], embedding: Embedding([0.5, -1]))
    guard case .detections(var content) = try Sample.detections("a/b", [detection]) else { return }
    content.latency = nil
    content.capturedAt = WallTime(nanoseconds: 1_769_850_487_123_456_000)
    content.clock = .rtcp
    content.predicted = true
    content.tracksReset = .pictureSize
    content.embedding = Embedding([0.25, -2], encoding: .array)
    let event = Event.detections(content)
    #expect(try EventDecoder().decode(encoder.encode(event).payload) == event)
    for event in [try Sample.stream(), try Sample.stats()] {
      let decoded = try EventDecoder().decode(encoder.encode(event).payload)
      // All but the nanoseconds below a microsecond.
      #expect(encoder.encode(decoded).payload == encoder.encode(event).payload)
    }
  }

  @Test func unknownFieldsAreIgnored() throws {
    var encoder = EventEncoder()
    let text = String(decoding: encoder.encode(try Sample.stats()).payload, as: UTF8.self)
    let extended = text.dropLast() + #","added_later":[1,{"a":null}]}"#
    #expect(try EventDecoder().decode(Array(extended.utf8)).type == .stats)
  }

  /// Each replacement makes a good event a bad one; the message says where.
  @Test(arguments: [
    (#""eyrie.event/1""#, #""eyrie.event/2""#, "schema"),
    (#""detections","run_id""#, #""other","run_id""#, "type"),
    (#""sequence":0"#, #""sequence":-1"#, "number"), (#""sequence":0"#, #""sequence":1e400"#, "JSON"),
    (#""sequence":0"#, #""sequence":0.5"#, "number"), (#""sequence":0,"#, "", "sequence"),
    (#""frame":0"#, #""frame":"0""#, "frame"), (#""cam1""#, #""""#, "source"), (#""cam1""#, "null", "source"),
    ("2026-01-31T", "2026-02-31T", "captured_at"), (#""x":10.13"#, #""x":NaN"#, "JSON"),
    (#""x":10.13,"#, "", "detections.[0].box.x"),
    (#""arrival""#, #""sundial""#, "clock"), ("{\"decode\":{\"drop_oldest\":3}}", "[]", "dropped"),
  ])
  func badEventsAreReportedByField(old: String, new: String, place: String) throws {
    var encoder = EventEncoder()
    let good = String(decoding: encoder.encode(try Sample.detections()).payload, as: UTF8.self)
    let bad = good.replacing(old, with: new)
    try #require(bad != good)
    let error = #expect(throws: EventError.self) { try EventDecoder().decode(Array(bad.utf8)) }
    #expect(error?.code == .malformedEvent)
    #expect(error?.description.contains(place) == true, "\(error?.description ?? "")")
    #expect(error?.description.contains("\n") == false)
  }

  /// No mutation of the bytes may do more than fail.
  @Test(arguments: 1...10)
  func damagedPayloadsNeverCrash(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var encoder = EventEncoder()
    let payloads = [
      encoder.encode(try Sample.detections()).payload, encoder.encode(try Sample.stream()).payload,
      encoder.encode(try Sample.stats()).payload,
    ]
    var failures = 0
    for _ in 0..<200 {
      var bytes = payloads[Int.random(in: 0..<3, using: &random)]
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      do throws(EventError) {
        let event = try EventDecoder().decode(bytes)
        _ = encoder.encode(event)
        _ = EventText.line(event)
      } catch {
        failures += 1
        #expect(error.code == .malformedEvent)
      }
    }
    #expect(failures > 0)
  }
}

@Suite struct SequenceTrackerTests {
  @Test func gapsDuplicatesAndRestarts() throws {
    let source = try SourceID("a")
    var tracker = SequenceTracker()
    func observe(_ sequence: UInt64, _ run: String = "one", _ type: EventType = .detections)
      -> SequenceObservation
    {
      tracker.observe(type, from: source, runID: run, sequence: sequence)
    }
    #expect(observe(100) == .first)  // A late joiner.
    #expect(observe(101) == .next)
    #expect(observe(105) == .gap(missed: 3))
    #expect(observe(105) == .duplicate)
    #expect(observe(104) == .outOfOrder)
    #expect(observe(0, "one", .stats) == .first)
    #expect(observe(0, "two") == .restart)
    #expect(observe(1, "two") == .next)
    // Two publishers under one name: each its own count.
    #expect(observe(106) == .next)
    #expect(observe(3, "two") == .gap(missed: 1))
    #expect(tracker.received == 10)
    #expect(tracker.missed == 4)
    #expect(tracker.repeated == 2)
    #expect(tracker.restarts == 1)
  }

  @Test func hostileNumbersDoNotOverflow() throws {
    let source = try SourceID("a")
    var tracker = SequenceTracker()
    for run in ["one", "two"] {
      _ = tracker.observe(.stats, from: source, runID: run, sequence: 0)
      #expect(
        tracker.observe(.stats, from: source, runID: run, sequence: .max) == .gap(missed: .max - 1))
    }
    #expect(tracker.missed == .max)
    #expect(tracker.observe(.stats, from: source, runID: "one", sequence: .max) == .duplicate)
  }

  @Test func memoryIsBounded() throws {
    var tracker = SequenceTracker()
    let known = try SourceID("known")
    _ = tracker.observe(.stats, from: known, runID: "a", sequence: 0)
    for number in 0..<(SequenceTracker.maximumTopics + 10) {
      _ = tracker.observe(.stats, from: try SourceID("\(number)"), runID: "a", sequence: 0)
    }
    #expect(tracker.observe(.stats, from: known, runID: "a", sequence: 1) == .next)
    let late = try SourceID("\(SequenceTracker.maximumTopics + 5)")
    #expect(tracker.observe(.stats, from: late, runID: "a", sequence: 9) == .first)
    for run in 0..<100 { _ = tracker.observe(.stats, from: known, runID: "\(run)", sequence: 0) }
    #expect(tracker.restarts == 100)
  }
}

@Suite struct EventTextTests {
  @Test func oneLinePerEvent() throws {
    let several = [
      Sample.detection("person", confidence: 0.77), Sample.detection("car", confidence: 0.88),
      Sample.detection("person", confidence: 0.91),
    ]
    #expect(
      EventText.line(try Sample.detections("cam1", sequence: 5, several))
        == "09:08:07.123  cam1  frame 5  2 person, 1 car (0.91 0.77 0.88)  12.3 ms")
    #expect(
      EventText.line(try Sample.detections("cam1", [])) == "09:08:07.123  cam1  frame 0  nothing  12.3 ms")
    #expect(
      EventText.line(try Sample.stream(state: .formatChanged))
        == "09:08:07.123  cam1  stream format changed  opened in 12 ms")
    #expect(
      EventText.line(try Sample.stats())
        == "09:08:07.123  cam1  stats  30.0 fps  decoded 100, inferred 98, published 97, dropped 1  up 62 s")
  }

  @Test func aCrowdIsCutShort() throws {
    let crowd = (0..<40).map { Sample.detection(confidence: Double($0) / 40) }
    let line = EventText.line(try Sample.detections("cam1", crowd))
    #expect(line.contains("40 person (0.97 0.95 0.93 0.90 0.88 0.85 0.82 0.80 …)"))
  }

  @Test func textFromOutsideCannotDriveTheTerminal() throws {
    let line = EventText.line(
      try Sample.detections("ca\u{1b}m\n1", [Sample.detection("a\u{1b}[2Jb\u{202e}\r\n\u{9b}31m")]))
    #expect(
      !line.unicodeScalars.contains {
        $0.value < 0x20 || (0x7f...0x9f).contains($0.value) || $0.value == 0x202e
      })
    #expect(line.contains(#"1 a\u{1b}[2Jb"#))
  }
}
