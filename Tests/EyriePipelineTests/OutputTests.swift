import EyrieGraph
import EyrieInference
import EyrieTestSupport
import Foundation
import Testing

@testable import EyriePipeline

@Suite("What a run writes", .timeLimit(.minutes(2)))
struct OutputTests {
  private func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

  private func mode(_ path: String) -> mode_t {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode : 0
  }

  @Test("never takes the place of its input", arguments: ["--jsonl", "--summary", "--annotate"])
  func input(option: String) async throws {
    let scratch = try Scratch()
    let clip = scratch.path("clip.mp4")
    try await Clip.pattern(clip, frames: 5)
    let before = try bytes(clip)
    try FileManager.default.createSymbolicLink(atPath: scratch.path("link"), withDestinationPath: clip)
    for place in [
      clip, scratch.url.path + "/../\(scratch.url.lastPathComponent)/clip.mp4", scratch.path("link"),
    ] {
      for input in [clip, "file://" + clip] {
        let result = try await Tool.eyrie.run(["run", input, "--model", TinyDetector.path, option, place])
        #expect(result.code == 2)
        #expect(result.errors.contains("this is the input too"), "\(result.errors)")
        #expect(try bytes(clip) == before)
      }
    }
  }

  @Test("never takes the place of its model")
  func model() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 5)
    try FileManager.default.copyItem(atPath: TinyDetector.path, toPath: scratch.path("model"))
    for name in ["model.xml", "model.bin"] {
      let file = scratch.path("model/" + name)
      let before = try bytes(file)
      let result = try await Tool.eyrie.run([
        "run", scratch.path("clip.mp4"), "--model", scratch.path("model"), "--jsonl", file,
      ])
      #expect(result.code == 2)
      #expect(result.errors.contains("this is a file of the model"), "\(result.errors)")
      #expect(try bytes(file) == before)
    }
  }

  @Test("refuses two results in one file, whatever it is called")
  func sameFile() throws {
    let scratch = try Scratch()
    var options = RunOptions(input: "clip.mp4", model: "model")
    options.jsonl = scratch.path("out")
    options.summary = scratch.url.path + "/./out"
    #expect(throws: EyrieFailure.self) { try OutputPaths(RunPlan(options)).check(inputs: options.inputs) }
    _ = try scratch.write([1], to: "there")
    try FileManager.default.createSymbolicLink(
      atPath: scratch.path("link"), withDestinationPath: scratch.path("there"))
    options.jsonl = scratch.path("there")
    options.summary = scratch.path("link")
    #expect(throws: EyrieFailure.self) { try OutputPaths(RunPlan(options)).check(inputs: options.inputs) }
    // Nothing can be destroyed there.
    options.jsonl = "/dev/null"
    options.summary = "/dev/null"
    try OutputPaths(RunPlan(options)).check(inputs: options.inputs)
  }

  @Test("replaces a regular file with its rights, and follows links")
  func regular() throws {
    let scratch = try Scratch()
    let target = try scratch.write([1, 2, 3], to: "target")
    #expect(chmod(target, 0o640) == 0)
    try FileManager.default.createSymbolicLink(atPath: scratch.path("link"), withDestinationPath: "target")
    try OutputFile.write(Data("new".utf8), to: scratch.path("link"), option: "--summary")
    #expect(try bytes(target) == Data("new".utf8))
    #expect(mode(target) & 0o7777 == 0o640)
    #expect(mode(scratch.path("link")) & S_IFMT == S_IFLNK)
    try FileManager.default.createSymbolicLink(atPath: scratch.path("dangling"), withDestinationPath: "later")
    try OutputFile.write(Data("late".utf8), to: scratch.path("dangling"), option: "--summary")
    #expect(try bytes(scratch.path("later")) == Data("late".utf8))
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.url.path).count == 4)
  }

  @Test("writes into a named pipe, which stays one")
  func pipe() throws {
    let scratch = try Scratch()
    let path = scratch.path("pipe")
    #expect(mkfifo(path, 0o600) == 0)
    let nobody = #expect(throws: EyrieFailure.self) {
      try OutputFile.write(Data("lost".utf8), to: path, option: "--summary")
    }
    #expect(nobody?.description == "--summary \(path): cannot be written: nobody reads it")
    let reader = open(path, O_RDONLY | O_NONBLOCK)
    defer { close(reader) }
    try OutputFile.write(Data("kept".utf8), to: path, option: "--summary")
    #expect(mode(path) & S_IFMT == S_IFIFO)
    var buffer = [UInt8](repeating: 0, count: 16)
    #expect(read(reader, &buffer, 16) == 4)
    #expect(buffer.prefix(4) == [0x6B, 0x65, 0x70, 0x74])
  }

  @Test("says in words why a place cannot be written")
  func unwritable() throws {
    let scratch = try Scratch()
    let failure = #expect(throws: EyrieFailure.self) {
      try OutputFile.write(Data([1]), to: scratch.path("no/such/place"), option: "--summary")
    }
    #expect(failure?.description.hasSuffix("its directory does not exist") == true)
    #expect(failure?.kind == .run)
  }

  @Test("gives stdout to the events alone, where they go there")
  func standardOutput() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 7)
    let run = ["run", scratch.path("clip.mp4"), "--model", TinyDetector.path, "--jsonl", "-"]
    let piped = try await Tool.eyrie.run(run)
    #expect(piped.code == 0, "\(piped.errors)")
    #expect(piped.errors.contains("7 decoded"))
    let events = try EventLog(path: try scratch.write(Array(piped.output.utf8), to: "piped.jsonl"))
    #expect(events.detections.count == 7)

    // Redirected to a file; appended to one, which opening it again would empty; closed.
    let shell = Tool(path: "/bin/sh")
    let command = ([Tool.eyrie.path] + run).map { "'\($0)'" }.joined(separator: " ")
    let redirected = try await shell.run(["-c", "\(command) > '\(scratch.path("new.jsonl"))'"])
    #expect(redirected.code == 0)
    #expect(try EventLog(path: scratch.path("new.jsonl")).detections.count == 7)
    let appended = try await shell.run(["-c", "\(command) >> '\(scratch.path("new.jsonl"))'"])
    #expect(appended.code == 2)
    #expect(try EventLog(path: scratch.path("new.jsonl")).detections.count == 7)
    let file = command.replacingOccurrences(of: "'-'", with: "'\(scratch.path("closed.jsonl"))'")
    let closed = try await shell.run(["-c", "\(file) >&-"])
    #expect(closed.code == 0)
    #expect(try EventLog(path: scratch.path("closed.jsonl")).detections.count == 7)
  }

  @Test(
    "fails when stdout cannot take the result",
    arguments: [["probe"], ["run", "--model", TinyDetector.path]])
  func fullDisk(command: [String]) async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("clip.mp4"), frames: 3)
    let words = ([Tool.eyrie.path] + command + [scratch.path("clip.mp4")]).map { "'\($0)'" }.joined(
      separator: " ")
    let full = try await Tool(path: "/bin/sh").run(["-c", "\(words) > /dev/full"])
    #expect(full.code == 1)
    #expect(full.errorLines.count == 1)
    #expect(full.errors.contains("stdout"))
    // A reader that has seen enough is no failure.
    let gone = try await Tool(path: "/bin/sh").run(["-c", "(\(words); echo $? >&2) | true"])
    #expect(gone.errors == "0\n")
  }
}
