import EyrieEvents
import EyrieTestSupport
import Foundation
import Testing

/// The media files of the shared corpus as a person meets them: the binary, a small model, the events.
@Suite(
  "The corpus, run", .enabled(if: SharedMaterial.isPresent, Comment(rawValue: SharedMaterial.absence)),
  .timeLimit(.minutes(10)))
struct CorpusRunTests {
  private static let families: Set<String> = [
    "geometry", "timing", "pixel", "codec", "streams", "damage", "change", "names", "locator",
  ]
  static let media = CorpusTable.rows.filter { families.contains($0.family) && $0.file != "live" }
  static let readable = media.filter { $0.check["exit"] == "0" }.map(\.id)
  static let unreadable = media.filter { $0.check["exit!"] == "0" }.map(\.id)

  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func row(_ id: String) throws -> CorpusTable.Row {
    try #require(Self.media.first { $0.id == id })
  }

  private func run(_ row: CorpusTable.Row) async throws -> Tool.Result {
    try await Tool.eyrie.run(arguments(row))
  }

  private func arguments(_ row: CorpusTable.Row) -> [String] {
    [
      "run", SharedMaterial.path("corpus/\(row.file)"), "--model", TinyDetector.path, "--jsonl",
      scratch.path("events.jsonl"),
    ]
  }

  /// What a reader of the file is to see, by the corpus.
  private struct Truth: Decodable {
    var timestamps: [Double]?
  }

  @Test("every row of the table is walked")
  func isWhole() {
    let walked = Self.readable.count + Self.unreadable.count
    #expect(walked == Self.media.count)
    #expect(walked > 60)
  }

  @Test("gives an event for each frame, of its size and at its time", arguments: readable)
  func events(id: String) async throws {
    let row = try row(id)
    let result = try await run(row)
    #expect(result.code == 0, "\(result.errors)")
    let log = try EventLog(path: scratch.path("events.jsonl"))
    let events = log.detections
    let bounds = (row.check["frames"] ?? "").components(separatedBy: "..").compactMap { Int($0) }
    let (lowest, highest) = (try #require(bounds.first), try #require(bounds.last))
    #expect((lowest...highest).contains(events.count))
    #expect(events.map(\.sequence) == (0..<UInt64(events.count)).map { $0 })
    #expect(events.map(\.frame) == Array(0..<events.count))
    #expect(log.stream.first?.state == .connected)
    #expect(log.stream.last?.state == .ended)
    #expect(log.stream.last?.message == "end of stream")
    expectSizes(events, row)
    try expectTimes(events, row)
    for event in events {
      for box in event.detections.map(\.box) {
        #expect(box.x >= 0 && box.y >= 0 && box.width > 0 && box.height > 0)
        #expect(box.x + box.width <= Double(event.width) + 0.01)
        #expect(box.y + box.height <= Double(event.height) + 0.01)
      }
      for box in event.detections.map(\.boxNormalized) {
        #expect(box.x >= 0 && box.x + box.width <= 1.0001 && box.y >= 0 && box.y + box.height <= 1.0001)
      }
    }
    // Damage is said; what precedes the first keyframe (D07) FFmpeg's decoder keeps to itself.
    if row.family == "damage", row.id != "D07" {
      #expect(result.output.contains("warning"), "\(result.output)")
    }
  }

  private func expectSizes(_ events: [DetectionsEvent], _ row: CorpusTable.Row) {
    var runs: [(size: String, frames: Int)] = []
    for event in events {
      let size = "\(event.width)x\(event.height)"
      if runs.last?.size == size { runs[runs.count - 1].frames += 1 } else { runs.append((size, 1)) }
    }
    if let display = row.check["display"] { #expect(runs.map(\.size) == [display]) }
    if let sizes = row.check["sizes"] {
      #expect(runs.map { "\($0.size)*\($0.frames)" }.joined(separator: "+") == sizes)
    }
  }

  private func expectTimes(_ events: [DetectionsEvent], _ row: CorpusTable.Row) throws {
    let times = events.map { Double($0.presentationTime) / 1e9 }
    for (time, next) in zip(times, times.dropFirst()) { #expect(next > time) }
    let file = URL(fileURLWithPath: SharedMaterial.path("corpus/expected/\(row.id).json"))
    let stored = (try? JSONDecoder().decode(Truth.self, from: Data(contentsOf: file)))?.timestamps ?? []
    // Where the stream's own time goes back it is joined up: there only the first can be as stored.
    let isOrdered = zip(stored, stored.dropFirst()).allSatisfy { $0 < $1 }
    let first = row.check["first_pts"].flatMap(Double.init)
    let last = isOrdered ? row.check["last_pts"].flatMap(Double.init) : nil
    if let first { #expect(abs((times.first ?? .nan) - first) < 0.001, "\(times.prefix(3))") }
    if let last { #expect(abs((times.last ?? .nan) - last) < 0.001, "\(times.suffix(3))") }
    guard isOrdered, stored.count >= events.count else { return }
    for time in times {
      #expect(stored.contains { abs($0 - time) < 0.0015 }, "\(time) is no time of a frame")
    }
  }

  @Test(
    "times that are missing or go back go on at the frame rate", arguments: ["T03", "T07", "T12", "K08"]
  )
  func evenTimes(id: String) async throws {
    _ = try await run(try row(id))
    let times = try EventLog(path: scratch.path("events.jsonl")).detections.map(\.presentationTime)
    let steps = Set(zip(times, times.dropFirst()).map { ($1 - $0 + 500_000) / 1_000_000 })
    // 12.5, and the second part of T07 10 frames a second.
    #expect(steps.isSubset(of: [80, 100]), "\(steps)")
  }

  @Test("fails in one line that names the input, and gives no events", arguments: unreadable)
  func failure(id: String) async throws {
    let row = try row(id)
    // It has ten seconds; `timeout` ends it after them with code 124.
    let result = try await Tool(path: "/usr/bin/timeout").run(
      ["10", Tool.eyrie.path] + arguments(row))
    #expect(result.code == 1, "\(result.code)")
    #expect(result.errorLines.count == 1, "\(result.errors)")
    #expect(result.errors.contains(URL(fileURLWithPath: row.file).lastPathComponent), "\(result.errors)")
    #expect(result.output.isEmpty)
    let events = (try? Data(contentsOf: URL(fileURLWithPath: scratch.path("events.jsonl")))) ?? Data()
    #expect(events.isEmpty)
    if row.family == "streams" { #expect(result.errors.contains("no video stream"), "\(result.errors)") }
  }

  @Test("takes a name with a dash after -- and as a path, and keeps a name of other letters")
  func names() async throws {
    let folder = SharedMaterial.path("corpus/files")
    let options = ["--model", TinyDetector.path, "--jsonl", scratch.path("events.jsonl")]
    for arguments in [["./-dash.mp4"] + options, options + ["--", "-dash.mp4"]] {
      let result = try await Tool.eyrie.run(["run"] + arguments, in: folder)
      #expect(result.code == 0, "\(result.errors)")
      #expect(try EventLog(path: scratch.path("events.jsonl")).detections.count == 10)
    }
    _ = try await run(try row("N02"))
    let lines = try String(contentsOfFile: scratch.path("events.jsonl"), encoding: .utf8)
    #expect(lines.contains("\"source\":\"カメラ–ünï\""))
  }
}
