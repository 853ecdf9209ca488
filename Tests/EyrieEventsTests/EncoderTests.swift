import EyrieEvents
import EyrieTestTools
import Foundation
import Testing

@Suite struct EncoderTests {
  private func text(_ event: Event) -> String {
    var encoder = EventEncoder()
    return String(decoding: encoder.encode(event).payload, as: UTF8.self)
  }

  private func number(_ value: Double, decimals: Int) -> String {
    var writer = JSONWriter()
    writer.number(value, decimals: decimals)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  private func string(_ value: String) -> String {
    var writer = JSONWriter()
    writer.string(value)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  @Test func aDetectionsEventToTheByte() throws {
    #expect(
      text(try Sample.detections(sequence: 7))
        == #"{"schema":"eyrie.event/1","type":"detections","run_id":"6f1c2f0e","source":"cam1","sequence":7,"#
        + #""frame":7,"pts_ns":33366667,"captured_at":"2026-01-31T09:08:07.123456Z","clock":"arrival","#
        + #""latency_ms":12.346,"width":640,"height":360,"model":"yolov8n","detections":[{"class_id":0,"#
        + #""label":"person","confidence":0.91,"box":{"x":10.13,"y":20,"width":30.5,"height":40},"#
        + #""box_normalized":{"x":0.015822,"y":0.055556,"width":0.047656,"height":0.111111}}],"#
        + #""dropped":{"decode":{"drop_oldest":3}}}"#)
  }

  @Test func streamAndStatsEventsToTheByte() throws {
    #expect(
      text(try Sample.stream(state: .formatChanged))
        == #"{"schema":"eyrie.event/1","type":"stream","run_id":"6f1c2f0e","source":"cam1","sequence":0,"#
        + #""captured_at":"2026-01-31T09:08:07.123456Z","state":"format_changed","message":"opened in 12 ms","#
        + #""details":{"codec":"h264","duration":null,"live":true,"rate":29.97,"width":640}}"#)
    #expect(
      text(try Sample.stats())
        == #"{"schema":"eyrie.event/1","type":"stats","run_id":"6f1c2f0e","source":"cam1","sequence":0,"#
        + #""captured_at":"2026-01-31T09:08:07.123456Z","state":"connected","uptime_s":61.5,"fps":29.97,"#
        + #""frames":{"decoded":100,"inferred":98,"published":97},"dropped":{"publish":{"high_water_mark":1}},"#
        + #""queues":{"resize":{"depth":1,"capacity":4}}}"#)
  }

  @Test func noDetectionsAreAnEmptyList() throws {
    #expect(text(try Sample.detections("cam1", [])).contains(#""detections":[],"#))
  }

  @Test func threeHundredDetections() throws {
    let many = (0..<300).map { index in
      Detection(
        classID: index % 80, label: "class \(index % 80)", confidence: Double(index) / 300,
        box: Box(x: Double(index), y: 1, width: 2, height: 3), pictureWidth: 640, pictureHeight: 480,
        trackID: index, classifications: [Classification(label: "a", confidence: 0.5)],
        embedding: Embedding([0.25, -0.5], encoding: .array))
    }
    let json = try Sample.json(try Sample.detections("cam1", many))
    let detections = try #require(json["detections"] as? [[String: Any]])
    #expect(detections.count == 300)
    #expect(detections[299]["track_id"] as? Int == 299)
    #expect(detections[299]["embedding"] as? [Double] == [0.25, -0.5])
    #expect((detections[299]["classifications"] as? [[String: Any]])?.first?["label"] as? String == "a")
  }

  @Test(arguments: [
    (0, 2, "0"), (-0.0, 2, "0"), (1, 2, "1"), (-1, 2, "-1"), (1.5, 2, "1.5"), (10.126, 2, "10.13"),
    (0.001, 2, "0"),
    (-0.001, 2, "0"), (0.999, 2, "1"), (-2.25, 1, "-2.3"), (0.000001, 6, "0.000001"), (1e-7, 6, "0"),
    (100, 0, "100"), (123.456, 0, "123"), (0.1 + 0.2, 5, "0.3"), (4095.9999, 2, "4096"),
    (1e15, 0, "1000000000000000"),
    (1e15, 2, "1000000000000000.0"), (.leastNonzeroMagnitude, 9, "0"), (1.25, 99, "1.25"), (1.25, -1, "1"),
    (1e300, 2, "1e+300"),
  ])
  func numbersAreRoundedAndShort(value: Double, decimals: Int, expected: String) {
    #expect(number(value, decimals: decimals) == expected)
  }

  @Test(arguments: [Double.nan, .infinity, -.infinity, .signalingNaN])
  func whatIsNotFiniteIsLeftOutAndCounted(bad: Double) throws {
    let box = Box(x: 1, y: 1, width: 1, height: 1)
    var badBox = box
    badBox.height = bad
    var badNormalized = Sample.detection("d")
    badNormalized.boxNormalized.x = bad
    var classified = Sample.detection("kept")
    classified.classifications = [
      Classification(label: "a", confidence: bad), Classification(label: "b", confidence: 1),
    ]
    classified.embedding = Embedding([1, Float(bad)])
    let event = try Sample.detections(
      "cam1",
      [
        Sample.detection("a", confidence: bad), Sample.detection("b", box: badBox), classified, badNormalized,
      ])
    guard case .detections(var content) = event else { return }
    content.latency = bad
    var encoder = EventEncoder()
    let payload = encoder.encode(.detections(content)).payload
    let json = try Sample.object(payload)
    let kept = try #require(json["detections"] as? [[String: Any]])
    #expect(kept.map { $0["label"] as? String } == ["kept"])
    #expect((kept.first?["classifications"] as? [[String: Any]])?.map { $0["label"] as? String } == ["b"])
    #expect(kept.first?["embedding"] is NSNull)
    #expect(json["latency_ms"] is NSNull)
    let dropped = json["dropped"] as? [String: [String: Int]]
    #expect(dropped == ["decode": ["drop_oldest": 3], "encode": ["not_finite": 4]])
    // Cumulative, for its own source only, and in stats too.
    let next =
      try Sample.object(encoder.encode(try Sample.stats()).payload)["dropped"] as? [String: [String: Int]]
    #expect(next?["encode"] == ["not_finite": 4])
    let other =
      try Sample.object(encoder.encode(try Sample.stats("cam2")).payload)["dropped"] as? [String: Any]
    #expect(other?["encode"] == nil)
  }

  @Test func aPictureWithoutAreaHasNoNormalisedBoxes() throws {
    let flat = Detection(
      classID: 0, label: "a", confidence: 1, box: Box(x: 1, y: 1, width: 1, height: 1), pictureWidth: 0,
      pictureHeight: 0)
    let json = try Sample.json(try Sample.detections("cam1", [flat]))
    #expect((json["detections"] as? [Any])?.isEmpty == true)
  }

  @Test(arguments: [
    ("plain", #""plain""#), ("é \"quoted\" 猫", #""é \"quoted\" 猫""#), ("a\\b", #""a\\b""#),
    ("\u{8}\t\n\u{c}\r\u{0}\u{1f}", #""\b\t\n\f\r\u0000\u001f""#),
    ("\u{2028}|\u{2029}|\u{85}", #""\u2028|\u2029|\u0085""#),
    ("\u{7f}\u{84}\u{2027}\u{202a}", "\"\u{7f}\u{84}\u{2027}\u{202a}\""), ("👩‍👩‍👧", "\"👩‍👩‍👧\""), ("", #""""#),
    ("/", #""/""#),
  ])
  func textIsEscapedWhereItMustBe(text: String, expected: String) throws {
    #expect(string(text) == expected)
    let parsed = try JSONSerialization.jsonObject(with: Data(string(text).utf8), options: .fragmentsAllowed)
    #expect(parsed as? String == text)
  }

  @Test func theBufferIsReusedAndWhatWasKeptStaysAsItWas() throws {
    var encoder = EventEncoder()
    let first = encoder.encode(try Sample.detections())
    let copy = Array(first.payload)
    _ = encoder.encode(try Sample.stats())
    #expect(first.payload == copy)
  }

  /// Whatever the texts and numbers, every payload parses, and gives the texts back.
  @Test(arguments: 1...20)
  func anyEventIsValidJSON(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var encoder = EventEncoder()
    for _ in 0..<100 {
      let label = random.text()
      let detection = Detection(
        classID: random.integer(), label: label, confidence: random.number(),
        box: Box(x: random.number(), y: random.number(), width: random.number(), height: random.number()),
        pictureWidth: random.integer(), pictureHeight: random.integer(), trackID: random.integer(),
        classifications: [Classification(label: random.text(), confidence: random.number())],
        embedding: Embedding(
          [Float(random.number()), Float(random.number())],
          encoding: random.integer() % 2 == 0 ? .array : .base64))
      let source = try SourceID("s" + random.text())
      let event = DetectionsEvent(
        runID: random.text(), source: source, sequence: random.next(), frame: random.integer(),
        presentationTime: Int64(random.integer()), capturedAt: WallTime(nanoseconds: Int64(random.integer())),
        clock: .rtcp, latency: random.number(), width: random.integer(), height: random.integer(),
        model: random.text(), detections: [detection],
        dropped: DropCounts([random.text(): [random.text(): random.integer()]]))
      let details: [String: DetailValue] = [
        random.text(): .number(random.number()), "t": .text(random.text()),
      ]
      let stream = StreamEvent(
        runID: "", source: source, sequence: 0, capturedAt: .now(), state: .failed, message: random.text(),
        details: details)
      let payload = encoder.encode(.detections(event)).payload
      #expect(!payload.contains { $0 < 0x20 })
      let json = try Sample.object(payload)
      #expect(json["source"] as? String == source.value)
      #expect(json["model"] as? String == event.model)
      if let kept = (json["detections"] as? [[String: Any]])?.first {
        #expect(kept["label"] as? String == label)
      }
      #expect(
        try Sample.object(encoder.encode(.stream(stream)).payload)["message"] as? String == stream.message)
    }
  }
}

extension SplitMix64 {
  /// Any bit pattern half of the time, a usual number otherwise.
  mutating func number() -> Double {
    Bool.random(using: &self) ? Double(bitPattern: next()) : Double.random(in: -2000...2000, using: &self)
  }

  mutating func integer() -> Int {
    Bool.random(using: &self) ? Int(truncatingIfNeeded: next()) : Int.random(in: 0...4000, using: &self)
  }

  /// Up to 12 scalars, with controls, quotes and the rare planes more frequent than they are.
  mutating func text() -> String {
    var text = ""
    for _ in 0..<Int.random(in: 0...12, using: &self) {
      let ranges: [ClosedRange<UInt32>] = [0...0x7f, 0x20...0x5c, 0x80...0x2fff, 0xe000...0x10_ffff]
      let range = ranges[Int.random(in: 0..<ranges.count, using: &self)]
      if let scalar = Unicode.Scalar(UInt32.random(in: range, using: &self)) {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
