import EyrieEvents
import Foundation
import Testing

@Suite(.timeLimit(.minutes(10))) struct JSONLinesTests {
  private func failure(_ path: String) -> EventError? {
    #expect(throws: EventError.self) { try JSONLinesWriter(path: path) }
  }

  @Test func oneEventALine() throws {
    let path = Sample.path(".jsonl")
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data("left over from the last run, and much longer".utf8).write(to: URL(filePath: path))
    let writer = try JSONLinesWriter(path: path)
    var encoder = EventEncoder()
    var expected: [[UInt8]] = []
    for number in UInt64(0)..<1000 {
      let event = encoder.encode(
        try Sample.detections("cam1", sequence: number, [Sample.detection("a\nb\u{2028}é")]))
      expected.append(event.payload)
      try writer.write(event)
    }
    try writer.close()
    try writer.close()
    let lines = try Data(contentsOf: URL(filePath: path)).split(
      separator: 10, omittingEmptySubsequences: false)
    #expect(lines.count == 1001)
    #expect(lines.last?.isEmpty == true)
    #expect(lines.dropLast().map(Array.init) == expected)
    #expect(writer.written == 1000)
    let error = #expect(throws: EventError.self) { try writer.write(EncodedEvent(topic: "", payload: [])) }
    #expect(error?.code == .closed)
  }

  @Test func anEventIsSeenOnceTheIntervalIsOver() throws {
    let path = Sample.path(".jsonl")
    defer { try? FileManager.default.removeItem(atPath: path) }
    let event = EncodedEvent(topic: "", payload: Array("{}".utf8))
    let direct = try JSONLinesWriter(path: path, flushInterval: .zero)
    try direct.write(event)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "{}\n")
    let buffered = try JSONLinesWriter(path: path, flushInterval: .seconds(3600))
    try buffered.write(event)
    #expect(try Data(contentsOf: URL(filePath: path)).isEmpty)
    try buffered.flush()
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "{}\n")
    while try Data(contentsOf: URL(filePath: path)).count < 4 {
      try buffered.write(EncodedEvent(topic: "", payload: Array(repeating: 0x20, count: 1000)))
      try #require(buffered.written < 100)  // 64 KiB are 66 of them.
    }
  }

  @Test func aWriterThatIsLetGoLosesNothing() throws {
    let path = Sample.path(".jsonl")
    defer { try? FileManager.default.removeItem(atPath: path) }
    do {
      let writer = try JSONLinesWriter(path: path)
      try writer.write(EncodedEvent(topic: "", payload: Array("{}".utf8)))
    }
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "{}\n")
  }

  @Test func pathsThatCannotBeWrittenAreNamed() throws {
    let directory = FileManager.default.temporaryDirectory.path
    let cases: [(String, EventError.Code)] = [
      (directory, .wrongFileKind), ("/no/such/directory/x.jsonl", .notFound), ("/dev/null/x", .notFound),
      ("", .malformed),
      ("a\u{0}b", .malformed), (directory + "/" + String(repeating: "x", count: 300), .system),
    ]
    for (path, code) in cases {
      let error = failure(path)
      #expect(error?.code == code)
      #expect(error?.description.contains("\n") == false)
      if code != .malformed { #expect(error?.description.contains(path) == true) }
    }
  }

  @Test(.enabled(if: geteuid() != 0, "the superuser may do everything"))
  func aForbiddenFileIsPermissionDenied() throws {
    #expect(failure("/eyrie.jsonl")?.code == .permissionDenied)
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "needs /dev/full"))
  func aFullDiskIsReportedAndStaysReported() throws {
    let writer = try JSONLinesWriter(path: "/dev/full", flushInterval: .zero)
    let event = EncodedEvent(topic: "", payload: Array("{}".utf8))
    for _ in 0..<2 {
      let error = #expect(throws: EventError.self) { try writer.write(event) }
      #expect(error?.code == .noSpace)
    }
    try writer.close()
  }

  /// With the default disposition of SIGPIPE, which would end this process.
  @Test func aReaderThatGoesIsAnErrorAndNoSignal() throws {
    let path = Sample.path(".fifo")
    defer { try? FileManager.default.removeItem(atPath: path) }
    try #require(mkfifo(path, 0o600) == 0)
    // Opened for both so that neither open waits for the other.
    let reader = open(path, O_RDWR)
    let writer = try JSONLinesWriter(path: path, flushInterval: .zero)
    let event = EncodedEvent(topic: "", payload: Array("{}".utf8))
    try writer.write(event)
    close(reader)
    let error = #expect(throws: EventError.self) { try writer.write(event) }
    #expect(error?.code == .readerGone)
    try writer.close()
  }
}
